"""Figures of reliability against values computed by hand and scikit-learn."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from outcomes import PROBS, columns
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from spacy_ctxtag.evaluation.reliability import Bin, brier, ece, figures, log_loss, reliability_table


def test_ece_equals_hand_computed_value() -> None:
    # (0.2, 0.4]: mean 0.3, right 1/2. (0.8, 1.0]: mean 0.9, right 1/2. (0.4, 0.6]: 0.5, right 1/1.
    probs, hits = [0.25, 0.35, 0.85, 0.95, 0.5], [True, False, True, False, True]
    assert ece(probs, hits, bins=5) == pytest.approx((2 * 0.2 + 2 * 0.4 + 1 * 0.5) / 5)


def test_ece_adaptive_equals_hand_computed_value() -> None:
    # Two bins of two: (0.1, 0.2) right 0/2, (0.8, 0.9) right 2/2.
    assert ece([0.9, 0.1, 0.2, 0.8], [1, 0, 0, 1], bins=2, adaptive=True) == pytest.approx((2 * 0.15 + 2 * 0.15) / 4)


def test_reliability_table_adaptive_bins_have_equal_mass() -> None:
    rng = np.random.default_rng(0)
    rows = reliability_table(rng.random(1000), rng.random(1000) < 0.5, bins=8, adaptive=True)
    assert {row.n for row in rows} == {125}


@pytest.mark.parametrize(
    ("prob", "bins", "at"),
    [
        (0.0, 10, 0),
        (1e-300, 10, 0),
        (0.1, 10, 0),
        (0.7, 10, 6),
        (0.6, 15, 8),
        (0.3, 10, 2),
        (1.0, 10, 9),
        (1.0, 15, 14),
    ],
)
def test_reliability_table_edges_belong_to_the_lower_bin(prob: float, bins: int, at: int) -> None:
    assert [row.n for row in reliability_table([prob], [True], bins)] == [int(i == at) for i in range(bins)]


def test_reliability_table_shows_bins_that_are_empty() -> None:
    rows = reliability_table([0.2, 0.3], [False, True], bins=2)
    assert rows[0] == Bin(0.0, 0.5, 2, pytest.approx(0.25), 0.5)
    assert rows[1][:3] == (0.5, 1.0, 0)
    assert math.isnan(rows[1].mean_prob)
    assert math.isnan(rows[1].share_right)


def test_figures_of_nothing_are_not_numbers() -> None:
    assert reliability_table([], []) == []
    assert all(math.isnan(value) for value in figures([], []).values())


@given(PROBS.filter(bool))
def test_figures_equal_those_of_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    probs, hits = columns(pairs)
    clipped = np.clip(probs, 1e-15, 1 - 1e-15)
    assert brier(probs, hits) == pytest.approx(brier_score_loss(hits, probs, pos_label=True, labels=[False, True]))
    assert log_loss(probs, hits) == pytest.approx(sklearn_log_loss(hits, clipped, labels=[False, True]), rel=1e-6)


@given(PROBS.filter(bool), st.booleans(), st.integers(1, 20), st.randoms(use_true_random=False))
def test_ece_does_not_depend_on_the_order(pairs: list[Any], adaptive: bool, bins: int, random: Any) -> None:
    shuffled = random.sample(pairs, len(pairs))
    first, second = (ece(*columns(each), bins, adaptive) for each in (pairs, shuffled))
    assert 0 <= first <= 1
    assert first == pytest.approx(second)
    assert sum(row.n for row in reliability_table(*columns(pairs), bins, adaptive)) == len(pairs)


def test_log_loss_of_a_certain_mistake_is_finite() -> None:
    assert log_loss([1.0, 0.0], [False, True]) == pytest.approx(-math.log(1e-15), rel=1e-3)


@pytest.mark.parametrize(
    ("probs", "hits"), [([1.5], [1]), ([math.nan], [1]), ([-0.1], [0]), ([0.5], [2]), ([0.5], [1, 0]), ([[0.5]], [[1]])]
)
def test_figures_refuse_what_is_no_probability(probs: Any, hits: Any) -> None:
    with pytest.raises(ValueError, match="CT514"):
        ece(probs, hits)
