"""Significance: all swaps and all draws of few documents can be enumerated; that is the oracle."""

from itertools import product

import numpy as np
import pytest

from spacy_ctxtag.evaluation.counts import f_score
from spacy_ctxtag.evaluation.significance import compare_counts


def runs(rng, n_runs, n_units, skill):
    gold = rng.integers(1, 5, n_units)
    hits = rng.binomial(gold, skill, (n_runs, n_units))
    predicted = hits + rng.integers(0, 3, (n_runs, n_units))
    return [np.stack([hits[r], predicted[r], gold], axis=-1) for r in range(n_runs)]


def pair(seed, n_runs=2, n_units=6):
    rng = np.random.default_rng(seed)
    a, b = runs(rng, n_runs, n_units, 0.5), runs(rng, n_runs, n_units, 0.8)
    for one, two in zip(a, b, strict=True):
        two[:, 2] = one[:, 2]
        two[:, 0] = np.minimum(two[:, 0], two[:, 2])
    return a, b


def mean_f(counts):
    return float(np.mean([f_score(each.sum(axis=0)) for each in counts]))


@pytest.mark.parametrize("seed", range(4))
def test_difference_is_that_of_the_mean_scores(seed):
    a, b = pair(seed)
    assert compare_counts(a, b, n_samples=99).difference == pytest.approx(mean_f(b) - mean_f(a), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_p_value_equals_enumeration_of_all_swaps(seed):
    a, b = pair(seed)
    observed, found = mean_f(b) - mean_f(a), []
    for swaps in product([False, True], repeat=6):
        where = np.array(swaps)[:, None]
        found.append(mean_f([np.where(where, x, y) for x, y in zip(a, b, strict=True)])
                     - mean_f([np.where(where, y, x) for x, y in zip(a, b, strict=True)]))  # fmt: skip
    found = np.array(found)
    tails = [(found >= observed - 1e-12).mean(), (found <= observed + 1e-12).mean()]
    assert compare_counts(a, b).p_value == pytest.approx(min(1.0, 2 * min(tails)), abs=0.02)


@pytest.mark.parametrize("seed", range(3))
def test_interval_equals_enumeration_of_all_draws(seed):
    a, b = pair(seed, n_units=5)
    draws = [list(draw) for draw in product(range(5), repeat=5)]
    found = np.array([mean_f([y[d] for y in b]) - mean_f([x[d] for x in a]) for d in draws])
    result = compare_counts(a, b)
    for edge, share in ((result.low, 0.025), (result.high, 0.975)):
        assert (found < edge - 1e-9).mean() - 0.01 <= share <= (found <= edge + 1e-9).mean() + 0.01


def test_equal_systems_do_not_differ():
    a, _ = pair(0)
    result = compare_counts(a, [each.copy() for each in a])
    assert (result.difference, result.low, result.high, result.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_seed_makes_it_repeatable():
    a, b = pair(1, n_units=40)
    assert compare_counts(a, b, n_samples=200, seed=3) == compare_counts(a, b, n_samples=200, seed=3)


@pytest.mark.parametrize("change", ["documents", "gold", "runs"])
def test_other_documents_are_refused(change):
    a, b = pair(2)
    if change == "documents":
        b = [each[:-1] for each in b]
    elif change == "gold":
        b[0][0, 2] += 1
    else:
        b = b[:1]
    with pytest.raises(ValueError, match="CT700"):
        compare_counts(a, b)
