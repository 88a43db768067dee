import numpy as np
import pytest
from crf_oracle import GRAMMARS, enumerate_paths, path_spans, random_chains, random_masks

from spacy_ctxtag.crf import Chains, forward_backward, log_space, nll, posterior, scaled, span_log_probs
from spacy_ctxtag.crf.chains import build_lattice, prune
from spacy_ctxtag.tags import constraint_mask, make_grammar

LENGTHS = [3, 1, 5, 2, 0, 4, 5, 1, 3, 2, 4, 5]
close = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture(params=[(name, masked) for name in GRAMMARS for masked in (False, True)], ids=str)
def case(request):
    name, masked = request.param
    rng = np.random.default_rng(7)
    chains = random_chains(rng, GRAMMARS[name], LENGTHS)
    masks = random_masks(rng, name, LENGTHS) if masked else [None] * len(LENGTHS)
    oracle = [enumerate_paths(chains, i, name, mask) for i, mask in enumerate(masks)]
    return GRAMMARS[name], chains, masks, oracle


def all_spans(grammar, length):
    spans = [(i, j, n) for i in range(length) for j in range(i + 1, length + 1) for n in range(len(grammar.labels))]
    return np.array(spans, dtype=int).reshape(-1, 3)


def test_log_z_equals_enumeration(case):
    grammar, chains, masks, oracle = case
    np.testing.assert_allclose([p.log_z for p in posterior(chains, grammar, masks)], [o.log_z for o in oracle], **close)


def test_tag_probs_equal_enumeration(case):
    grammar, chains, masks, oracle = case
    for result, expected, length in zip(posterior(chains, grammar, masks), oracle, LENGTHS, strict=True):
        probs = np.zeros((length, len(grammar.tags)))
        for t in range(length):
            np.add.at(probs[t], expected.paths[:, t], expected.probs)
        np.testing.assert_allclose(result.tag_probs, probs, **close)
        assert (result.tag_probs[probs == 0] == 0).all()


def test_expected_counts_equal_enumeration(case):
    grammar, chains, masks, oracle = case
    k = len(grammar.tags)
    for result, expected, length in zip(posterior(chains, grammar, masks), oracle, LENGTHS, strict=True):
        moves, first, last = np.zeros((k, k)), np.zeros(k), np.zeros(k)
        for t in range(1, length):
            np.add.at(moves, (expected.paths[:, t - 1], expected.paths[:, t]), expected.probs)
        if length:
            np.add.at(first, expected.paths[:, 0], expected.probs)
            np.add.at(last, expected.paths[:, -1], expected.probs)
        np.testing.assert_allclose(result.transition_counts, moves, **close)
        np.testing.assert_allclose(result.start_counts, first, **close)
        np.testing.assert_allclose(result.end_counts, last, **close)


def expected_moves(grammar, enumerated):
    moves = np.zeros((len(grammar.tags),) * 2)
    for path, prob in zip(enumerated.paths, enumerated.probs, strict=True):
        np.add.at(moves, (path[:-1], path[1:]), prob)
    return moves


@pytest.mark.parametrize("name", ["bio1", "biluo2"])
def test_expected_counts_of_huge_scores_equal_enumeration(name, monkeypatch):
    for module in ("chains", "log_space"):
        monkeypatch.setattr(f"spacy_ctxtag.crf.{module}.BLOCK", 200)  # several blocks
    grammar, rng, lengths = GRAMMARS[name], np.random.default_rng(8), [4, 0, 5, 1, 5] * 6
    chains = random_chains(rng, grammar, lengths)
    for emissions in chains.emissions[::2]:
        emissions *= 1e4
    masks = random_masks(rng, name, lengths)
    lattice = prune(build_lattice(chains, grammar, [None] * 30), grammar)
    assert 5 < scaled.sum_product(lattice).redone.sum() < 15  # of 24
    wide = [expected_moves(grammar, enumerate_paths(chains, i, name)) for i in range(30)]
    narrow = [expected_moves(grammar, enumerate_paths(chains, i, name, masks[i])) for i in range(30)]
    for result, moves in zip(posterior(chains, grammar), wide, strict=True):
        np.testing.assert_allclose(result.transition_counts, moves, **close)
    gold = [np.ones(e.shape, bool) if m is None else m for e, m in zip(chains.emissions, masks, strict=True)]
    _, gradient = nll(chains, grammar, gold)
    np.testing.assert_allclose(gradient.transition, sum(wide) - sum(narrow), **close)


