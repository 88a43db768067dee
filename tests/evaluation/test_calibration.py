"""Calibration against values computed by hand, grids, scikit-learn, and simulations of models that are right."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from spacy_ctxtag.crf import Chains, Posterior, nll, posterior, span_log_probs, spans_above, viterbi
from spacy_ctxtag.evaluation.calibration import (
    Fit,
    Options,
    Sample,
    cross_validate,
    entity_loss,
    fit,
    fit_temperature,
    least_risk,
    make_sample,
    sequence_loss,
    span_probs,
)
from spacy_ctxtag.evaluation.reliability import figures
from spacy_ctxtag.tags import constraint_mask, make_grammar, spans_to_tags, tags_to_spans

GRAMMAR = make_grammar(["per-son", "Örtlichkeit"], "BILUO")
K = len(GRAMMAR.tags)


def draw_path(rng: np.random.Generator, post: Posterior) -> list[int]:
    """A path from the model's own distribution: forward filtering, backward sampling."""
    path = [int(rng.choice(K, p=post.tag_probs[-1] / post.tag_probs[-1].sum()))]
    for log_alpha in post.log_alpha[-2::-1]:
        scores = log_alpha + post.transition[:, path[0]]
        weights = np.exp(scores - scores.max())
        path.insert(0, int(rng.choice(K, p=weights / weights.sum())))
    return path


def simulate(seed: int, *, size: int = 150, scale: float = 1.5, true: float = 1.0, docs: int = 50) -> Sample:
    """Sequences whose annotation is drawn from the model at the temperature `true`."""
    rng = np.random.default_rng(seed)
    emissions = [rng.normal(0, scale, (int(rng.integers(4, 20)), K)) for _ in range(size)]
    for each in emissions:
        each[:, 0] += 1.5 * scale
    chains = Chains(emissions, np.zeros(K), rng.normal(0, 0.5, (K, K)), np.zeros(K))
    gold = [tags_to_spans(GRAMMAR, draw_path(rng, each)) for each in posterior(chains.divided_by(true), GRAMMAR)]
    masks = [
        constraint_mask(GRAMMAR, spans, np.zeros(len(each), dtype=bool))
        for spans, each in zip(gold, emissions, strict=True)
    ]
    return make_sample(chains, GRAMMAR, masks, np.arange(size) % docs)


# Temperature


@pytest.mark.parametrize("best", [0.06, 0.3, 1.0, 1.7, 9.0, 19.0])
def test_fit_temperature_finds_the_minimum(best: float) -> None:
    assert fit_temperature(lambda t: (1 / t - 1 / best) ** 2 * t) == pytest.approx(best, rel=2e-3)


@pytest.mark.parametrize(("loss", "edge"), [(lambda t: t, 0.05), (lambda t: -t, 20.0)])
def test_fit_temperature_stays_in_its_range(loss: Any, edge: float) -> None:
    assert fit_temperature(loss) == pytest.approx(edge, rel=2e-3)


@pytest.mark.parametrize("loss", [lambda t: 0.0, lambda t: math.nan])
def test_fit_temperature_without_a_reason_is_1(loss: Any) -> None:
    assert fit_temperature(loss) == 1.0


def test_fit_temperature_of_a_loss_that_is_0_far_down_is_not_far_down() -> None:
    assert fit_temperature(lambda t: max(0.0, t - 0.5)) == pytest.approx(0.5, rel=2e-3)


@pytest.mark.parametrize("objective", ["sequences", "entities"])
def test_fit_temperature_equals_a_fine_grid_on_both_objectives(objective: str) -> None:
    sample = simulate(1, true=1.4, size=60)
    loss = (
        sequence_loss(sample.chains, GRAMMAR, sample.masks)
        if objective == "sequences"
        else entity_loss(sample.chains, GRAMMAR, sample.found, sample.hits)
    )
    grid = np.exp(np.linspace(math.log(0.5), math.log(4), 200))
    expected = grid[np.argmin([loss(t) for t in grid])]
    assert fit(sample, Options(objective)).temperature == fit_temperature(loss) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("objective", ["sequences", "entities"])
