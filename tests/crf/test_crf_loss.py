import numpy as np
import pytest
from crf_oracle import GRAMMARS, enumerate_paths, legal_paths, random_chains, random_masks

from spacy_ctxtag.crf import Chains, nll, posterior, viterbi
from spacy_ctxtag.tags import Grammar, constraint_mask, make_grammar

LENGTHS = [3, 1, 5, 2, 0, 4, 3, 4]


def make_case(name, masked, seed=1):
    rng = np.random.default_rng(seed)
    chains = random_chains(rng, GRAMMARS[name], LENGTHS)
    gold = [np.ones((n, len(GRAMMARS[name].tags)), bool) for n in LENGTHS]
    for i, (mask, n) in enumerate(zip(gold, LENGTHS, strict=True)):
        paths = legal_paths(name, n)
        path = paths[rng.integers(len(paths))]
        known = rng.random(n) < (0.7, 1.0)[i % 2]  # every second one is fully annotated
        mask[known] = np.arange(mask.shape[1]) == path[known][:, None]
    # a mask that leaves the gold paths possible, and more
    allowed = [m if m is None else m | g for m, g in zip(random_masks(rng, name, LENGTHS), gold, strict=True)]
    return chains, gold, allowed if masked else None


@pytest.mark.parametrize("name", GRAMMARS)
@pytest.mark.parametrize("masked", [False, True])
def test_nll_equals_enumeration(name, masked):
    chains, gold, allowed = make_case(name, masked)
    losses, _ = nll(chains, GRAMMARS[name], gold, allowed)
    for i, loss in enumerate(losses):
        wide = enumerate_paths(chains, i, name, allowed and allowed[i])
        narrow = enumerate_paths(chains, i, name, gold[i])
        np.testing.assert_allclose(loss, wide.log_z - narrow.log_z, rtol=1e-9, atol=1e-9)
    assert (losses >= 0).all()


@pytest.mark.parametrize("name", GRAMMARS)
@pytest.mark.parametrize("masked", [False, True])
def test_gradient_equals_central_differences(name, masked):
    chains, gold, allowed = make_case(name, masked)
    grammar, eps = GRAMMARS[name], 1e-5
    _, gradient = nll(chains, grammar, gold, allowed)
    pairs = [
        (chains.start, gradient.start),
        (chains.transition, gradient.transition),
        (chains.end, gradient.end),
        *zip(chains.emissions, gradient.emissions, strict=True),
    ]
    for values, found in pairs:
        assert values.shape == found.shape
        numeric = np.zeros_like(values)
        for place in np.ndindex(values.shape):
            kept = values[place]
            sums = []
            for step in (eps, -eps):
                values[place] = kept + step
                sums.append(nll(chains, grammar, gold, allowed)[0].sum())
            values[place] = kept
            numeric[place] = (sums[0] - sums[1]) / (2 * eps)
        np.testing.assert_allclose(found, numeric, atol=2e-8)


def test_gradient_of_forbidden_tags_and_moves_is_exactly_zero():
    grammar = GRAMMARS["biluo2"]
    chains, gold, _ = make_case("biluo2", False)
    _, gradient = nll(chains, grammar, gold)
    assert (gradient.transition[~grammar.transition] == 0).all()
    assert (gradient.start[~grammar.start] == 0).all()
    assert (gradient.end[~grammar.end] == 0).all()


def test_annotation_that_excludes_nothing_costs_exactly_nothing():
    grammar = GRAMMARS["biluo2"]
    chains = random_chains(np.random.default_rng(0), grammar, [4, 0, 7])
    losses, gradient = nll(chains, grammar, [np.ones(e.shape, bool) for e in chains.emissions])
    assert losses.tolist() == [0, 0, 0]
    for array in (*gradient.emissions, gradient.start, gradient.transition, gradient.end):
        assert (array == 0).all()