def test_expected_counts_are_computed_only_when_asked_for(monkeypatch):
    def refuse(*_):
        raise AssertionError("moves were counted")

    monkeypatch.setattr(forward_backward, "count_moves", refuse)
    monkeypatch.setattr(log_space, "count_moves", refuse)
    grammar = GRAMMARS["bio4"]
    results = posterior(random_chains(np.random.default_rng(0), grammar, [5, 3], scale=1e4), grammar)
    with pytest.raises(AssertionError, match="moves were counted"):
        _ = results[0].transition_counts


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_chains_divided_by_a_temperature_are_the_distribution_to_a_power(temperature):
    grammar = GRAMMARS["biluo2"]
    chains = random_chains(np.random.default_rng(0), grammar, [4, 0, 3])
    divided = chains.divided_by(temperature)
    for i in range(3):
        before, after = enumerate_paths(chains, i, "biluo2"), enumerate_paths(divided, i, "biluo2")
        powers = before.probs ** (1 / temperature)
        np.testing.assert_allclose(after.probs, powers / powers.sum(), **close)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), float("nan")])
def test_chains_are_not_divided_by_what_is_no_temperature(temperature):
    chains = random_chains(np.random.default_rng(0), GRAMMARS["bio1"], [2])
    with pytest.raises(ValueError, match=r"\[CT126\] The temperature is"):
        chains.divided_by(temperature)


def test_span_log_probs_equal_enumeration(case):
    grammar, chains, masks, oracle = case
    for result, expected, length in zip(posterior(chains, grammar, masks), oracle, LENGTHS, strict=True):
        spans = all_spans(grammar, length)
        probs = dict.fromkeys(map(tuple, spans.tolist()), 0.0)
        for path, prob in zip(expected.paths, expected.probs, strict=True):
            for span in path_spans(grammar, path):
                probs[span] += prob
        with np.errstate(divide="ignore"):
            logs = np.log(np.array(list(probs.values())))
        found = span_log_probs(result, spans)
        assert (found <= 0).all()
        np.testing.assert_allclose(found, logs, **close)


def test_forward_and_backward_agree_at_every_token(case):
    grammar, chains, masks, _ = case
    for result in posterior(chains, grammar, masks):
        total = np.logaddexp.reduce(result.log_alpha + result.log_beta, axis=1)
        np.testing.assert_allclose(total, result.log_z, **close)


def test_batch_equals_single(case):
    grammar, chains, masks, _ = case
    for i, together in enumerate(posterior(chains, grammar, masks)):
        alone = Chains([chains.emissions[i]], chains.start, chains.transition, chains.end)
        (single,) = posterior(alone, grammar, [masks[i]])
        np.testing.assert_allclose(together.log_z, single.log_z, rtol=1e-13)
        np.testing.assert_allclose(together.tag_probs, single.tag_probs, atol=1e-13)
        np.testing.assert_allclose(together.log_beta, single.log_beta, rtol=1e-12)


@pytest.mark.parametrize("scheme", ["BIO", "BILUO"])
def test_span_log_probs_of_a_long_entity_equal_a_clamped_chain(scheme):
    grammar = make_grammar(["A", "B"], scheme)
    chains = random_chains(np.random.default_rng(3), grammar, [300], scale=1.0)
    spans = [(0, 1, 0), (10, 250, 1), (0, 300, 0), (298, 300, 1), (17, 20, 0)]
    (result,) = posterior(chains, grammar)
    clamped = [constraint_mask(grammar, [span], np.ones(300, bool)) for span in spans]
    expected = [posterior(chains, grammar, [mask])[0].log_z - result.log_z for mask in clamped]
    np.testing.assert_allclose(span_log_probs(result, spans), expected, rtol=1e-10)


