import numpy as np
import pytest
from crf_oracle import (
    GRAMMARS,
    central_difference,
    central_differences,
    enumerate_paths,
    flat_scores,
    path_counts,
    random_chains,
    random_masks,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ctxtag.crf import Chains, entity_ratio_loss, posterior
from spacy_ctxtag.tags import constraint_mask, make_grammar


def make_case(seed, name, masked, scale=1.0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 5, 4)
    lengths[rng.integers(4)] = 3
    chains = random_chains(rng, GRAMMARS[name], lengths, scale)
    return chains, random_masks(rng, name, lengths, 0.8) if masked else None


def enumerated(chains, name, ratio, margin, allowed):
    """The loss, its derivative in the scores as the covariance of two counts over all paths, and the ratio found."""
    k, tokens = len(GRAMMARS[name].tags), sum(map(len, chains.emissions))
    expected, parts = 0.0, []
    for i in range(len(chains.emissions)):
        found = enumerate_paths(chains, i, name, allowed and allowed[i])
        inside = np.count_nonzero(found.paths, axis=1)  # (paths,) tokens that are not O
        mean = inside @ found.probs
        expected += mean / tokens
        parts.append(path_counts(found.paths, found.probs * (inside - mean) / tokens, k))
    gradient = flat_scores(Chains([p[0] for p in parts], *(sum(p[n] for p in parts) for n in (1, 2, 3))))
    loss = max(0.0, abs(ratio - expected) - margin)
    return loss, gradient * np.sign(expected - ratio) * (loss > 0), expected


@settings(max_examples=60)
@given(
    st.integers(0, 10**6),
    st.sampled_from(sorted(GRAMMARS)),
    st.booleans(),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    st.sampled_from([0.0, 0.1, 0.6]),
    st.sampled_from([0.3, 2.0, 8.0]),
)
def test_loss_and_gradient_equal_enumeration(seed, name, masked, ratio, margin, scale):
    chains, allowed = make_case(seed, name, masked, scale)
    loss, gradient = entity_ratio_loss(chains, GRAMMARS[name], ratio, margin, allowed)
    expected, slope, _ = enumerated(chains, name, ratio, margin, allowed)
    np.testing.assert_allclose(loss, expected, atol=1e-12)
    np.testing.assert_allclose(flat_scores(gradient), slope, atol=1e-9)


@pytest.mark.parametrize("name", ["bio4", "biluo2", "bio1"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("ratio", [0.02, 0.98])
def test_gradient_equals_central_differences(name, masked, ratio):
    chains, allowed = make_case(3, name, masked)
    _, gradient = entity_ratio_loss(chains, GRAMMARS[name], ratio, 0.01, allowed)
    found = central_differences(chains, lambda c: entity_ratio_loss(c, GRAMMARS[name], ratio, 0.01, allowed)[0])
    assert np.abs(found).max() > 0.01
    np.testing.assert_allclose(flat_scores(gradient), found, atol=1e-6)


def test_gradient_of_a_long_batch_equals_a_central_difference():
    grammar, rng = make_grammar(["A", "B", "C"], "BILUO"), np.random.default_rng(4)
    chains = random_chains(rng, grammar, [40, 0, 90, 12])
    _, gradient = entity_ratio_loss(chains, grammar, 0.05, 0.02)
    direction = rng.normal(size=len(flat_scores(chains)))
    found = central_difference(chains, lambda c: entity_ratio_loss(c, grammar, 0.05, 0.02)[0], direction)
    assert abs(found) > 1e-3
    np.testing.assert_allclose(flat_scores(gradient) @ direction, found, atol=1e-6)


def test_gradient_where_all_tokens_depend_on_one():
    # One label, strong O-O, B-I and I-I: nearly all of the 60 tokens are in one entity, or nearly all outside.
    grammar, tokens = GRAMMARS["bio1"], 60
    moves = np.array([[6.0, 0, 0], [0, 0, 6], [0, 0, 6]])
    emissions = np.tile([0.0, -20.0, 0.0], (tokens, 1))
    emissions[0, 1] = 0.0
    chains = Chains([emissions], np.zeros(3), moves, np.zeros(3))
    _, gradient = entity_ratio_loss(chains, grammar, 0.1, 0.05)
    found = [0.0, 0.0]
    for n, step in enumerate((1e-3, 5e-4)):  # Richardson's extrapolation
        for sign in (1, -1):
            emissions = chains.emissions[0].copy()
            emissions[tokens // 2, 0] += sign * step
            nudged = Chains([emissions], chains.start, moves, chains.end)
            found[n] += sign * entity_ratio_loss(nudged, grammar, 0.1, 0.05)[0] / (2 * step)
    assert abs(found[1]) > 0.1
    np.testing.assert_allclose(gradient.emissions[0][tokens // 2, 0], (4 * found[1] - found[0]) / 3, atol=1e-6)


@pytest.mark.parametrize("name", ["bio4", "biluo2", "bio1"])
@pytest.mark.parametrize("seed", range(4))
def test_extreme_scores_equal_enumeration(name, seed):
    chains, allowed = make_case(seed, name, seed % 2 > 0, scale=1e3)
    chains.emissions[0] = np.zeros_like(chains.emissions[0])  # something is open still
    for ratio in (0.0, 1.0):
        loss, gradient = entity_ratio_loss(chains, GRAMMARS[name], ratio, 0.0, allowed)
        expected, slope, _ = enumerated(chains, name, ratio, 0.0, allowed)
        np.testing.assert_allclose(loss, expected, atol=1e-9)
        np.testing.assert_allclose(flat_scores(gradient), slope, atol=1e-6)


@pytest.mark.parametrize("masked", [False, True])
def test_loss_begins_at_the_margin_on_both_sides(masked):
    chains, allowed = make_case(6, "biluo2", masked)
    *_, found = enumerated(chains, "biluo2", 0.5, 0.0, allowed)
    assert 0.3 < found < 0.9
    for side in (-1, 1):
        inside, gradient = entity_ratio_loss(chains, GRAMMARS["biluo2"], found + side * 0.04, 0.05, allowed)
        assert inside == 0.0
        assert not flat_scores(gradient).any()
        outside, gradient = entity_ratio_loss(chains, GRAMMARS["biluo2"], found + side * 0.06, 0.05, allowed)
        assert outside == pytest.approx(0.01)
        assert np.sign(gradient.emissions[-1][:, 0].sum() + sum(e[:, 0].sum() for e in gradient.emissions)) == side


def test_gradient_moves_the_ratio_into_the_margin():
    grammar = make_grammar(["A"], "BIO")
    known = [constraint_mask(grammar, [(1, 3, 0)], np.ones(20, bool))]
    scores, still = np.zeros((20, 3)), np.zeros((3, 3))
    for _ in range(300):
        loss, gradient = entity_ratio_loss(Chains([scores], still[0], still, still[0]), grammar, 0.2, 0.02, known)
        scores = scores - 5 * gradient.emissions[0]
    assert loss < 1e-3
    share = 1 - posterior(Chains([scores], still[0], still, still[0]), grammar, known)[0].tag_probs[:, 0].mean()
    assert 0.17 < share < 0.23


def test_gradient_of_forbidden_tags_and_moves_is_exactly_zero():
    grammar = GRAMMARS["biluo2"]
    chains, allowed = make_case(2, "biluo2", True)
    loss, gradient = entity_ratio_loss(chains, grammar, 0.0, 0.0, allowed)
    assert loss > 0
    assert gradient.transition.any()
    assert not gradient.transition[~grammar.transition].any()
    assert not gradient.start[~grammar.start].any()
    assert not gradient.end[~grammar.end].any()
    for mask, part in zip(allowed, gradient.emissions, strict=True):
        assert mask is None or not part[~mask].any()


@pytest.mark.parametrize("name", GRAMMARS)
@pytest.mark.parametrize("lengths", [[], [0, 0]])
def test_batch_without_tokens_costs_nothing(name, lengths):
    chains = random_chains(np.random.default_rng(0), GRAMMARS[name], lengths)
    loss, gradient = entity_ratio_loss(chains, GRAMMARS[name], 0.5, 0.0)
    assert loss == 0.0
    assert [e.shape for e in gradient.emissions] == [e.shape for e in chains.emissions]
    assert not flat_scores(gradient).any()


@pytest.mark.parametrize(
    ("ratio", "margin", "name"),
    [(-0.1, 0, "ratio"), (1.1, 0, "ratio"), (np.nan, 0, "ratio"), (0.1, -1, "margin"), (0.1, 2, "margin")],
)
def test_shares_out_of_range_are_refused(ratio, margin, name):
    chains = random_chains(np.random.default_rng(0), GRAMMARS["bio1"], [2])
    with pytest.raises(ValueError, match=f"CT129.*{name} is"):
        entity_ratio_loss(chains, GRAMMARS["bio1"], ratio, margin)
