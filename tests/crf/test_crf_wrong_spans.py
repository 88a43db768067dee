import numpy as np
import pytest
from crf_oracle import (
    GRAMMARS,
    central_difference,
    central_differences,
    enumerate_paths,
    flat_scores,
    path_counts,
    path_spans,
    random_chains,
    random_masks,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ctxtag.crf import Chains, posterior, span_log_probs, wrong_span_nll
from spacy_ctxtag.tags import constraint_mask, make_grammar

LABELLED = ["bio4", "biluo2", "bio1"]


def random_spans(rng, grammar, lengths, count):
    spans = []
    for i in rng.choice(np.flatnonzero(lengths), count):
        start, end = np.sort(rng.choice(lengths[i] + 1, 2, replace=False))
        spans.append((int(i), int(start), int(end), int(rng.integers(len(grammar.labels)))))
    return spans


def enumerated(chains, name, spans, allowed=None):
    """Losses (M,) and the gradient of their sum as one vector, from all paths, those with and without the span."""
    grammar, k = GRAMMARS[name], len(GRAMMARS[name].tags)
    losses, emissions = np.zeros(len(spans)), [np.zeros(e.shape) for e in chains.emissions]
    start, transition, end = np.zeros(k), np.zeros((k, k)), np.zeros(k)
    for m, (i, *span) in enumerate(spans):
        found = enumerate_paths(chains, i, name, allowed and allowed[i])
        holds = np.array([tuple(span) in path_spans(grammar, path) for path in found.paths], bool)
        if holds.any() and not holds.all():
            inside, rest = np.logaddexp.reduce(found.scores[holds]), np.logaddexp.reduce(found.scores[~holds])
            p = np.exp(inside - found.log_z)
            losses[m] = -np.log1p(-p) if p < 0.5 else found.log_z - rest
            weights = p * np.where(holds, 1, -1) * np.exp(found.scores - np.where(holds, inside, rest))
            parts = path_counts(found.paths, weights, k)
            for total, part in zip((emissions[i], start, transition, end), parts, strict=True):
                total += part
    return losses, flat_scores(Chains(emissions, start, transition, end))


def make_case(seed, name, masked, scale=2.0, count=8):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 5, 4)
    lengths[rng.integers(4)] = 4
    chains = random_chains(rng, GRAMMARS[name], lengths, scale)
    allowed = random_masks(rng, name, lengths, density=0.8) if masked else None
    return chains, random_spans(rng, GRAMMARS[name], lengths, count), allowed


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from(LABELLED), st.booleans(), st.sampled_from([0.5, 2.0]))
def test_loss_and_gradient_equal_enumeration(seed, name, masked, scale):
    chains, spans, allowed = make_case(seed, name, masked, scale)
    losses, gradient = wrong_span_nll(chains, GRAMMARS[name], spans, allowed)
    expected, slope = enumerated(chains, name, spans, allowed)
    np.testing.assert_allclose(losses, expected, rtol=1e-9, atol=0)
    np.testing.assert_allclose(flat_scores(gradient), slope, atol=1e-10)


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize("masked", [False, True])
def test_gradient_equals_central_differences(name, masked):
    chains, spans, allowed = make_case(5, name, masked, scale=1.0)
    _, gradient = wrong_span_nll(chains, GRAMMARS[name], spans, allowed)
    found = central_differences(chains, lambda c: wrong_span_nll(c, GRAMMARS[name], spans, allowed)[0].sum())
    assert np.abs(found).max() > 0.1
    np.testing.assert_allclose(flat_scores(gradient), found, atol=1e-6)


@pytest.mark.parametrize("scheme", ["BIO", "BILUO"])
def test_probabilities_are_those_of_the_spans(scheme):
    grammar = make_grammar(["A", "B"], scheme)
    chains = random_chains(np.random.default_rng(3), grammar, [60, 40], scale=1.0)
    spans = [(1, 0, 1, 0), (0, 10, 50, 1), (0, 0, 60, 0), (1, 38, 40, 1), (1, 17, 20, 0), (1, 17, 20, 0)]
    losses, _ = wrong_span_nll(chains, grammar, spans)
    results = posterior(chains, grammar)
    expected = [-np.log1p(-np.exp(span_log_probs(results[i], [span])[0])) for i, *span in spans]
    np.testing.assert_allclose(losses, expected, rtol=1e-10)


