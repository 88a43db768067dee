import numpy as np
import pytest
from crf_oracle import (
    GRAMMARS,
    central_differences,
    enumerate_paths,
    flat_scores,
    legal_paths,
    path_counts,
    random_chains,
    random_masks,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ctxtag.crf import Chains, add_costs, nll
from spacy_ctxtag.tags import constraint_mask, make_grammar


def make_case(seed, name, masked, known=0.6):
    """Chains, gold masks of which a share is known, allowed masks that leave the gold paths, and costs."""
    rng = np.random.default_rng(seed)
    lengths, k = rng.integers(0, 5, 4), len(GRAMMARS[name].tags)
    drawn = zip(random_masks(rng, name, lengths), lengths, strict=True)
    gold = [np.ones((n, k), bool) if mask is None else mask for mask, n in drawn]
    for mask, n in zip(gold, lengths, strict=True):
        paths = legal_paths(name, n)[mask[np.arange(n), legal_paths(name, n)].all(axis=1)]
        certain = rng.random(n) < known
        mask[certain] = np.arange(k) == paths[rng.integers(len(paths))][certain, None]
    drawn = zip(random_masks(rng, name, lengths), gold, strict=True)
    allowed = [m if m is None else m | g for m, g in drawn] if masked else None
    return random_chains(rng, GRAMMARS[name], lengths), gold, allowed, rng.choice([0.0, 0.5, 1.0, 4.0], k)


def softmax_margin(chains, name, gold, allowed, costs):
    """Losses (B,) and the gradient of their sum: sums over all paths of exp(score + cost), the cost token by token."""
    k = len(GRAMMARS[name].tags)
    losses, parts = [], []
    for i, mask in enumerate(gold):
        found = enumerate_paths(chains, i, name, allowed and allowed[i])
        cost = np.zeros(len(found.paths))
        for t, admitted in enumerate(mask):
            cost += [0.0 if admitted[tag] else min(costs[admitted]) for tag in found.paths[:, t]]
        free = mask[np.arange(len(mask)), found.paths].all(axis=1)  # (paths,)
        log_all, log_gold = np.logaddexp.reduce(found.scores + cost), np.logaddexp.reduce(found.scores[free])
        losses.append(log_all - log_gold)
        weights = np.exp(found.scores + cost - log_all)
        weights[free] -= np.exp(found.scores[free] - log_gold)
        parts.append(path_counts(found.paths, weights, k))
    return np.array(losses), flat_scores(Chains([p[0] for p in parts], *(sum(p[n] for p in parts) for n in (1, 2, 3))))


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from(sorted(GRAMMARS)), st.booleans())
def test_nll_with_costs_is_the_softmax_margin_loss(seed, name, masked):
    chains, gold, allowed, costs = make_case(seed, name, masked)
    losses, gradient = nll(add_costs(chains, gold, costs), GRAMMARS[name], gold, allowed)
    expected, slope = softmax_margin(chains, name, gold, allowed, costs)
    np.testing.assert_allclose(losses, expected, atol=1e-10)
    np.testing.assert_allclose(flat_scores(gradient), slope, atol=1e-10)


@pytest.mark.parametrize("name", ["bio4", "biluo2"])
@pytest.mark.parametrize("masked", [False, True])
def test_gradient_in_the_scores_without_costs_equals_central_differences(name, masked):
    chains, gold, allowed, costs = make_case(3, name, masked)
    grammar = GRAMMARS[name]
    _, gradient = nll(add_costs(chains, gold, costs), grammar, gold, allowed)
    found = central_differences(chains, lambda c: nll(add_costs(c, gold, costs), grammar, gold, allowed)[0].sum())
    assert np.abs(found).max() > 0.1
    np.testing.assert_allclose(flat_scores(gradient), found, atol=1e-6)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from(sorted(GRAMMARS)), st.booleans())
def test_costs_never_lower_the_loss_and_no_costs_leave_it(seed, name, masked):
    chains, gold, allowed, costs = make_case(seed, name, masked)
    plain, _ = nll(chains, GRAMMARS[name], gold, allowed)
    same, _ = nll(add_costs(chains, gold, np.zeros(len(costs))), GRAMMARS[name], gold, allowed)
    raised, _ = nll(add_costs(chains, gold, costs), GRAMMARS[name], gold, allowed)
    np.testing.assert_array_equal(same, plain)
    assert (raised >= plain - 1e-12).all()


def test_costs_of_each_kind_of_token():
    grammar = make_grammar(["A", "B"], "BIO")  # O B-A I-A B-B I-B
    chains = Chains([np.zeros((5, 5))], np.zeros(5), np.zeros((5, 5)), np.zeros(5))
    gold = constraint_mask(grammar, [(1, 3, 1)], np.array([False, False, False, True, True]))
    added = add_costs(chains, [gold], np.array([1.0, 2, 3, 4, 5])).emissions[0]
    expected = [
        [0, 1, 1, 1, 1],  # O
        [4, 4, 4, 0, 4],  # B-B
        [5, 5, 5, 5, 0],  # I-B
        [0, 0, 0, 0, 1],  # anything but I-B: the least of the others
        [0, 0, 0, 0, 0],  # unknown
    ]
    np.testing.assert_array_equal(added, expected)


def test_extreme_scores_equal_enumeration():
    chains, gold, allowed, costs = make_case(0, "biluo2", True)
    chains = Chains([1e3 * e for e in chains.emissions], chains.start, chains.transition, chains.end)
    losses, gradient = nll(add_costs(chains, gold, costs), GRAMMARS["biluo2"], gold, allowed)
    expected, slope = softmax_margin(chains, "biluo2", gold, allowed, costs)
    np.testing.assert_allclose(losses, expected, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(flat_scores(gradient), slope, atol=1e-8)


def test_scores_and_masks_are_not_mutated_and_float32_becomes_float64():
    chains, gold, _, costs = make_case(1, "bio4", False)
    chains = Chains([e.astype(np.float32) for e in chains.emissions], chains.start, chains.transition, chains.end)
    copies = [a.copy() for a in (*chains.emissions, *gold)]
    assert {e.dtype for e in add_costs(chains, gold, costs).emissions} == {np.dtype(np.float64)}
    for array, copy in zip((*chains.emissions, *gold), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_token_that_admits_no_tag_is_left_for_the_loss_to_refuse():
    grammar = make_grammar(["A"], "BIO")
    chains = random_chains(np.random.default_rng(0), grammar, [3])
    gold = np.ones((3, 3), bool)
    gold[1] = False
    with pytest.raises(ValueError, match="no tag is possible at token 1 under the annotation"):
        nll(add_costs(chains, [gold], np.ones(3)), grammar, [gold])


@pytest.mark.parametrize("cost", [-0.1, np.nan, np.inf])
def test_bad_cost_is_refused_by_its_tag(cost):
    chains = random_chains(np.random.default_rng(0), make_grammar(["A"], "BIO"), [2])
    with pytest.raises(ValueError, match=r"CT127.* tag 2 is"):
        add_costs(chains, [np.ones((2, 3), bool)], np.array([0.0, 1.0, cost]))


@pytest.mark.parametrize(
    ("gold", "costs"),
    [([], np.ones(3)), ([np.ones((2, 2), bool)], np.ones(3)), ([np.ones((2, 3), bool)], np.ones(2))],
)
def test_other_shapes_are_refused(gold, costs):
    chains = random_chains(np.random.default_rng(0), make_grammar(["A"], "BIO"), [2])
    with pytest.raises(ValueError, match="CT120"):
        add_costs(chains, gold, costs)