@pytest.mark.parametrize("true", [0.7, 1.0, 1.6])
def test_fit_temperature_finds_that_of_the_simulated_annotation(objective: str, true: float) -> None:
    assert fit(simulate(2, size=600, true=true), Options(objective)).temperature == pytest.approx(true, rel=0.2)


def test_entity_loss_is_biased_where_gold_entities_off_the_path_are_among_the_spans() -> None:
    sample = simulate(3, size=300)  # the model is right as it is
    spans = [sorted({*found, *gold}) for found, gold in zip(sample.found, sample.gold, strict=True)]
    hits = [span in gold for each, gold in zip(spans, sample.gold, strict=True) for span in each]
    assert fit_temperature(entity_loss(sample.chains, GRAMMAR, spans, hits)) > 1.3


def test_sequence_loss_is_the_mean_nll_and_convex_in_the_inverse_temperature() -> None:
    sample = simulate(4, size=40)
    loss = sequence_loss(sample.chains, GRAMMAR, sample.masks)
    assert loss(1.0) == pytest.approx(nll(sample.chains, GRAMMAR, sample.masks)[0].mean())
    assert loss(2.0) == pytest.approx(nll(sample.chains.divided_by(2.0), GRAMMAR, sample.masks)[0].mean())
    values = np.array([loss(1 / beta) for beta in np.linspace(0.1, 5, 40)])
    assert (np.diff(values, 2) > -1e-9).all()


