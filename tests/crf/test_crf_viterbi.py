import numpy as np
import pytest
from crf_oracle import GRAMMARS, enumerate_paths, random_chains, random_masks

from spacy_ctxtag.crf import Chains, viterbi

LENGTHS = [3, 1, 5, 2, 0, 4, 5, 1, 3, 2, 4, 5] * 3


@pytest.mark.parametrize("name", GRAMMARS)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("scale", [1.0, 800.0])
def test_viterbi_equals_enumeration(name, masked, scale):
    rng = np.random.default_rng(5)
    grammar = GRAMMARS[name]
    chains = random_chains(rng, grammar, LENGTHS, scale)
    masks = random_masks(rng, name, LENGTHS) if masked else None
    paths = viterbi(chains, grammar, masks)
    for i, path in enumerate(paths):
        oracle = enumerate_paths(chains, i, name, masks and masks[i])
        np.testing.assert_array_equal(path, oracle.paths[oracle.scores.argmax()])
        assert path.dtype == np.intp


def test_viterbi_batch_equals_single_also_in_blocks():
    rng = np.random.default_rng(5)
    grammar = GRAMMARS["bio4"]
    chains = random_chains(rng, grammar, rng.integers(0, 12, 2000).tolist(), 0.5)
    for i, path in enumerate(viterbi(chains, grammar)):
        alone = Chains([chains.emissions[i]], chains.start, chains.transition, chains.end)
        np.testing.assert_array_equal(path, viterbi(alone, grammar)[0])


def test_viterbi_ties_take_the_lowest_tag_from_the_end():
    grammar = GRAMMARS["biluo2"]
    chains = Chains([np.zeros((4, 9))] * 2, np.zeros(9), np.zeros((9, 9)), np.zeros(9))
    assert [path.tolist() for path in viterbi(chains, grammar)] == [[0, 0, 0, 0]] * 2


def test_viterbi_of_nothing():
    grammar = GRAMMARS["none"]
    chains = Chains([], np.zeros(1), np.zeros((1, 1)), np.zeros(1))
    assert viterbi(chains, grammar) == []


def test_viterbi_refuses_a_sequence_without_a_path():
    grammar = GRAMMARS["bio1"]
    chains = random_chains(np.random.default_rng(0), grammar, [2, 2])
    mask = np.zeros((2, 3), bool)
    mask[0, 0] = mask[1, 2] = True
    with pytest.raises(ValueError, match="Sequence 1 has no admissible path: no tag is possible at token 1"):
        viterbi(chains, grammar, [None, mask])
