"""Probabilities of all that some tokens hold, against enumeration."""

import numpy as np
import pytest
from crf_oracle import BY_NAME, SIZED, enumerate_paths, path_spans, random_chains, random_masks
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ctxtag.crf import posterior, span_log_probs, window_log_probs


def within(spans, start, end):
    """The spans inside of a window, or None if one crosses its border."""
    touching = [span for span in spans if span[0] < end and start < span[1]]
    return tuple(touching) if all(start <= i and j <= end for i, j, _ in touching) else None


@settings(max_examples=80)
@given(
    st.sampled_from(sorted(SIZED)),
    st.integers(1, 5),
    st.sampled_from([0.5, 2.0, 30.0]),
    st.booleans(),
    st.integers(0, 10**6),
    st.data(),
)
def test_windows_equal_enumeration(name, length, scale, masked, seed, data):
    grammar, rng = BY_NAME[name], np.random.default_rng(seed)
    chains = random_chains(rng, grammar, [length], scale)
    masks = random_masks(rng, name, [length]) if masked else [None]
    start = data.draw(st.integers(0, length - 1))
    end = data.draw(st.integers(start + 1, length))
    oracle = enumerate_paths(chains, 0, name, masks[0])
    expected: dict[tuple, float] = {}
    for path, prob in zip(oracle.paths, oracle.probs, strict=True):
        held = within(path_spans(grammar, path), start, end)
        if held is not None:
            expected[held] = expected.get(held, 0.0) + float(prob)
    (result,) = posterior(chains, grammar, masks)
    found = np.exp(window_log_probs(result, [(start, end, held) for held in expected]))
    np.testing.assert_allclose(found, list(expected.values()), atol=1e-9)


@pytest.mark.parametrize("name", ["bio2", "biluo2"])
def test_window_that_an_entity_fills_is_that_entity(name):
    grammar = BY_NAME[name]
    (result,) = posterior(random_chains(np.random.default_rng(3), grammar, [7]), grammar)
    spans = [(i, j, label) for i in range(7) for j in range(i + 1, 8) for label in range(2)]
    windows = [(i, j, [(i, j, label)]) for i, j, label in spans]
    np.testing.assert_allclose(window_log_probs(result, windows), span_log_probs(result, spans), atol=1e-9)


def test_window_of_nothing_known_is_empty():
    grammar = BY_NAME["bio1"]
    (result,) = posterior(random_chains(np.random.default_rng(0), grammar, [2]), grammar)
    assert window_log_probs(result, []).shape == (0,)


@pytest.mark.parametrize("window", [(1, 1, []), (-1, 1, []), (0, 3, []), (0, 1, [(0, 2, 0)]), (1, 2, [(0, 1, 0)])])
def test_windows_out_of_range_are_refused(window):
    grammar = BY_NAME["bio1"]
    (result,) = posterior(random_chains(np.random.default_rng(0), grammar, [2]), grammar)
    with pytest.raises(ValueError, match="CT103"):
        window_log_probs(result, [window])
