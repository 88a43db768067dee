import numpy as np
import pytest
from crf_oracle import GRAMMARS, central_differences, flat_scores, random_chains, random_masks
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ctxtag.crf import Chains, local_smoothing, nll, posterior
from spacy_ctxtag.tags import constraint_mask, make_grammar


def make_case(seed, name, masked, scale=2.0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 6, 4)
    return random_chains(rng, GRAMMARS[name], lengths, scale), random_masks(rng, name, lengths, 0.5) if masked else None


def term(scores, mask):
    """The loss (float) and its gradient (T, K), token by token and tag by tag."""
    loss, gradient = 0.0, np.zeros(scores.shape)
    for t, row in enumerate(scores):
        tags = [k for k in range(len(row)) if mask is None or mask[t, k]]
        log_z = np.logaddexp.reduce(row[tags])
        for k in tags:
            loss -= (row[k] - log_z) / len(tags)
            gradient[t, k] = np.exp(row[k] - log_z) - 1 / len(tags)
    return loss, gradient


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from(sorted(GRAMMARS)), st.booleans(), st.sampled_from([0.1, 2.0, 30.0, 1e3]))
def test_loss_and_gradient_equal_the_definition(seed, name, masked, scale):
    chains, allowed = make_case(seed, name, masked, scale)
    losses, gradient = local_smoothing(chains, allowed)
    assert losses.shape == (4,)
    for i, scores in enumerate(chains.emissions):
        loss, slope = term(scores, allowed and allowed[i])
        np.testing.assert_allclose(losses[i], loss, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(gradient.emissions[i], slope, atol=1e-13)


@pytest.mark.parametrize("name", GRAMMARS)
@pytest.mark.parametrize("masked", [False, True])
def test_gradient_equals_central_differences(name, masked):
    chains, allowed = make_case(4, name, masked)
    _, gradient = local_smoothing(chains, allowed)
    found = central_differences(chains, lambda c: local_smoothing(c, allowed)[0].sum())
    assert name == "none" or np.abs(found).max() > 0.1
    np.testing.assert_allclose(flat_scores(gradient), found, atol=1e-6)


@pytest.mark.parametrize("offset", [-1e3, 0.0, 1e3])
def test_equal_scores_cost_the_least(offset):
    chains, _ = make_case(0, "bio4", False)
    flat = Chains([np.full((7, 9), offset)], chains.start, chains.transition, chains.end)
    losses, gradient = local_smoothing(flat)
    np.testing.assert_allclose(losses, 7 * np.log(9))
    np.testing.assert_allclose(gradient.emissions[0], 0, atol=1e-15)


def test_tags_that_are_not_allowed_play_no_part():
    chains, _ = make_case(0, "bio1", False)
    chains = Chains([np.array([[1.0, 1e3, 2.0], [5.0, -1e3, 7.0]])], chains.start, chains.transition, chains.end)
    mask = np.array([[True, False, True], [False, False, True]])
    losses, gradient = local_smoothing(chains, [mask])
    np.testing.assert_allclose(losses, [np.log1p(np.exp(1)) - 0.5])
    assert not gradient.emissions[0][~mask].any()
    assert not gradient.emissions[0][1].any()


def test_token_that_allows_no_tag_costs_nothing():
    chains, _ = make_case(0, "bio1", False)
    chains = Chains([np.ones((2, 3))], chains.start, chains.transition, chains.end)
    mask = np.array([[False] * 3, [True] * 3])
    losses, gradient = local_smoothing(chains, [mask])
    np.testing.assert_allclose(losses, [np.log(3)])
    assert not gradient.emissions[0][0].any()


def test_smoothing_bounds_the_confidence_that_training_reaches():
    grammar = make_grammar(["A"], "BIO")
    gold = [constraint_mask(grammar, [(1, 2, 0)], np.zeros(3, bool))]
    reached = []
    for weight in (0.0, 0.02, 0.2):
        scores, still = np.zeros((3, 3)), np.zeros((3, 3))
        for _ in range(600):
            chains = Chains([scores], still[0], still, still[0])
            slope = nll(chains, grammar, gold)[1].emissions[0]
            scores = scores - 3 * slope - 3 * weight * local_smoothing(chains)[1].emissions[0]
        reached.append(posterior(Chains([scores], still[0], still, still[0]), grammar)[0].tag_probs[1, 1])
    assert reached[0] > 0.999
    assert reached[0] > reached[1] + 0.002 > reached[2] + 0.02


@pytest.mark.parametrize("lengths", [[], [0, 0]])
def test_no_tokens(lengths):
    chains = random_chains(np.random.default_rng(0), GRAMMARS["bio4"], lengths)
    losses, gradient = local_smoothing(chains)
    assert losses.tolist() == [0.0] * len(lengths)
    assert [e.shape for e in gradient.emissions] == [(0, 9)] * len(lengths)
    assert not flat_scores(gradient).any()


def test_float32_emissions_are_computed_in_float64():
    chains = random_chains(np.random.default_rng(0), GRAMMARS["bio4"], [4])
    low = Chains([chains.emissions[0].astype(np.float32)], chains.start, chains.transition, chains.end)
    assert local_smoothing(low)[1].emissions[0].dtype == np.float64
    np.testing.assert_allclose(local_smoothing(low)[0], term(low.emissions[0].astype(float), None)[0], rtol=1e-12)


@pytest.mark.parametrize(
    ("emissions", "allowed", "message"),
    [
        (np.zeros((2, 4)), None, r"CT120.*emissions\[0\]"),
        (np.zeros((2, 3)), [], "CT120.*list of masks"),
        (np.zeros((2, 3)), [np.ones((3, 3), bool)], "CT120.*mask 0"),
        (np.array([[0.0] * 3, [0, np.nan, 0]]), None, "CT121.*sequence 0 .* token 1"),
    ],
)
def test_bad_input_is_refused(emissions, allowed, message):
    chains = Chains([emissions], np.zeros(3), np.zeros((3, 3)), np.zeros(3))
    with pytest.raises(ValueError, match=message):
        local_smoothing(chains, allowed)
