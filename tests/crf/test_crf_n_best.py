from itertools import pairwise

import numpy as np
import pytest
from crf_oracle import BY_NAME, SIZED, enumerate_paths, legal_paths, random_chains, random_masks
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ctxtag.crf import Chains, n_best, posterior, viterbi

batches = st.fixed_dictionaries(
    {
        "name": st.sampled_from(sorted(SIZED)),
        "lengths": st.lists(st.integers(0, 6), max_size=5),
        "size": st.sampled_from([0.0, 1.0, 30.0, 1e4]),
        "whole": st.booleans(),  # whole numbers: many ties, and sums that are exact
        "masked": st.booleans(),
        "seed": st.integers(0, 2**32 - 1),
    }
)


def make(name, lengths, size, whole, masked, seed):
    rng = np.random.default_rng(seed)
    chains = random_chains(rng, BY_NAME[name], lengths, min(size, 3.0) if whole else size)
    if whole:
        emissions = [e.round() for e in chains.emissions]
        chains = Chains(emissions, chains.start.round(), chains.transition.round(), chains.end.round())
    return chains, random_masks(rng, name, lengths) if masked else None


def score_of(chains, i, path):
    score = chains.emissions[i][np.arange(len(path)), path].sum() + chains.transition[path[:-1], path[1:]].sum()
    return score + (chains.start[path[0]] + chains.end[path[-1]] if len(path) else 0.0)


@settings(max_examples=150, deadline=None)
@given(batch=batches, k=st.integers(1, 12))
def test_n_best_equals_enumeration(batch, k):
    chains, masks = make(**batch)
    name = batch["name"]
    results = n_best(chains, BY_NAME[name], k, masks)
    assert len(results) == len(chains.emissions)
    for i, result in enumerate(results):
        oracle = enumerate_paths(chains, i, name, masks and masks[i])
        expected = np.sort(oracle.scores)[::-1][:k]
        legal = set(map(tuple, oracle.paths.tolist()))
        paths, scores = [tuple(path.tolist()) for path, _ in result], [score for _, score in result]
        assert len(set(paths)) == len(paths) == len(expected)
        assert legal.issuperset(paths)
        assert all(a >= b for a, b in pairwise(scores))
        tolerance = {"rtol": 0, "atol": 0 if batch["whole"] else 1e-13 * max(1.0, batch["size"]) * 50}
        np.testing.assert_allclose(scores, expected, **tolerance)
        np.testing.assert_allclose([score_of(chains, i, path) for path, _ in result], scores, **tolerance)


@settings(max_examples=100, deadline=None)
@given(batch=batches, k=st.integers(1, 4))
def test_first_of_n_best_is_the_path_of_viterbi(batch, k):
    chains, masks = make(**batch)
    grammar = BY_NAME[batch["name"]]
    best = viterbi(chains, grammar, masks)
    for expected, result in zip(best, n_best(chains, grammar, k, masks), strict=True):
        np.testing.assert_array_equal(result[0][0], expected)


@settings(max_examples=60, deadline=None)
@given(batch=batches, k=st.integers(1, 6))
def test_n_best_batch_equals_single_and_a_longer_list_goes_on(batch, k):
    chains, masks = make(**batch)
    grammar = BY_NAME[batch["name"]]
    longer = n_best(chains, grammar, k + 3, masks)
    for i, together in enumerate(n_best(chains, grammar, k, masks)):
        alone = Chains([chains.emissions[i]], chains.start, chains.transition, chains.end)
        (single,) = n_best(alone, grammar, k, masks and [masks[i]])
        plain = [(path.tolist(), score) for path, score in together]
        assert plain == [(path.tolist(), score) for path, score in single]
        assert plain == [(path.tolist(), score) for path, score in longer[i][:k]]


@pytest.mark.parametrize("name", ["bio2", "biluo2"])
def test_n_best_ties_take_the_lowest_tags_from_the_end(name):
    grammar = BY_NAME[name]
    k = len(grammar.tags)
    chains = Chains([np.zeros((4, k))] * 2, np.zeros(k), np.zeros((k, k)), np.zeros(k))
    expected = sorted(legal_paths(name, 4).tolist(), key=lambda path: path[::-1])
    for result in n_best(chains, grammar, 7):
        assert [path.tolist() for path, _ in result] == expected[:7]
        assert [score for _, score in result] == [0.0] * 7