def one_path(name, margin):
    """A chain in which every tag of the path that holds (1, 3, 0) has so much more than the others of its token."""
    grammar = GRAMMARS[name]
    chains = random_chains(np.random.default_rng(6), grammar, [5 if name == "bio1" else 4], scale=0.5)
    path = [0, grammar.tag_index("B"), grammar.tag_index("L" if grammar.scheme == "BILUO" else "I"), 0, 0]
    chains.emissions[0][np.arange(len(chains.emissions[0])), path[: len(chains.emissions[0])]] += margin
    return chains


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize("margin", [3.0, 9.0, 14.0, 20.0, 40.0, 300.0, 1e3, 1e5])
def test_error_of_which_the_model_is_certain_keeps_its_gradient(name, margin):
    chains = one_path(name, margin)
    losses, gradient = wrong_span_nll(chains, GRAMMARS[name], [(0, 1, 3, 0)])
    expected, slope = enumerated(chains, name, [(0, 1, 3, 0)])
    assert losses[0] > margin - 5
    assert np.abs(slope[: chains.emissions[0].size]).max() > 0.3
    np.testing.assert_allclose(losses, expected, rtol=1e-9)
    np.testing.assert_allclose(flat_scores(gradient), slope, atol=1e-9 * max(1, margin))


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize("margin", [-3.0, -30.0, -300.0, -1e3])
def test_span_of_tiny_probability_costs_that_probability(name, margin):
    chains = one_path(name, margin)
    losses, gradient = wrong_span_nll(chains, GRAMMARS[name], [(0, 1, 3, 0)])
    log_p = span_log_probs(posterior(chains, GRAMMARS[name])[0], [(1, 3, 0)])
    np.testing.assert_allclose(losses, -np.log1p(-np.exp(log_p)), rtol=1e-9)
    _, slope = enumerated(chains, name, [(0, 1, 3, 0)])
    np.testing.assert_allclose(flat_scores(gradient), slope, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize("scale", [30.0, 1e3])
def test_extreme_scores_equal_enumeration(name, scale):
    rng, lengths = np.random.default_rng(2), np.array([4, 3, 4, 4])
    chains = random_chains(rng, GRAMMARS[name], lengths, scale)
    spans = random_spans(rng, GRAMMARS[name], lengths, 20)
    best = [result.tag_probs.argmax(axis=1) for result in posterior(chains, GRAMMARS[name])]
    spans += [(i, *span) for i, path in enumerate(best) for span in path_spans(GRAMMARS[name], path)]
    losses, gradient = wrong_span_nll(chains, GRAMMARS[name], spans)
    expected, slope = enumerated(chains, name, spans)
    assert losses.max() > scale / 10
    np.testing.assert_allclose(losses, expected, rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(flat_scores(gradient), slope, atol=1e-8)


def test_impossible_span_costs_nothing_and_changes_nothing():
    grammar = make_grammar(["A", "B"], "BIO")
    chains = random_chains(np.random.default_rng(0), grammar, [5, 5])
    mask = constraint_mask(grammar, [(1, 3, 0)], np.ones(5, bool))
    spans = [(0, 1, 2, 0), (0, 2, 3, 0), (0, 0, 5, 1), (0, 1, 4, 0)]  # none agrees with the entity that is set
    losses, gradient = wrong_span_nll(chains, grammar, spans, [mask, None])
    assert losses.tolist() == [0] * 4
    assert not flat_scores(gradient).any()
    _, alone = wrong_span_nll(chains, grammar, [(1, 0, 2, 1)], [mask, None])
    losses, both = wrong_span_nll(chains, grammar, [*spans, (1, 0, 2, 1)], [mask, None])
    np.testing.assert_allclose(flat_scores(both), flat_scores(alone), rtol=1e-12, atol=1e-15)
    assert losses[-1] > 0


def test_bio_entity_that_must_go_on_is_impossible():
    grammar = make_grammar(["A", "B"], "BIO")
    chains = random_chains(np.random.default_rng(0), grammar, [3])
    mask = np.ones((3, 5), bool)
    mask[1] = [False, False, True, False, True]  # token 1 continues an entity of one label or the other
    losses, _ = wrong_span_nll(chains, grammar, [(0, 0, 1, 0), (0, 0, 2, 0)], [mask])
    assert losses[0] == 0
    assert losses[1] > 0


def test_span_that_every_path_holds_has_no_gradient():
    grammar = make_grammar(["A", "B"], "BIO")
    chains = random_chains(np.random.default_rng(0), grammar, [7])
    mask = constraint_mask(grammar, [(1, 3, 0)], np.ones(7, bool))
    losses, gradient = wrong_span_nll(chains, grammar, [(0, 1, 3, 0)], [mask])
    assert losses.tolist() == [0]
    assert not flat_scores(gradient).any()


def test_terms_of_one_sequence_add_up():
    chains, spans, allowed = make_case(1, "biluo2", True)
    losses, gradient = wrong_span_nll(chains, GRAMMARS["biluo2"], spans, allowed)
    single = [wrong_span_nll(chains, GRAMMARS["biluo2"], [span], allowed) for span in spans]
    np.testing.assert_allclose(losses, np.concatenate([one for one, _ in single]), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(flat_scores(gradient), sum(flat_scores(g) for _, g in single), atol=1e-9)


def test_gradient_of_forbidden_tags_and_moves_is_exactly_zero():
    grammar = GRAMMARS["biluo2"]
    chains, spans, allowed = make_case(2, "biluo2", True)
    _, gradient = wrong_span_nll(chains, grammar, spans, allowed)
    assert gradient.transition.any()
    assert not gradient.transition[~grammar.transition].any()
    assert not gradient.start[~grammar.start].any()
    assert not gradient.end[~grammar.end].any()
    for mask, part in zip(allowed, gradient.emissions, strict=True):
        assert mask is None or not part[~mask].any()


def test_directional_derivative_of_a_long_batch():
    grammar, rng = make_grammar(["A", "B", "C"], "BILUO"), np.random.default_rng(4)
    lengths = np.array([40, 0, 70, 12])
    chains = random_chains(rng, grammar, lengths, scale=1.0)
    spans = np.array([(0, 3, 4, 1), (0, 3, 5, 1), (2, 69, 70, 0), (2, 0, 1, 2), (3, 5, 6, 2)])
    _, gradient = wrong_span_nll(chains, grammar, spans)
    direction = rng.normal(size=len(flat_scores(chains)))
    found = central_difference(chains, lambda c: wrong_span_nll(c, grammar, spans)[0].sum(), direction)
    assert abs(found) > 1e-3
    np.testing.assert_allclose(flat_scores(gradient) @ direction, found, atol=1e-6)


@pytest.mark.parametrize("name", GRAMMARS)
@pytest.mark.parametrize("lengths", [[], [0, 3]])
def test_no_spans(name, lengths):
    chains = random_chains(np.random.default_rng(0), GRAMMARS[name], lengths)
    losses, gradient = wrong_span_nll(chains, GRAMMARS[name], [])
    assert losses.shape == (0,)
    assert [e.shape for e in gradient.emissions] == [e.shape for e in chains.emissions]
    assert not flat_scores(gradient).any()


def test_sequence_without_a_path_is_named_and_others_are_not_looked_at():
    grammar = make_grammar(["A"], "BIO")
    chains = random_chains(np.random.default_rng(0), grammar, [3, 3, 3])
    blocked = np.ones((3, 3), bool)
    blocked[1] = False
    chains.emissions[1][:] = np.nan
    assert wrong_span_nll(chains, grammar, [(0, 0, 1, 0)], [None, None, blocked])[0] > 0
    with pytest.raises(ValueError, match="Sequence 2 has no admissible path: no tag is possible at token 1"):
        wrong_span_nll(chains, grammar, [(0, 0, 1, 0), (2, 0, 1, 0)], [None, None, blocked])


@pytest.mark.parametrize(
    ("span", "code"),
    [
        ((0, 1, 1, 0), "CT103"),
        ((0, 0, 4, 0), "CT103"),
        ((0, -1, 2, 0), "CT103"),
        ((0, 0, 1, 1), "CT103"),
        ((1, 0, 1, 0), "CT128"),
        ((-1, 0, 1, 0), "CT128"),
    ],
)
def test_span_out_of_range_is_refused(span, code):
    grammar = make_grammar(["A"], "BIO")
    with pytest.raises(ValueError, match=code):
        wrong_span_nll(random_chains(np.random.default_rng(0), grammar, [3]), grammar, [(0, 0, 1, 0), span])