def test_preset_entity_is_certain():
    grammar = make_grammar(["A", "B"], "BIO")
    chains = random_chains(np.random.default_rng(3), grammar, [6])
    mask = constraint_mask(grammar, [(1, 3, 1)], np.ones(6, bool))
    (result,) = posterior(chains, grammar, [mask])
    found = span_log_probs(result, [(1, 3, 1), (1, 4, 1), (1, 2, 1)])
    np.testing.assert_allclose(found, [0, -np.inf, -np.inf], **close)


@pytest.mark.parametrize("name", GRAMMARS)
def test_empty_batch_and_empty_sequences(name):
    grammar = GRAMMARS[name]
    chains = random_chains(np.random.default_rng(0), grammar, [0, 0])
    assert [p.log_z for p in posterior(chains, grammar)] == [0.0, 0.0]
    assert posterior(chains, grammar)[0].tag_probs.shape == (0, len(grammar.tags))
    assert span_log_probs(posterior(chains, grammar)[1], []).shape == (0,)
    assert posterior(Chains([], chains.start, chains.transition, chains.end), grammar) == []


def test_inputs_are_not_mutated():
    grammar, rng = GRAMMARS["bio4"], np.random.default_rng(0)
    chains, masks = random_chains(rng, grammar, [4, 2]), random_masks(rng, "bio4", [4, 2])
    arrays = [*chains.emissions, chains.start, chains.transition, chains.end, *masks]
    copies = [array.copy() for array in arrays]
    posterior(chains, grammar, masks)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_float32_emissions_are_computed_in_float64():
    grammar = GRAMMARS["bio4"]
    chains = random_chains(np.random.default_rng(0), grammar, [4])
    chains.emissions[0] = chains.emissions[0].astype(np.float32)
    assert posterior(chains, grammar)[0].tag_probs.dtype == np.float64


def test_impossible_sequence_is_named_with_its_token():
    grammar = make_grammar(["A"])
    chains = random_chains(np.random.default_rng(0), grammar, [2, 5, 3])
    mask = np.ones((5, 5), bool)
    mask[2], mask[3] = grammar.tag_index("B") == np.arange(5), np.arange(5) == 0
    with pytest.raises(ValueError, match="Sequence 1 has no admissible path: no tag is possible at token 3"):
        posterior(chains, grammar, [None, mask, None])


def test_entity_left_open_at_the_end_is_impossible():
    grammar = make_grammar(["A"])
    chains = random_chains(np.random.default_rng(0), grammar, [2])
    mask = np.tile(np.arange(5) == 1, (2, 1))
    mask[0] = True
    with pytest.raises(ValueError, match="at token 1"):
        posterior(chains, grammar, [mask])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": np.zeros(3)}, "start has the shape"),
        ({"transition": np.zeros((5, 4))}, "transition has the shape"),
        ({"end": np.full(5, np.nan)}, "end holds NaN"),
        ({"emissions": [np.zeros((2, 5)), np.zeros((2, 6))]}, r"emissions\[1\] has the shape"),
        ({"emissions": [np.zeros((2, 5)), np.array([[0.0] * 5, [np.inf] * 5])]}, "sequence 1 .* token 1"),
    ],
)
def test_bad_scores_are_refused(change, message):
    fields = {"emissions": [], "start": np.zeros(5), "transition": np.zeros((5, 5)), "end": np.zeros(5)}
    with pytest.raises(ValueError, match=message):
        posterior(Chains(**{**fields, **change}), make_grammar(["A"]))


@pytest.mark.parametrize("masks", [[], [None, None], [np.ones((2, 4), bool)]])
def test_bad_masks_are_refused(masks):
    grammar = make_grammar(["A"])
    with pytest.raises(ValueError, match="mask"):
        posterior(random_chains(np.random.default_rng(0), grammar, [2]), grammar, masks)


@pytest.mark.parametrize("span", [(-1, 1, 0), (1, 1, 0), (0, 4, 0), (0, 1, 1), (0, 1, -1)])
def test_span_out_of_range_is_refused(span):
    grammar = make_grammar(["A"])
    (result,) = posterior(random_chains(np.random.default_rng(0), grammar, [3]), grammar)
    with pytest.raises(ValueError, match="does not fit 3 tokens and 1 labels"):
        span_log_probs(result, [(0, 1, 0), span])