def forward_lists(chains, grammar, n):
    """The n highest scores, by lists of the n best beginnings for each tag."""
    (phi,) = chains.emissions
    ids = range(len(grammar.tags))
    lists = [[phi[0, j] + chains.start[j]] if grammar.start[j] else [] for j in ids]
    for row in phi[1:]:
        moves = [[s + chains.transition[i, j] for i in ids if grammar.transition[i, j] for s in lists[i]] for j in ids]
        lists = [sorted((s + row[j] for s in moves[j]), reverse=True)[:n] for j in ids]
    return sorted((s + chains.end[j] for j in ids if grammar.end[j] for s in lists[j]), reverse=True)[:n]


@pytest.mark.parametrize("name", ["bio3", "biluo3"])
def test_n_best_of_a_long_chain_equals_forward_lists(name):
    grammar = BY_NAME[name]
    chains = random_chains(np.random.default_rng(2), grammar, [200], 0.3)
    (result,) = n_best(chains, grammar, 8)
    np.testing.assert_allclose([score for _, score in result], forward_lists(chains, grammar, 8), rtol=1e-12)
    assert len({tuple(path.tolist()) for path, _ in result}) == 8


def test_n_best_of_more_rows_than_a_block_equals_single(monkeypatch):
    monkeypatch.setattr("spacy_ctxtag.crf.chains.BLOCK", 500)
    rng = np.random.default_rng(5)
    grammar = BY_NAME["bio3"]
    chains = random_chains(rng, grammar, rng.integers(0, 5, 100).tolist(), 0.5)
    results = n_best(chains, grammar, 3)
    for i in range(100):
        alone = Chains([chains.emissions[i]], chains.start, chains.transition, chains.end)
        (single,) = n_best(alone, grammar, 3)
        assert [(p.tolist(), s) for p, s in results[i]] == [(p.tolist(), s) for p, s in single]


def test_scores_of_all_paths_sum_to_log_z():
    grammar = BY_NAME["biluo1"]
    chains = random_chains(np.random.default_rng(0), grammar, [4, 3])
    for result, paths in zip(posterior(chains, grammar), n_best(chains, grammar, 1000), strict=True):
        assert sum(np.exp(score - result.log_z) for _, score in paths) == pytest.approx(1.0, abs=1e-12)


def test_n_best_types():
    grammar = BY_NAME["bio1"]
    ((path, score), *_), ((empty, nothing),) = n_best(
        random_chains(np.random.default_rng(0), grammar, [3, 0]), grammar, 2
    )
    assert path.dtype == empty.dtype == np.intp
    assert path.shape == (3,)
    assert empty.shape == (0,)
    assert type(score) is float
    assert nothing == 0.0


def test_n_best_of_nothing():
    grammar = BY_NAME["none"]
    chains = Chains([], np.zeros(1), np.zeros((1, 1)), np.zeros(1))
    assert n_best(chains, grammar, 3) == []


def test_n_best_without_labels_is_one_path():
    grammar = BY_NAME["none"]
    ((only,),) = n_best(random_chains(np.random.default_rng(0), grammar, [3]), grammar, 5)
    assert only[0].tolist() == [0, 0, 0]


def test_n_best_does_not_mutate_its_inputs():
    grammar, rng = BY_NAME["bio2"], np.random.default_rng(0)
    chains, masks = random_chains(rng, grammar, [4, 2]), random_masks(rng, "bio2", [4, 2])
    arrays = [*chains.emissions, chains.start, chains.transition, chains.end, *masks]
    copies = [array.copy() for array in arrays]
    n_best(chains, grammar, 3, masks)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("k", [0, -1])
def test_n_best_refuses_no_paths(k):
    grammar = BY_NAME["bio1"]
    with pytest.raises(ValueError, match=r"\[CT124\] n_best: k is"):
        n_best(random_chains(np.random.default_rng(0), grammar, [2]), grammar, k)


def test_n_best_refuses_a_sequence_without_a_path():
    grammar = BY_NAME["bio1"]
    mask = np.zeros((2, 3), bool)
    mask[0, 0] = mask[1, 2] = True
    with pytest.raises(ValueError, match="Sequence 1 has no admissible path: no tag is possible at token 1"):
        n_best(random_chains(np.random.default_rng(0), grammar, [2, 2]), grammar, 2, [None, mask])
