"""The divergence from a teacher, against enumeration of all paths and central differences."""

import numpy as np
import pytest
from crf_oracle import GRAMMARS, central_differences, enumerate_paths, flat_scores, random_chains, shifted

from spacy_ctxtag.crf import Chains, divergence, nll
from spacy_ctxtag.tags import constraint_mask, make_grammar

LENGTHS = [3, 1, 0, 4, 2, 3]


def make_case(name, scale=2.0):
    rng = np.random.default_rng(7)
    return [random_chains(rng, GRAMMARS[name], LENGTHS, scale) for _ in range(2)]


@pytest.mark.parametrize("name", GRAMMARS)
def test_divergence_equals_enumeration(name):
    chains, teacher = make_case(name)
    expected = 0.0
    for i in range(len(LENGTHS)):
        ours, theirs = (enumerate_paths(each, i, name) for each in (chains, teacher))
        log_ratio = (theirs.scores - theirs.log_z) - (ours.scores - ours.log_z)
        expected += float((theirs.probs * log_ratio).sum())
    assert divergence(chains, teacher, GRAMMARS[name])[0] == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", GRAMMARS)
def test_divergence_gradient_equals_central_differences(name):
    chains, teacher = make_case(name)
    _, gradient = divergence(chains, teacher, GRAMMARS[name])
    numeric = central_differences(chains, lambda moved: divergence(moved, teacher, GRAMMARS[name])[0])
    np.testing.assert_allclose(flat_scores(gradient), numeric, atol=2e-8)


@pytest.mark.parametrize("scale", [2.0, 600.0])  # the second is computed in log space
def test_divergence_from_itself_is_exactly_zero(scale):
    chains, _ = make_case("biluo2", scale)
    loss, gradient = divergence(chains, chains, GRAMMARS["biluo2"])
    assert loss == 0.0
    assert not flat_scores(gradient).any()


def test_divergence_of_scores_that_give_the_same_paths_is_zero():
    chains, _ = make_case("bio4")
    moved = Chains([scores + 3.0 for scores in chains.emissions], chains.start - 1.0, chains.transition, chains.end)
    loss, gradient = divergence(moved, chains, GRAMMARS["bio4"])
    assert loss == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(flat_scores(gradient), 0.0, atol=1e-12)


def test_divergence_gradient_of_forbidden_tags_and_moves_is_exactly_zero():
    grammar = GRAMMARS["biluo2"]
    _, gradient = divergence(*make_case("biluo2"), grammar)
    assert (gradient.transition[~grammar.transition] == 0).all()
    assert (gradient.start[~grammar.start] == 0).all()
    assert (gradient.end[~grammar.end] == 0).all()


def test_divergence_of_a_certain_teacher_is_the_likelihood_of_its_path():
    grammar = GRAMMARS["biluo2"]
    chains = random_chains(np.random.default_rng(0), grammar, [5])
    mask = constraint_mask(grammar, [(1, 3, 1)], np.zeros(5, bool))
    zeros = np.zeros_like(chains.transition)
    certain = Chains([np.where(mask, 300.0, 0.0)], zeros[0], zeros, zeros[0])
    (losses, gradient), (loss, found) = nll(chains, grammar, [mask]), divergence(chains, certain, grammar)
    assert loss == pytest.approx(losses[0])
    np.testing.assert_allclose(flat_scores(found), flat_scores(gradient), atol=1e-12)


def test_divergence_falls_along_its_gradient():
    chains, teacher = make_case("bio4")
    losses = []
    for _ in range(60):
        loss, gradient = divergence(chains, teacher, GRAMMARS["bio4"])
        losses.append(loss)
        chains = shifted(chains, -0.5 * flat_scores(gradient))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.05 * losses[0]


@pytest.mark.parametrize("lengths", [[], [3], [3, 2], [2, 3, 4]])
def test_divergence_from_other_sequences_is_refused(lengths):
    grammar = make_grammar(["A"], "BIO")
    rng = np.random.default_rng(0)
    chains = random_chains(rng, grammar, [3, 3])
    with pytest.raises(ValueError, match="CT120"):
        divergence(chains, random_chains(rng, grammar, lengths), grammar)


def test_divergence_of_nothing():
    grammar = make_grammar(["A"])
    empty = Chains([], np.zeros(5), np.zeros((5, 5)), np.zeros(5))
    loss, gradient = divergence(empty, empty, grammar)
    assert loss == 0.0
    assert not flat_scores(gradient).any()