def test_losses_do_not_depend_on_how_many_tokens_are_inferred_together(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = simulate(5, size=30)
    losses = []
    for tokens in (1, 50, 10**6):
        monkeypatch.setattr("spacy_ctxtag.evaluation.calibration._TOKENS", tokens)
        by_sequence = sequence_loss(sample.chains, GRAMMAR, sample.masks)(1.5)
        losses.append((by_sequence, entity_loss(sample.chains, GRAMMAR, sample.found, sample.hits)(1.5)))
    assert_allclose(losses, [losses[0]] * 3)


def test_losses_of_nothing_are_not_numbers() -> None:
    nothing = Chains([], np.zeros(K), np.zeros((K, K)), np.zeros(K))
    assert math.isnan(sequence_loss(nothing, GRAMMAR, [])(1.0))
    assert math.isnan(entity_loss(nothing, GRAMMAR, [], [])(1.0))
    empty = make_sample(nothing, GRAMMAR, [], np.zeros(0, dtype=np.intp))
    assert fit(empty, Options("entities", True, 0.9, 0.9))[:2] == (1.0, {})


def test_span_probs_are_those_of_the_divided_chains() -> None:
    sample = simulate(6, size=5)
    expected = [
        np.exp(span_log_probs(each, spans))
        for each, spans in zip(posterior(sample.chains.divided_by(1.7), GRAMMAR), sample.gold, strict=True)
    ]
    assert_allclose(span_probs(sample.chains, GRAMMAR, sample.gold, 1.7), np.concatenate(expected))


# Samples


def test_make_sample_compares_paths_with_what_is_annotated() -> None:
    chains = Chains([np.zeros((6, K)), np.zeros((3, K))], np.zeros(K), np.zeros((K, K)), np.zeros(K))
    for emissions, spans in zip(chains.emissions, ([(0, 2, 0), (3, 4, 1), (5, 6, 0)], [(0, 1, 1)]), strict=True):
        emissions[np.arange(len(emissions)), spans_to_tags(GRAMMAR, spans, len(emissions))] = 20.0
    free = np.arange(6) == 3  # the second entity is not annotated
    masks = [
        constraint_mask(GRAMMAR, [(0, 2, 0), (5, 6, 1)], free),
        constraint_mask(GRAMMAR, [(0, 2, 1)], np.zeros(3, dtype=bool)),
    ]
    sample = make_sample(chains, GRAMMAR, masks, np.arange(2))
    assert sample.found == [[(0, 2, 0), (5, 6, 0)], [(0, 1, 1)]]
    assert sample.gold == [[(0, 2, 0), (5, 6, 1)], [(0, 2, 1)]]
    assert_array_equal(sample.hits, [True, False, False])
    assert sample.labels == ["per-son", "per-son", "Örtlichkeit"]
    assert sample.n_gold == {"per-son": 1, "Örtlichkeit": 2}


@pytest.mark.parametrize("scheme", ["BIO", "BILUO"])
def test_make_sample_gives_back_the_annotation_of_both_schemes(scheme: str) -> None:
    grammar, rng = make_grammar(GRAMMAR.labels, scheme), np.random.default_rng(0)
    k = len(grammar.tags)
    emissions = [rng.normal(0, 2, (length, k)) for length in rng.integers(1, 30, 50)]
    chains = Chains(emissions, np.zeros(k), np.zeros((k, k)), np.zeros(k))
    gold = [tags_to_spans(grammar, path) for path in viterbi(chains, grammar)]
    masks = [
        constraint_mask(grammar, spans, np.zeros(len(each), dtype=bool))
        for spans, each in zip(gold, emissions, strict=True)
    ]
    sample = make_sample(chains, grammar, masks, np.arange(50))
    assert sample.gold == sample.found == gold
    assert sample.hits.all()


def test_make_sample_knows_labels_that_were_not_annotated() -> None:
    chains = Chains([np.zeros((2, K))], np.zeros(K), np.zeros((K, K)), np.zeros(K))
    chains.emissions[0][[0, 1], spans_to_tags(GRAMMAR, [(0, 1, 0), (1, 2, 1)], 2)] = 20.0
    mask = np.zeros((2, K), dtype=bool)
    mask[:, 0] = mask[:, 5:] = True  # outside, or of the second label, which was not annotated
    sample = make_sample(chains, GRAMMAR, [mask], np.zeros(1, dtype=np.intp))
    assert (sample.found, sample.gold) == ([[(0, 1, 0)]], [[]])
    assert_array_equal(sample.hits, [False])


def test_sample_take_keeps_what_belongs_together() -> None:
    sample = simulate(8, size=10, docs=4)
    part = sample.take(sample.groups == 1)
    assert [len(each) for each in part.chains.emissions] == [len(sample.masks[i]) for i in (1, 5, 9)]
    assert part.gold == [sample.gold[i] for i in (1, 5, 9)]
    assert part.found == [
        tags_to_spans(GRAMMAR, path) for path in viterbi(Chains(*part.chains.__dict__.values()), GRAMMAR)
    ]


# All of it


def test_fit_gives_what_the_options_ask_for() -> None:
    sample = simulate(9)
    assert fit(sample, Options())[1:] == ({}, {}, None)
    result = fit(sample, Options("entities", True, 0.8, 0.9))
    assert set(result.maps) == set(result.thresholds) == set(GRAMMAR.labels)
    probs, labels = result.probs(sample), np.array(sample.labels)
    kept, reports = result.keeps(sample, probs), result.reports(sample, probs)
    assert_allclose(probs, span_probs(sample.chains, GRAMMAR, sample.found, result.temperature))
    for label, each in result.thresholds.items():
        assert sample.hits[kept & (labels == label)].mean() == pytest.approx(each.precision)
        mapped = np.interp(probs[labels == label], *result.maps[label])
        assert_allclose(reports[labels == label], mapped)
    assert result.coverage_threshold is not None
    assert result.covers(sample).mean() == pytest.approx(0.9, abs=0.01)
    n_above = result.count_spans(sample, result.coverage_threshold)
    assert n_above >= result.covers(sample).sum()
    assert n_above == sum(
        len(spans_above(each, result.coverage_threshold)[0])
        for each in posterior(sample.chains.divided_by(result.temperature), GRAMMAR)
    )


def test_fit_refuses_an_unknown_objective() -> None:
    with pytest.raises(ValueError, match="CT304"):
        fit(simulate(0, size=2), Options("tokens"))


@pytest.mark.parametrize("true", [0.5, 2.0])
def test_fit_mends_what_is_wrong_on_new_data(true: float) -> None:
    result, new = fit(simulate(10, size=300, true=true), Options()), simulate(11, size=300, true=true)
    before, after = (figures(each.probs(new), new.hits) for each in (Fit(), result))
    assert after["ece"] < before["ece"]
    assert after["log_loss"] < before["log_loss"]
    assert after["brier"] < before["brier"]


def test_cross_validate_scores_each_document_with_a_fit_of_the_others() -> None:
    sample, options = simulate(12, size=60, docs=5), Options(maps=True, target=0.8, coverage=0.9)
    held = cross_validate(sample, options)
    assert held is not None
    assert len(held.temperatures) == 5
    of_found = np.repeat(sample.groups, [len(spans) for spans in sample.found])
    of_gold = np.repeat(sample.groups, [len(spans) for spans in sample.gold])
    for doc in range(5):
        others, rest = fit(sample.take(sample.groups != doc), options), sample.take(sample.groups == doc)
        probs = others.probs(rest)
        assert_allclose(held.scores[of_found == doc], others.reports(rest, probs))
        assert_array_equal(held.kept[of_found == doc], others.keeps(rest, probs))
        assert_array_equal(held.covered[of_gold == doc], others.covers(rest))


def test_cross_validate_takes_what_is_found_at_the_temperature_of_the_fold() -> None:
    best = simulate(12, size=60, docs=5, true=2.0)
    sample = make_sample(best.chains, GRAMMAR, best.masks, best.groups, least_risk(0.3))
    held, options = cross_validate(sample, Options(target=0.8)), Options(target=0.8)
    assert held is not None
    assert held.sample.found != sample.found
    assert len(held.scores) == len(held.kept) == len(held.sample.hits) == len(held.sample.labels)
    of_found = np.repeat(sample.groups, [len(spans) for spans in held.sample.found])
    for doc in range(5):
        others = fit(sample.take(sample.groups != doc), options)
        rest = sample.take(sample.groups == doc).at(others.temperature)
        assert rest.found == held.sample.take(sample.groups == doc).found
        assert_allclose(held.scores[of_found == doc], others.probs(rest))
        assert_array_equal(held.kept[of_found == doc], others.keeps(rest, others.probs(rest)))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_sample_of_least_risk_has_the_spans_that_are_worth_their_cost(temperature: float) -> None:
    best = simulate(15, size=20)
    sample = make_sample(best.chains, GRAMMAR, best.masks, best.groups, least_risk(0.3)).at(temperature)
    for found, each in zip(sample.found, posterior(best.chains.divided_by(temperature), GRAMMAR), strict=True):
        spans, log_probs = spans_above(each, 1e-6)
        worth = dict(zip(map(tuple, spans.tolist()), np.exp(log_probs) - 0.3, strict=True))
        assert sum(worth[span] for span in found) == pytest.approx(most(list(worth.items()), 0))
    assert best.at(temperature) is best  # of the best path


def most(worth: list[tuple[Any, float]], start: int) -> float:
    """The greatest sum of spans without overlap from a token on, by trying all."""
    rest = [(span, value) for span, value in worth if span[0] >= start and value > 0]
    return max((value + most(rest, span[1]) for span, value in rest), default=0.0)


def test_cross_validate_coverage_is_what_was_asked_for() -> None:
    held = cross_validate(simulate(13, size=400), Options(coverage=0.9))
    assert held is not None
    assert held.covered.mean() == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize(("docs", "folds"), [(1, None), (2, 2), (3, 3), (7, 5)])
def test_cross_validate_has_no_more_folds_than_documents(docs: int, folds: int | None) -> None:
    held = cross_validate(simulate(14, size=14, docs=docs), Options())
    assert (None if held is None else len(held.temperatures)) == folds
