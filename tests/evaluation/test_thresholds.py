"""Score maps and thresholds against values computed by hand, brute force and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from outcomes import PROBS, columns
from sklearn.isotonic import IsotonicRegression

from spacy_ctxtag.evaluation.thresholds import (
    LabelThreshold,
    conformal_threshold,
    fit_score_map,
    precision_thresholds,
)

# Score maps


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=20, max_size=80))
def test_fit_score_map_equals_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    probs, hits = np.round(columns(pairs)[0], 2), np.array(columns(pairs)[1])
    found = fit_score_map(probs, hits)
    assert found is not None
    bounds = {"y_min": 1 / (len(probs) + 2), "y_max": 1 - 1 / (len(probs) + 2)}
    expected = IsotonicRegression(**bounds).fit(probs, hits).predict(probs)
    assert_allclose(np.interp(probs, found[0], found[1]), expected, atol=1e-9)


@given(PROBS)
def test_fit_score_map_is_a_rising_function_on_the_unit_interval(pairs: list[tuple[float, bool]]) -> None:
    found = fit_score_map(*columns(pairs))
    if len(pairs) < 20:
        assert found is None
    else:
        assert found is not None
        assert found[0][0] == 0
        assert (np.diff(found[0]) > 0).all()
        assert (np.diff(found[1]) >= 0).all()
        assert 0 <= found[1][0] <= found[1][-1] < 1
        assert {type(value) for value in (*found[0], *found[1])} == {float}


def test_fit_score_map_equals_hand_computed_values() -> None:
    # 0.2: 0/10; 0.4: 5/10 and 0.6: 2/10 are pooled to 7/20; 0.8: 10/10, but 40 cannot show more than 41/42.
    probs = np.repeat([0.2, 0.4, 0.6, 0.8], 10)
    hits = np.concatenate([np.arange(10) < n for n in (0, 5, 2, 10)])
    found = fit_score_map(probs, hits)
    assert found is not None
    assert found[0] == [0.0, 0.2, 0.4, 0.6, 0.8]
    assert found[1] == pytest.approx([0.0, 1 / 42, 0.35, 0.35, 41 / 42])


# Thresholds


def test_precision_thresholds_equal_hand_computed_values() -> None:
    # From the top: 4 of 4 right, then two equal scores, one of them wrong (5 of 6), then 1 of 4 (6 of 10).
    probs = [0.9, 0.8, 0.8, 0.7, 0.6, 0.6, 0.5, 0.4, 0.3, 0.2]
    hits = [1, 1, 1, 1, 1, 0, 0, 1, 0, 0]
    found = {
        target: precision_thresholds(["A"] * 10, probs, hits, {"A": 8}, target)["A"]
        for target in (0.5, 0.6, 0.8, 0.9, 1.0)
    }
    assert found[0.5] == found[0.6] == LabelThreshold(0.0, 0.6, 0.6, 0.75, 0.75, 10)
    assert found[0.8] == LabelThreshold(pytest.approx(0.6 - 1e-4), 0.6, pytest.approx(5 / 6), 0.75, 0.625, 10)
    assert found[0.9] == found[1.0] == LabelThreshold(pytest.approx(0.7 - 1e-4), 0.6, 1.0, 0.75, 0.5, 10)


def test_precision_thresholds_part_scores_that_are_close() -> None:
    probs = np.array([0.5 + 1e-9] * 10 + [0.5] * 10)
    threshold = precision_thresholds(["A"] * 20, probs, np.arange(20) < 10, {"A": 10}, 0.9)["A"].threshold
    assert threshold is not None
    assert_array_equal(probs >= threshold, np.arange(20) < 10)


def test_precision_thresholds_say_why_there_is_none() -> None:
    labels = ["few"] * 9 + ["bad"] * 10
    found = precision_thresholds(labels, [0.5] * 19, [1] * 9 + [0] * 10, {"few": 9, "bad": 5, "none": 0}, 0.9)
    assert list(found) == ["bad", "few", "none"]
    assert found["few"] == LabelThreshold(None, 1.0, 1.0, 1.0, 1.0, 9, "fewer than 10 found")
    assert found["bad"] == LabelThreshold(None, 0.0, 0.0, 0.0, 0.0, 10, "not reached")
    assert (found["none"].threshold, found["none"].n) == (None, 0)
    assert math.isnan(found["none"].recall)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.6, 0.9]), st.booleans()), min_size=10), st.floats(0.05, 1))
def test_precision_thresholds_are_the_lowest_by_brute_force(pairs: list[tuple[float, bool]], target: float) -> None:
    probs, hits = (np.array(each) for each in columns(pairs))
    found = precision_thresholds(["A"] * len(pairs), probs, hits, {"A": len(pairs)}, target)["A"]
    reached = [t for t in (0.0, 0.1, 0.3, 0.6, 0.9) if (probs >= t).any() and hits[probs >= t].mean() >= target]
    assert (found.threshold is None) == (not reached)
    if found.threshold is not None:
        assert_array_equal(probs >= found.threshold, probs >= reached[0])
        assert found.precision == pytest.approx(hits[probs >= found.threshold].mean())
        assert found.recall == pytest.approx(hits[probs >= found.threshold].sum() / len(pairs))


# Coverage


@pytest.mark.parametrize(
    ("n", "coverage", "k"), [(0, 0.9, 0), (8, 0.9, 0), (9, 0.9, 1), (19, 0.9, 2), (99, 0.95, 5), (3, 0.001, 3)]
)
def test_conformal_threshold_is_the_kth_smallest(n: int, coverage: float, k: int) -> None:
    scores = np.random.default_rng(0).permutation(np.arange(1, n + 1) / (n + 1))
    assert conformal_threshold(scores, coverage) == (k / (n + 1) if k else 0.0)


@pytest.mark.parametrize("coverage", [0.0, 1.0, 95, -0.1, math.nan])
def test_conformal_threshold_refuses_what_is_no_coverage(coverage: float) -> None:
    with pytest.raises(ValueError, match="CT304"):
        conformal_threshold([0.5], coverage)


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_conformal_threshold_covers_what_it_promises_and_little_more(coverage: float) -> None:
    rng, n = np.random.default_rng(7), 50
    scores = rng.beta(4, 1, (4000, n + 1))
    reached = np.mean([row[-1] >= conformal_threshold(row[:-1], coverage) for row in scores])
    error = 3 * math.sqrt(coverage * (1 - coverage) / len(scores))
    assert coverage - error <= reached <= coverage + 1 / (n + 1) + error
