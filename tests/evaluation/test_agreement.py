"""Statistics of agreement: published tables, other libraries, and brute force."""

import itertools
import math
from typing import Any

import krippendorff
import numpy as np
import pytest
from annotators import flat_spans
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.stats import bootstrap
from sklearn.metrics import cohen_kappa_score

from spacy_ctxtag.evaluation.agreement import (
    UNKNOWN,
    Estimate,
    code,
    cohen_kappa,
    confusion,
    count_alpha,
    count_borders,
    count_fleiss,
    count_spans,
    estimate,
    f_spans,
    fleiss_kappa,
    krippendorff_alpha,
    overlaps,
    votes,
)

K = 3
# Fleiss 1971, table 1: thirty patients, six psychiatrists, five diagnoses.
FLEISS = """
00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031 00501 30012 51000 02040 10203
00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""
# Krippendorff 2011, C: four observers, twelve units, some not rated.
KRIPPENDORFF = "123321412___ 1233224125_3 _3332342251_ 12332441251_"


def table(text: str) -> Any:
    return np.array([[UNKNOWN if each == "_" else int(each) for each in row] for row in text.split()])


def ratings(n_annotators: int, *, unknown: bool = True) -> st.SearchStrategy[Any]:
    """(A, T) ratings."""
    value = st.integers(UNKNOWN if unknown else 0, K - 1)
    units = st.lists(st.tuples(*[value] * n_annotators), min_size=1, max_size=12)
    return units.map(lambda rows: np.array(rows).T)


def kappa(a: Any, b: Any) -> float:
    return float(cohen_kappa(confusion(a, b, K)))


def alpha(rated: Any, n_labels: int = K) -> float:
    return float(krippendorff_alpha(count_alpha(votes(rated, n_labels))))


def fleiss(rated: Any) -> float:
    return float(fleiss_kappa(count_fleiss(votes(rated, K), len(rated)), len(rated)))


# Published examples


def test_fleiss_kappa_of_fleiss() -> None:
    assert round(float(fleiss_kappa(count_fleiss(table(FLEISS), 6), 6)), 3) == 0.430


def test_alpha_of_krippendorff() -> None:
    assert round(alpha(table(KRIPPENDORFF), 6), 3) == 0.743


# Other libraries


@given(ratings(2))
def test_cohen_kappa_equals_scikit_learn(rated: Any) -> None:
    a, b = rated[:, (rated != UNKNOWN).all(axis=0)]
    found = kappa(*rated)
    if math.isnan(found):
        assert len({*a, *b}) <= 1
    else:
        assert found == pytest.approx(cohen_kappa_score(a, b), abs=1e-12)


@given(ratings(4))
def test_alpha_equals_krippendorff(rated: Any) -> None:
    paired = rated[:, (rated != UNKNOWN).sum(axis=0) > 1]
    found = alpha(rated)
    if math.isnan(found):
        assert len({*paired.ravel()} - {UNKNOWN}) <= 1
    else:
        data = np.where(rated == UNKNOWN, np.nan, rated)
        expected = krippendorff.alpha(data, level_of_measurement="nominal", value_domain=list(range(K)))
        assert found == pytest.approx(expected, abs=1e-12)


@given(ratings(3, unknown=False))
def test_fleiss_kappa_is_alpha_but_for_the_size_of_the_sample(rated: Any) -> None:
    found, n = fleiss(rated), rated.size
    if math.isnan(found):
        assert len({*rated.ravel()}) == 1
    else:
        assert alpha(rated) == pytest.approx(1 - (1 - found) * (n - 1) / n, abs=1e-12)


def test_fleiss_kappa_takes_units_that_all_rate() -> None:
    rated = np.array([[0, 1, 2, 1], [0, 1, 2, UNKNOWN], [0, 2, 1, 1]])
    assert fleiss(rated) == fleiss(rated[:, :3])


# What holds for all of them


@given(ratings(2))
def test_kappa_does_not_depend_on_the_order(rated: Any) -> None:
    np.testing.assert_equal(kappa(*rated), kappa(*rated[::-1]))


@given(ratings(4))
def test_alpha_does_not_depend_on_the_order(rated: Any) -> None:
    np.testing.assert_equal(alpha(rated), alpha(rated[::-1]))


@given(ratings(1, unknown=False), st.integers(2, 4))
def test_perfect_agreement_is_one_or_undefined(rated: Any, n: int) -> None:
    same = np.repeat(rated, n, axis=0)
    expected = 1.0 if len(set(rated[0])) > 1 else math.nan
    for found in (kappa(*same[:2]), fleiss(same), alpha(same)):
        np.testing.assert_equal(found, expected)


def test_nothing_rated_is_undefined() -> None:
    nothing = np.full((3, 4), UNKNOWN)
    assert [math.isnan(each) for each in (kappa(*nothing[:2]), fleiss(nothing), alpha(nothing))] == [True] * 3
    empty = np.zeros((3, 0), dtype="int64")
    assert [math.isnan(each) for each in (kappa(*empty[:2]), fleiss(empty), alpha(empty))] == [True] * 3


def test_code_numbers_labels() -> None:
    assert code(["B", None, "O"], ["O", "A", "B"]).tolist() == [2, UNKNOWN, 0]


# Spans


def most_pairs(a: Any, b: Any) -> int:
    """The most pairs of spans of one label that share a unit, each once."""
    fits = [[x[2] == y[2] and x[0] < y[1] and y[0] < x[1] for y in b] for x in a]
    if not a or not b:
        return 0
    return int(np.array(fits)[linear_sum_assignment(fits, maximize=True)].sum())


@given(flat_spans(), flat_spans())
def test_overlapping_spans_are_as_many_as_can_be(one: Any, other: Any) -> None:
    labels = ("A", "B-c", "Ö")
    counts = count_spans(set(one), set(other), labels)
    assert counts[:, 1].sum() == most_pairs(one, other)
    assert counts[:, 0].sum() == len(set(one) & set(other))
    assert counts[:, 2:].sum(axis=0).tolist() == [len(one), len(other)]
    assert (counts[:, 0] <= counts[:, 1]).all()


@given(flat_spans(labels=["A"]), flat_spans(labels=["A"]))
def test_overlaps_are_the_same_whoever_is_first(one: Any, other: Any) -> None:
    assert overlaps(set(one), set(other)) == [(a, b) for b, a in overlaps(set(other), set(one))]


def test_borders_lie_apart() -> None:
    a = {(0, 2, "A"), (3, 6, "A"), (7, 8, "B")}
    b = {(0, 2, "A"), (4, 9, "A"), (7, 8, "A")}
    assert count_borders(a, {(0, 2, "A"), (4, 7, "A")}, ["A", "B"]).tolist() == [2, 1, 1, 1]
    assert count_borders(a, {(0, 1, "B")}, ["A", "B"]).tolist() == [0, 0, 0, 0]
    assert count_borders(b - {(7, 8, "A")}, a, ["A", "B"]).tolist() == [2, 1, 1, 3]


def test_f_of_no_spans_is_undefined() -> None:
    assert math.isnan(f_spans(0, 0, 0))
    assert f_spans(2, 3, 5) == 0.5


# Intervals


def f_of(sums: Any) -> Any:
    return {"f": f_spans(sums["spans"][..., 0], sums["spans"][..., 1], sums["spans"][..., 2])}


def test_interval_equals_enumeration_of_all_draws() -> None:
    spans = np.array([[3, 4, 5], [0, 2, 3], [2, 2, 2], [1, 4, 1], [5, 6, 5]])
    draws = [list(draw) for draw in itertools.product(range(5), repeat=5)]
    every = np.array([f_of({"spans": spans[draw].sum(axis=0)})["f"] for draw in draws])
    found = estimate({"spans": spans}, f_of)["f"]
    assert found.value == pytest.approx(2 * 11 / (18 + 16))
    for edge, share in ((found.low, 0.025), (found.high, 0.975)):
        assert (every < edge - 1e-9).mean() - 0.01 <= share <= (every <= edge + 1e-9).mean() + 0.01


def test_interval_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    spans = np.stack([hits := rng.integers(0, 4, 40), hits + rng.integers(0, 3, 40), hits + 1], axis=-1)
    found = estimate({"spans": spans}, f_of)["f"]
    expected = bootstrap(
        (np.arange(40),),
        lambda drawn, axis=-1: f_of({"spans": spans[drawn].sum(axis=-2)})["f"],
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.005)


def test_interval_is_repeatable_and_drawn_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = {"spans": np.array([[1, 2, 3], [2, 2, 2], [0, 1, 1]])}
    once = estimate(spans, f_of, n_samples=500, seed=3)
    assert estimate(spans, f_of, n_samples=500, seed=3) == once
    monkeypatch.setattr("spacy_ctxtag.evaluation.agreement.BATCH", 100)
    assert estimate(spans, f_of, n_samples=500, seed=3)["f"].value == once["f"].value


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([[1, 2, 2]], Estimate(0.5, None, None)),  # one document
        ([[0, 0, 0], [0, 0, 0]], Estimate(None, None, None)),
        ([[1, 1, 1], *[[0, 0, 0]] * 3], Estimate(1.0, None, None)),  # in few draws
        ([[1, 1, 1]] * 4, Estimate(1.0, 1.0, 1.0)),
    ],
)
def test_interval_of_too_little_is_none(spans: Any, expected: Estimate) -> None:
    assert estimate({"spans": np.array(spans)}, f_of, n_samples=300)["f"] == expected