def test_unconcerned_sequence_does_not_touch_the_gradient_of_the_others():
    grammar = GRAMMARS["bio4"]
    chains = random_chains(np.random.default_rng(0), grammar, [4, 6])
    gold = [constraint_mask(grammar, [(1, 3, 2)], np.zeros(4, bool)), np.ones((6, 9), bool)]
    _, both = nll(chains, grammar, gold)
    _, one = nll(Chains(chains.emissions[:1], chains.start, chains.transition, chains.end), grammar, gold[:1])
    np.testing.assert_allclose(both.transition, one.transition, atol=1e-13)
    np.testing.assert_allclose(both.end, one.end, atol=1e-13)
    assert (both.emissions[1] == 0).all()


def test_only_path_costs_exactly_nothing_and_has_no_gradient():
    grammar = GRAMMARS["biluo2"]
    chains = random_chains(np.random.default_rng(0), grammar, [4, 1, 6], 500.0)
    only = [constraint_mask(grammar, [(0, 1, 1)], np.zeros(n, bool)) for n in (4, 1, 6)]
    losses, gradient = nll(chains, grammar, only, only)
    assert losses.tolist() == [0, 0, 0]
    for array in (*gradient.emissions, gradient.start, gradient.transition, gradient.end):
        assert (array == 0).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_half_precision_scores_are_computed_in_double(dtype):
    rng, grammar = np.random.default_rng(3), GRAMMARS["biluo2"]
    chains, gold, _ = make_case("biluo2", False)
    small = Chains([(rng.normal(size=e.shape) * 9000).astype(dtype) for e in chains.emissions], *chains_ends(chains))
    large = Chains([e.astype(np.float64) for e in small.emissions], *chains_ends(chains))
    (losses, gradient), (expected, expected_gradient) = nll(small, grammar, gold), nll(large, grammar, gold)
    np.testing.assert_array_equal(losses, expected)
    assert np.isfinite(losses).all()
    for found, wanted in zip(gradient.emissions, expected_gradient.emissions, strict=True):
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, wanted)
    for found, wanted in zip(viterbi(small, grammar), viterbi(large, grammar), strict=True):
        np.testing.assert_array_equal(found, wanted)


def chains_ends(chains):
    return chains.start, chains.transition, chains.end


def test_nll_of_nothing():
    grammar = make_grammar(["A"])
    losses, gradient = nll(Chains([], np.zeros(5), np.zeros((5, 5)), np.zeros(5)), grammar, [])
    assert losses.shape == (0,)
    assert gradient.emissions == []
    assert not gradient.transition.any()


@pytest.mark.parametrize("lengths", [[], [0], [1, 1]])
def test_grammar_without_any_move_has_a_finite_gradient(lengths):
    grammar = Grammar("BIO", (), ("O",), np.ones(1, bool), np.zeros((1, 1), bool), np.ones(1, bool))
    chains = Chains([np.ones((n, 1)) for n in lengths], np.ones(1), np.ones((1, 1)), np.ones(1))
    losses, gradient = nll(chains, grammar, [np.ones((n, 1), bool) for n in lengths])
    assert not losses.any()
    assert not gradient.transition.any()
    assert [result.log_z for result in posterior(chains, grammar)] == [3.0 * n for n in lengths]


def test_gold_that_is_not_allowed_is_refused_by_name():
    grammar = make_grammar(["A"], "BIO")
    chains = random_chains(np.random.default_rng(0), grammar, [3, 3])
    entity = constraint_mask(grammar, [(1, 2, 0)], np.zeros(3, bool))
    blocked = constraint_mask(grammar, [], np.array([True, False, True]))
    with pytest.raises(ValueError, match=r"Sequence 1 .* token 1 under the annotation"):
        nll(chains, grammar, [entity, entity], [None, blocked])  # the first is fully known
    with pytest.raises(ValueError, match=r"Sequence 1 .* token 1 under the allowed tags"):
        nll(chains, grammar, [entity, entity], [None, np.zeros((3, 3), bool) | [[True] * 3, [False] * 3, [True] * 3]])


@pytest.mark.parametrize("gold", [[], [np.ones((2, 3), bool)], [np.ones((3, 2), bool)]])
def test_gold_of_another_shape_is_refused(gold):
    grammar = make_grammar(["A"], "BIO")
    with pytest.raises(ValueError, match="Expected"):
        nll(random_chains(np.random.default_rng(0), grammar, [3]), grammar, gold)
