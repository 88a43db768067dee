from itertools import combinations

import numpy as np
import pytest
from crf_oracle import BY_NAME, random_chains
from hypothesis import given
from hypothesis import strategies as st

from spacy_ctxtag.crf import best_disjoint, expected_entities, mbr, mbr_f, posterior, spans_above

TOKENS = 7
eighths = st.integers(-8, 16).map(lambda n: n / 8)  # sums of them are exact
span = st.tuples(st.integers(0, TOKENS - 1), st.integers(1, 4), st.integers(0, 2)).map(
    lambda parts: (parts[0], min(TOKENS, parts[0] + parts[1]), parts[2])
)
weighted = st.lists(st.tuples(span, eighths), max_size=9, unique_by=lambda pair: pair[0])
likely = st.lists(st.tuples(span, st.integers(0, 64).map(lambda n: n / 64)), max_size=9)


def disjoint_subsets(spans):
    """Every set of indices of spans that share no token."""
    for size in range(len(spans) + 1):
        for subset in combinations(range(len(spans)), size):
            tokens = [t for i in subset for t in range(*spans[i][:2])]
            if len(tokens) == len(set(tokens)):
                yield list(subset)


def split(pairs):
    return [pair[0] for pair in pairs], np.array([pair[1] for pair in pairs], dtype=float)


def check_disjoint_and_in_order(spans, chosen):
    assert chosen.dtype == np.intp
    ends = [0] + [spans[i][1] for i in chosen]
    assert all(spans[i][0] >= end for i, end in zip(chosen, ends[:-1], strict=True))


@given(pairs=weighted)
def test_best_disjoint_equals_enumeration(pairs):
    spans, weights = split(pairs)
    chosen = best_disjoint(spans, weights)
    check_disjoint_and_in_order(spans, chosen)
    assert (weights[chosen] > 0).all()
    assert weights[chosen].sum() == max(weights[subset].sum() for subset in disjoint_subsets(spans))


@given(pairs=weighted, rng=st.randoms(use_true_random=False))
def test_best_disjoint_does_not_depend_on_the_order(pairs, rng):
    spans, weights = split(pairs)
    shuffled = rng.sample(pairs, len(pairs))
    others, other_weights = split(shuffled)
    expected = [spans[i] for i in best_disjoint(spans, weights)]
    assert [others[i] for i in best_disjoint(others, other_weights)] == expected


@given(pairs=weighted)
def test_best_disjoint_ties_leave_the_last_span_out(pairs):
    spans, weights = split(pairs)
    order = sorted(range(len(spans)), key=lambda i: (spans[i][1], spans[i][0], spans[i][2]))
    subsets = [s for s in disjoint_subsets(spans) if (weights[s] > 0).all()]
    top = max(weights[s].sum() for s in subsets)
    best = [s for s in subsets if weights[s].sum() == top]
    expected = min(best, key=lambda s: [i in s for i in reversed(order)])
    assert sorted(best_disjoint(spans, weights).tolist()) == expected


@given(pairs=likely, cost=st.integers(-8, 64).map(lambda n: n / 64))
def test_mbr_equals_enumeration(pairs, cost):
    spans, probs = split(pairs)
    chosen = mbr(spans, probs, cost)
    check_disjoint_and_in_order(spans, chosen)
    gain = probs - cost
    assert gain[chosen].sum() == max(gain[subset].sum() for subset in disjoint_subsets(spans))


@given(pairs=likely, seed=st.integers(0, 1000))
def test_mbr_with_a_cost_for_each_span_equals_enumeration(pairs, seed):
    spans, probs = split(pairs)
    cost = np.random.default_rng(seed).integers(0, 65, len(spans)) / 64
    gain = probs - cost
    best = max(gain[subset].sum() for subset in disjoint_subsets(spans))
    assert gain[mbr(spans, probs, cost)].sum() == best


def f_score(probs, chosen, expected):
    return 2 * probs[chosen].sum() / (len(chosen) + expected) if len(chosen) else 0.0


@given(pairs=likely, expected=st.sampled_from([0.0, 0.01, 0.5, 1.0, 2.5, 10.0]))
def test_mbr_f_equals_enumeration(pairs, expected):
    spans, probs = split(pairs)
    chosen = mbr_f(spans, probs, expected)
    check_disjoint_and_in_order(spans, chosen)
    best = max(f_score(probs, subset, expected) for subset in disjoint_subsets(spans))
    assert f_score(probs, chosen, expected) == pytest.approx(best, abs=1e-14)


def test_mbr_f_differs_from_the_set_with_the_most_probability():
    spans, probs = [(0, 1, 0), (1, 2, 0), (2, 3, 0)], np.array([0.9, 0.2, 0.4])
    assert mbr(spans, probs, 0.0).tolist() == [0, 1, 2]
    assert mbr_f(spans, probs, 1.5).tolist() == [0, 2]  # 0.743, against 0.667 for all and 0.72 for the first


@pytest.mark.parametrize("choose", [best_disjoint, lambda s, p: mbr(s, p, 0.5), lambda s, p: mbr_f(s, p, 0.0)])
@pytest.mark.parametrize("spans", [[], np.zeros((0, 3), int)])
def test_mbr_of_nothing_is_nothing(choose, spans):
    assert choose(spans, np.zeros(0)).tolist() == []


@pytest.mark.parametrize("choose", [best_disjoint, lambda s, p: mbr(s, p, 0.0), lambda s, p: mbr_f(s, p, 1.0)])
def test_mbr_chooses_no_span_of_probability_zero(choose):
    assert choose([(0, 1, 0), (1, 2, 0)], np.zeros(2)).tolist() == []


def test_mbr_does_not_mutate_its_inputs():
    spans, probs = np.array([(0, 2, 0), (1, 3, 0)]), np.array([0.5, 0.25])
    mbr(spans, probs, 0.1), mbr_f(spans, probs, 1.0)
    assert spans.tolist() == [[0, 2, 0], [1, 3, 0]]
    assert probs.tolist() == [0.5, 0.25]


@pytest.mark.parametrize("name", ["bio3", "biluo3"])
def test_mbr_at_half_chooses_the_spans_above_half(name):
    # No two spans above one half overlap: they exclude each other.
    grammar = BY_NAME[name]
    for result in posterior(random_chains(np.random.default_rng(1), grammar, [30, 12], 2.0), grammar):
        spans, log_probs = spans_above(result, 1e-3)
        chosen = mbr(spans, np.exp(log_probs), 0.5)
        assert spans[chosen].tolist() == spans_above(result, 0.5 + 1e-12)[0].tolist()
        assert len(mbr_f(spans, np.exp(log_probs), expected_entities(result))) > 0
