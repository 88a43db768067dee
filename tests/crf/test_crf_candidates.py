from math import log

import numpy as np
import pytest
from crf_oracle import BY_NAME, SIZED, enumerate_paths, path_spans, random_chains, random_masks, span_probs
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ctxtag.crf import Chains, candidates, expected_entities, posterior, span_log_probs, spans_above
from spacy_ctxtag.tags import constraint_mask

sequences = st.fixed_dictionaries(
    {
        "name": st.sampled_from(sorted(SIZED)),
        "length": st.integers(0, 5),
        "size": st.sampled_from([0.0, 0.5, 2.0, 30.0, 1e4]),
        "masked": st.booleans(),
        "seed": st.integers(0, 2**32 - 1),
    }
)
thresholds = st.sampled_from([1e-6, 0.001, 0.01, 0.1, 0.3, 0.5, 0.9, 1.0])


def make(name, length, size, masked, seed):
    rng = np.random.default_rng(seed)
    chains = random_chains(rng, BY_NAME[name], [length], size)
    masks = random_masks(rng, name, [length]) if masked else [None]
    (result,) = posterior(chains, BY_NAME[name], masks)
    return result, enumerate_paths(chains, 0, name, masks[0])


def all_spans(grammar, length):
    spans = [(i, j, n) for i in range(length) for j in range(i + 1, length + 1) for n in range(len(grammar.labels))]
    return np.array(spans, dtype=int).reshape(-1, 3)


def above(result, least):
    """The same by a list of all spans."""
    spans = all_spans(result.grammar, len(result.potentials))
    log_probs = span_log_probs(result, spans)
    return spans[log_probs >= log(least)], log_probs[log_probs >= log(least)]


def long_entities(scheme, length):
    """A posterior in which entities of many lengths are likely, with two labels."""
    grammar = BY_NAME[f"{scheme}2"]
    k = len(grammar.tags)
    chains = random_chains(np.random.default_rng(4), grammar, [length], 0.3)
    inner = [grammar.tag_index("I", label) for label in (0, 1)]
    transition = np.zeros((k, k))
    transition[inner, inner] = 2.5
    return posterior(Chains(chains.emissions, np.zeros(k), transition, np.zeros(k)), grammar)[0]


@settings(max_examples=120, deadline=None)
@given(sequence=sequences, least=thresholds)
def test_spans_above_equal_enumeration(sequence, least):
    result, oracle = make(**sequence)
    spans, log_probs = spans_above(result, least)
    found = dict(zip(map(tuple, spans.tolist()), np.exp(log_probs).tolist(), strict=True))
    for span, prob in span_probs(result.grammar, oracle).items():
        if prob >= least * (1 + 1e-7):
            assert span in found
        elif prob < least * (1 - 1e-7):
            assert span not in found
        if span in found:
            assert found.pop(span) == pytest.approx(prob, abs=1e-7)
    assert not found


@settings(max_examples=150, deadline=None)
@given(sequence=sequences, least=thresholds)
def test_spans_above_equal_the_list_of_all_spans(sequence, least):
    result, _ = make(**sequence)
    for found, expected in zip(spans_above(result, least), above(result, least), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("scheme", ["bio", "biluo"])
@pytest.mark.parametrize("least", [1e-9, 1e-4, 0.01])
def test_spans_above_of_long_entities_equal_the_list_of_all_spans(scheme, least):
    result = long_entities(scheme, 150)
    spans, log_probs = spans_above(result, least)
    expected, expected_logs = above(result, least)
    assert (spans[:, 1] - spans[:, 0]).max() > 10
    np.testing.assert_array_equal(spans, expected)
    np.testing.assert_allclose(log_probs, expected_logs, rtol=1e-12)


@pytest.mark.parametrize("scheme", ["bio", "biluo"])
def test_spans_above_looks_at_few_spans(scheme, monkeypatch):
    looked_at = []

    def watched(result, spans):
        looked_at.append(len(spans))
        return span_log_probs(result, spans)

    monkeypatch.setattr(candidates, "span_log_probs", watched)
    result = long_entities(scheme, 400)
    spans, _ = spans_above(result, 0.05)
    assert 0 < len(spans) <= looked_at[0] <= 2 * 400 / 0.05
    assert looked_at[0] < len(all_spans(result.grammar, 400)) / 20


@pytest.mark.parametrize("scheme", ["bio", "biluo"])
def test_spans_above_finds_a_preset_entity(scheme):
    grammar = BY_NAME[f"{scheme}3"]
    chains = random_chains(np.random.default_rng(3), grammar, [8])
    mask = constraint_mask(grammar, [(1, 2, 2), (3, 8, 1)], np.zeros(8, bool))
    (result,) = posterior(chains, grammar, [mask])
    spans, log_probs = spans_above(result, 1 - 1e-9)
    assert spans.tolist() == [[1, 2, 2], [3, 8, 1]]
    np.testing.assert_allclose(log_probs, 0, atol=1e-12)


@pytest.mark.parametrize("name", ["none", "bio2", "biluo2"])
@pytest.mark.parametrize("length", [0, 3])
def test_spans_above_of_nothing(name, length):
    grammar = BY_NAME[name]
    chains = random_chains(np.random.default_rng(0), grammar, [length])
    (result,) = posterior(chains, grammar, [np.arange(len(grammar.tags)) == np.zeros((length, 1))])
    spans, log_probs = spans_above(result, 0.5)
    assert (spans.shape, spans.dtype) == ((0, 3), np.intp)
    assert (log_probs.shape, log_probs.dtype) == ((0,), np.float64)
    assert expected_entities(result) == 0.0


@pytest.mark.parametrize("least", [0.0, -0.1, 1.1, float("nan")])
def test_spans_above_refuses_what_is_no_probability(least):
    result = long_entities("bio", 3)
    with pytest.raises(ValueError, match=r"\[CT125\] spans_above: `least` is"):
        spans_above(result, least)


@settings(max_examples=60, deadline=None)
@given(sequence=sequences)
def test_expected_entities_equal_enumeration(sequence):
    result, oracle = make(**sequence)
    numbers = [len(path_spans(result.grammar, path)) for path in oracle.paths]
    assert expected_entities(result) == pytest.approx(float(oracle.probs @ numbers), abs=1e-7)
