"""`ctx_ner`: the terms of its loss against enumeration of all analyses, and what training with them does."""

import io
import pickle
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from ner_oracle import Analysis, Case, Found, enumerate_analyses, span_probs, write_tags
from pipelines import ENTITY_LABELS, PERSON, PLACE, THING, entities, make_examples, make_pipeline, train
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from thinc.api import SGD, fix_random_seed

from spacy_ctxtag.crf import Chains
from spacy_ctxtag.data.joined import ANNOTATED_LABELS, create_joined_corpora_v1

Make = Callable[..., Language]
WORDS = Case("Frau Müller answered Ada Hamburg")
SPACES = Case("_ Frau _ Müller answered Ada _")
SENTENCES = Case("Ada _ wrote Blue Kettle London", starts=(3,))
cases = pytest.mark.parametrize("case", [WORDS, SPACES, SENTENCES], ids=["words", "spaces", "sentences"])
schemes = pytest.mark.parametrize("scheme", ["BIO", "BILUO"])
KEY = {"incorrect_spans_key": "wrong"}


def prepare(make: Make, scheme: str, case: Case, **settings: Any) -> tuple[Language, dict[Analysis, float]]:
    """RETURNS (tuple): A pipeline, and all analyses of a case with their probabilities."""
    nlp = make(scheme, within_sentences=bool(case.starts), **settings)
    return nlp, enumerate_analyses(nlp.get_pipe("ctx_ner"), case.make(nlp), starts=case.starts)


def make_example(nlp: Language, case: Case, gold: Sequence[Found] | None = (), wrong: Sequence[Found] = ()) -> Example:
    """RETURNS (Example): One whose entities are known, or not known at all for None, with wrong spans."""
    reference = case.make(nlp)
    if gold is not None:
        reference.set_ents([Span(reference, *found) for found in gold])
    reference.spans["wrong"] = [Span(reference, *found) for found in wrong]
    return Example(case.make(nlp), reference)


def with_tags(nlp: Language, words: str, tags: Sequence[str]) -> Example:
    """RETURNS (Example): One with tags as spaCy has them, "-" for unknown."""
    return Example.from_dict(Doc(nlp.vocab, words.split()), {"entities": list(tags)})


def loss_of(nlp: Language, *examples: Example) -> tuple[float, Chains]:
    pipe = nlp.get_pipe("ctx_ner")
    loss, gradient = pipe.get_loss(examples, pipe.model.predict([eg.predicted for eg in examples]))
    return loss, gradient


def clone(nlp: Language) -> Language:
    """RETURNS (Language): A pipeline that a test may change."""
    copied: Language = pickle.loads(pickle.dumps(nlp))
    return copied


def prob(nlp: Language, words: str, found: Found) -> float:
    doc = Doc(nlp.vocab, words.split())
    [score] = nlp.get_pipe("ctx_ner").score_spans(doc, [Span(doc, *found)])
    return score


def mass(analyses: dict[Analysis, float], agrees: Callable[[Analysis], bool]) -> float:
    return sum(p for analysis, p in analyses.items() if agrees(analysis))


# Spans that are known to be wrong


@schemes
@cases
@pytest.mark.parametrize("gold", [None, (), [(0, 1, PERSON)]], ids=["unknown", "none", "one"])
def test_wrong_spans_add_their_loss(scheme: str, case: Case, gold: Any, with_settings: Make) -> None:
    nlp, analyses = prepare(with_settings, scheme, case, **KEY)
    if gold and case is SPACES:
        gold = [(1, 2, PERSON)]
    wrong = [(3, 4, PLACE), (3, 5, PERSON), (3, 5, THING)]
    probs = span_probs(analyses)
    expected = -sum(np.log1p(-probs[found]) for found in wrong)
    expected -= 0.0 if gold is None else np.log(analyses[tuple(gold)])
    assert loss_of(nlp, make_example(nlp, case, gold, wrong))[0] == pytest.approx(expected, abs=1e-9)


@schemes
def test_wrong_spans_without_a_label_have_none(scheme: str, with_settings: Make) -> None:
    nlp, analyses = prepare(with_settings, scheme, WORDS, **KEY)
    expected = -sum(np.log1p(-span_probs(analyses)[1, 3, label]) for label in ENTITY_LABELS)
    assert loss_of(nlp, make_example(nlp, WORDS, None, [(1, 3, "")]))[0] == pytest.approx(expected, abs=1e-9)


def test_wrong_spans_of_other_labels_count_nothing(with_settings: Make) -> None:
    nlp = with_settings("BILUO", **KEY)
    assert loss_of(nlp, make_example(nlp, WORDS, None, [(1, 3, "UNKNOWN")]))[0] == 0.0


def test_wrong_spans_count_once(with_settings: Make) -> None:
    nlp = with_settings("BILUO", **KEY)
    once, twice = ([(1, 3, PERSON)] * count for count in (1, 2))
    assert loss_of(nlp, make_example(nlp, WORDS, (), once))[0] == loss_of(nlp, make_example(nlp, WORDS, (), twice))[0]


def test_wrong_spans_across_sentences_count_nothing(with_settings: Make) -> None:
    nlp = with_settings("BILUO", within_sentences=True, **KEY)
    assert loss_of(nlp, make_example(nlp, SENTENCES, None, [(2, 4, PERSON)]))[0] == 0.0


def test_wrong_spans_are_not_read_unless_asked_for(with_settings: Make) -> None:
    nlp = with_settings("BILUO")
    example = make_example(nlp, WORDS, None, [(1, 3, PERSON)])
    assert loss_of(nlp, example)[0] == 0.0
    assert not nlp.get_pipe("ctx_ner").is_annotated(example)


@schemes
def test_wrong_spans_are_aligned_with_the_tokens_or_left_out(scheme: str, with_settings: Make) -> None:
    nlp, analyses = prepare(with_settings, scheme, Case("Ada Lovelace wrote"), **KEY)
    reference = Doc(nlp.vocab, ["Ada", "Love", "lace", "wrote"], spaces=[True, False, True, False])
    example = Example(Doc(nlp.vocab, ["Ada", "Lovelace", "wrote"], [True, True, False]), reference)
    for wrong, expected in (((0, 3), -np.log1p(-span_probs(analyses)[0, 2, PERSON])), ((1, 2), 0.0), ((0, 2), 0.0)):
        reference.spans["wrong"] = [Span(reference, *wrong, PERSON)]
        assert loss_of(nlp, example)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("label", [PERSON, ""])
def test_wrong_span_that_is_gold_is_refused(label: str, with_settings: Make) -> None:
    nlp = with_settings("BILUO", **KEY)
    example = make_example(nlp, WORDS, [(0, 2, PERSON)], [(0, 2, label)])
    with pytest.raises(ValueError, match=rf"CT407.*'Frau Müller' is annotated as {PERSON}.*'wrong'"):
        loss_of(nlp, example)
    loss_of(nlp, make_example(nlp, WORDS, [(0, 2, PERSON)], [(0, 2, PLACE), (0, 1, PERSON)]))


def test_wrong_spans_alone_are_learned_from(with_settings: Make) -> None:
    nlp = clone(with_settings("BILUO", **KEY))
    best = max((prob(nlp, WORDS.words, found), found) for found in entities(nlp(WORDS.make(nlp))))[1]
    example = make_example(nlp, WORDS, None, [best])
    before = prob(nlp, WORDS.words, best)
    fix_random_seed(0)
    losses = [nlp.update([example], sgd=SGD(0.02))["ctx_ner"] for _ in range(10)]
    assert before > 0.3
    assert prob(nlp, WORDS.words, best) < 0.5 * before
    assert losses[-1] < losses[0]


def test_wrong_spans_of_one_example_leave_the_others_alone(with_settings: Make) -> None:
    nlp = with_settings("BILUO", **KEY)
    plain = make_example(nlp, Case("nobody wrote today"))
    both = loss_of(nlp, plain, make_example(nlp, SPACES, None, [(1, 2, PERSON)]), plain)
    alone = loss_of(nlp, plain)
    assert both[0] == pytest.approx(
        2 * alone[0] + loss_of(nlp, make_example(nlp, SPACES, None, [(1, 2, PERSON)]))[0], abs=1e-4
    )
    for i in (0, 2):
        np.testing.assert_allclose(both[1].emissions[i], alone[1].emissions[0], atol=1e-4)


# Labels that were not annotated


def annotated_with(example: Example, labels: Iterable[str]) -> Example:
    example.reference.user_data[ANNOTATED_LABELS] = list(labels)
    return example


@schemes
@cases
@pytest.mark.parametrize("labels", [[PERSON], [PLACE, PERSON], [THING]])
def test_partial_labels_are_summed_over(scheme: str, case: Case, labels: list[str], with_settings: Make) -> None:
    nlp, analyses = prepare(with_settings, scheme, case)
    gold = [(3, 5, labels[0])]
    example = annotated_with(make_example(nlp, case, gold), labels)
    expected = mass(analyses, lambda analysis: [found for found in analysis if found[2] in labels] == gold)
    assert loss_of(nlp, example)[0] == pytest.approx(-np.log(expected), abs=1e-9)
    assert expected < 0.9


@schemes
def test_partial_labels_may_be_none_or_all(scheme: str, with_settings: Make) -> None:
    nlp = with_settings(scheme)
    plain = loss_of(nlp, make_example(nlp, WORDS, [(0, 1, PERSON)]))
    all_of_them = annotated_with(make_example(nlp, WORDS, [(0, 1, PERSON)]), ENTITY_LABELS)
    assert loss_of(nlp, all_of_them)[0] == plain[0]
    loss, gradient = loss_of(nlp, annotated_with(make_example(nlp, WORDS), []))
    assert loss == 0.0
    assert not np.any(gradient.emissions[0])


@schemes
def test_partial_labels_go_with_unknown_tokens(scheme: str, with_settings: Make) -> None:
    nlp, analyses = prepare(with_settings, scheme, Case("Ada wrote London today"))
    example = annotated_with(with_tags(nlp, "Ada wrote London today", ["U-" + PERSON, "O", "-", "O"]), [PERSON])

    def agrees(analysis: Analysis) -> bool:
        tags = write_tags(analysis, example.predicted, scheme)
        first = tags[0] == ("B-" if scheme == "BIO" else "U-") + PERSON
        return first and (0, 1, PERSON) in analysis and all(PERSON not in tags[i] for i in (1, 3))

    assert loss_of(nlp, example)[0] == pytest.approx(-np.log(mass(analyses, agrees)), abs=1e-9)


# Corpora with different labels


def keep_labels(examples: Iterable[Example], labels: Iterable[str]) -> list[Doc]:
    """RETURNS (list): References with the entities of some labels only."""
    docs = []
    for eg in examples:
        doc = eg.reference.copy()
        doc.set_ents([ent for ent in eg.reference.ents if ent.label_ in labels])
        docs.append(doc)
    return docs


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The corpus of `pipelines` twice: once with persons annotated, once with all the rest."""
    folder = tmp_path_factory.mktemp("corpora")
    examples = make_examples(spacy.blank("en"))
    for name, labels in (("persons", [PERSON]), ("rest", [PLACE, THING])):
        DocBin(docs=keep_labels(examples, labels)).to_disk(folder / f"{name}.spacy")
    DocBin(docs=[eg.reference for eg in examples]).to_disk(folder / "dev.spacy")
    return {path.stem: path for path in folder.iterdir()}


@pytest.mark.parametrize("reader", ["spacy.Corpus.v1", "spacy-ctxtag.Corpus.v1"])
def test_joined_corpora_train_a_model_of_all_labels(
    reader: str, corpora: dict[str, Path], tiny_backbone: str, tmp_path: Path
) -> None:
    config = make_pipeline(["ctx_ner"], tiny_backbone).config.copy()
    corpus = {"@readers": reader, "gold_preproc": False, "max_length": 0, "limit": 0, "augmenter": None}
    config["corpora"]["train"] = {
        "@readers": "spacy-ctxtag.JoinedCorpora.v1",
        "corpora": {name: {**corpus, "path": str(corpora[name])} for name in ("persons", "rest")},
        "labels": {"persons": [PERSON], "rest": [PLACE, THING]},
    }
    config["paths"]["dev"] = str(corpora["dev"])
    config["training"].update(
        seed=0,
        max_steps=60,
        eval_frequency=60,
        patience=0,
        logger={"@loggers": "spacy.ConsoleLogger.v2", "progress_bar": False},
        batcher={"@batchers": "spacy.batch_by_sequence.v1", "size": 12, "get_length": None},
        optimizer={"@optimizers": "Adam.v1", "learn_rate": 0.02},
    )
    config.to_disk(tmp_path / "config.cfg")  # the whole way that `spacy train` goes
    nlp = init_nlp(spacy.util.load_config(tmp_path / "config.cfg"))
    spacy_train(nlp, stdout=io.StringIO(), stderr=io.StringIO())
    assert set(nlp.get_pipe("ctx_ner").labels) == set(ENTITY_LABELS)
    for eg in make_examples(nlp):
        assert entities(nlp(eg.predicted.copy())) == entities(eg.reference)


def read(docs: Iterable[Doc]) -> Callable[[Language], Iterable[Example]]:
    return lambda nlp: (Example(nlp.make_doc(doc.text), doc.copy()) for doc in docs)


def test_joined_corpora_mark_what_is_annotated() -> None:
    nlp = spacy.blank("en")
    examples = make_examples(nlp)
    corpora = {"first": read(keep_labels(examples[:2], [PERSON])), "all": read(eg.reference for eg in examples[2:])}
    joined = create_joined_corpora_v1(corpora, {"first": [PERSON]})
    for _ in range(2):  # a corpus is read in every epoch; the second here is empty then
        found = list(joined(nlp))
        marks = [eg.reference.user_data.get(ANNOTATED_LABELS) for eg in found[:2]]
        assert marks == [[PERSON], [PERSON]]
        assert all(ANNOTATED_LABELS not in eg.reference.user_data for eg in found[2:])
        assert all(ANNOTATED_LABELS not in eg.predicted.user_data for eg in found)


def test_joined_corpora_refuse_labels_of_no_corpus() -> None:
    with pytest.raises(ValueError, match=r"CT304.*'persns'.*persons, rest"):
        create_joined_corpora_v1({"persons": read([]), "rest": read([])}, {"persns": [PERSON]})


def test_joined_corpora_refuse_entities_of_other_labels() -> None:
    nlp = spacy.blank("en")
    joined = create_joined_corpora_v1({"persons": read(eg.reference for eg in make_examples(nlp))}, {"persons": []})
    with pytest.raises(ValueError, match=rf"CT375.*'persons' holds 'Ada' as {PERSON}.*\[\]"):
        list(joined(nlp))


# Costs


@schemes
@cases
@pytest.mark.parametrize("costs", [{PERSON: 1.5}, {"O": 0.5, THING: 2.0}])
def test_costs_are_a_softmax_margin(scheme: str, case: Case, costs: dict[str, float], with_settings: Make) -> None:
    nlp, analyses = prepare(with_settings, scheme, case, costs=costs)
    gold = ((3, 4, PERSON), (4, 5, THING))
    example = make_example(nlp, case, gold)
    right = write_tags(gold, example.predicted, scheme)

    def cost(analysis: Analysis) -> float:
        tags = write_tags(analysis, example.predicted, scheme)
        return sum(costs.get(b[2:] or b, 0.0) for a, b in zip(tags, right, strict=True) if a != b)

    expected = np.log(sum(p * np.exp(cost(analysis)) for analysis, p in analyses.items())) - np.log(analyses[gold])
    assert loss_of(nlp, example)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("label", [PERSON, "O"])
def test_costs_raise_how_often_a_label_is_expected(label: str, with_settings: Make) -> None:
    words, counts = "Ada wrote to nobody today", []
    for cost in (0.0, 2.0):
        nlp = clone(with_settings("BILUO", costs={label: cost}))
        examples = [with_tags(nlp, words, ["O"] * 5), with_tags(nlp, words, [f"U-{PERSON}", *["O"] * 4])]
        fix_random_seed(0)
        for _ in range(20):
            nlp.update(examples, sgd=SGD(0.01))
        pipe, doc = nlp.get_pipe("ctx_ner"), Doc(nlp.vocab, words.split())
        of_label = [i for i, tag in enumerate(pipe.grammar.tags) if tag == label or tag[2:] == label]
        counts.append(pipe.tag_probs(doc)[:, of_label].sum())
    assert counts[1] > counts[0] + 0.1


# Label smoothing


@schemes
@cases
def test_label_smoothing_draws_the_scores_of_known_tokens_together(
    scheme: str, case: Case, with_settings: Make
) -> None:
    nlp, analyses = prepare(with_settings, scheme, case, label_smoothing=0.25)
    example = make_example(nlp, case, [(3, 5, PERSON)])
    [emissions] = nlp.get_pipe("ctx_ner").model.predict([example.predicted]).emissions
    words = [token.i for token in example.predicted if not token.is_space]
    log_probs = emissions - np.log(np.exp(emissions).sum(axis=1, keepdims=True))
    uniform = -log_probs[words].mean(axis=1).sum()
    expected = -0.75 * np.log(analyses[((3, 5, PERSON),)]) + 0.25 * uniform
    assert loss_of(nlp, example)[0] == pytest.approx(expected, abs=1e-9)


def test_label_smoothing_leaves_unknown_tokens_alone(with_settings: Make) -> None:
    nlp = with_settings("BILUO", label_smoothing=0.25)
    loss, gradient = loss_of(nlp, with_tags(nlp, "Ada wrote", ["-", "-"]))
    assert loss == 0.0
    assert not np.any(gradient.emissions[0])
    _, gradient = loss_of(nlp, with_tags(nlp, "Ada wrote today", ["O", "-", "-"]))
    assert np.any(gradient.emissions[0][0])
    bare = Example(Doc(nlp.vocab, ["Ada", "wrote"]), Doc(nlp.vocab, ["Ada", "wrote"]))
    assert not np.any(loss_of(nlp, bare)[1].emissions[0])


def test_label_smoothing_lowers_the_probabilities(tiny_backbone: str) -> None:
    means = []
    for smoothing in (0.0, 0.3):
        nlp = make_pipeline(["ctx_ner"], tiny_backbone, label_smoothing=smoothing)
        examples = make_examples(nlp)
        train(nlp, examples)
        docs = [nlp(eg.predicted.copy()) for eg in examples]
        assert [entities(doc) for doc in docs] == [entities(eg.reference) for eg in examples]
        means.append(np.mean([ent._.ctx_score for doc in docs for ent in doc.ents]))
    assert means[1] < means[0] - 0.01


# The expected share of tokens in entities


@schemes
@cases
@pytest.mark.parametrize("ratio", [0.1, 0.9])
def test_entity_ratio_is_of_what_the_annotation_admits(
    scheme: str, case: Case, ratio: float, with_settings: Make
) -> None:
    settings = {"entity_ratio": ratio, "entity_ratio_margin": 0.02, "entity_ratio_weight": 3.0}
    nlp, analyses = prepare(with_settings, scheme, case, **settings)
    known = (3, 4, PERSON)
    example = make_example(nlp, case, None)
    example.reference.set_ents([Span(example.reference, *known)], default="missing")
    total = mass(analyses, lambda analysis: known in analysis)
    words = sum(not token.is_space for token in example.predicted)
    share = sum(
        p * sum(tag != "O" for tag in write_tags(analysis, example.predicted, scheme)) / words / total
        for analysis, p in analyses.items()
        if known in analysis
    )
    expected = -np.log(total) + 3.0 * max(0.0, abs(ratio - share) - 0.02)
    assert loss_of(nlp, example)[0] == pytest.approx(expected, abs=1e-9)
    assert loss_of(nlp, example, example)[0] == pytest.approx(2 * expected, abs=1e-5)  # it weighs as much in any batch


@pytest.mark.parametrize("ratio", [0.1, 0.7])
def test_entity_ratio_is_approached(ratio: float, with_settings: Make) -> None:
    nlp = clone(with_settings("BILUO", entity_ratio=ratio, entity_ratio_margin=0.0))
    examples = [with_tags(nlp, "Ada wrote to London", ["-", "O", "-", "-"]), with_tags(nlp, "The Elbe", ["O", "-"])]

    def share() -> float:
        probs = [nlp.get_pipe("ctx_ner").tag_probs(eg.predicted) for eg in examples]
        return float(np.concatenate(probs)[:, 1:].sum() / 6)

    before = abs(share() - ratio)
    fix_random_seed(0)
    for _ in range(15):
        nlp.update(examples, sgd=SGD(0.005))
    assert before > 0.15
    assert abs(share() - ratio) < 0.6 * before


@pytest.mark.parametrize("ratio", [0.1, 0.9])
def test_entity_ratio_is_of_annotated_docs_only(ratio: float, with_settings: Make) -> None:
    nlp = with_settings("BILUO", entity_ratio=ratio, entity_ratio_margin=0.02)
    known, unknown = make_example(nlp, WORDS, [(3, 4, PERSON)]), make_example(nlp, WORDS, None)
    known.reference.set_ents([Span(known.reference, 3, 4, PERSON)], default="missing")
    alone, of_alone = loss_of(nlp, known)
    beside, of_both = loss_of(nlp, unknown, known, unknown)
    assert alone > 0.1
    assert beside == pytest.approx(alone, abs=1e-9)
    np.testing.assert_allclose(of_both.emissions[1], of_alone.emissions[0], atol=1e-9)
    assert not of_both.emissions[0].any()
    assert not of_both.emissions[2].any()


# All of it


@schemes
@pytest.mark.parametrize(
    "settings",
    [
        {"costs": {PERSON: 1.5, "O": 0.5}},
        {"label_smoothing": 0.25},
        {"entity_ratio": 0.9, "entity_ratio_margin": 0.02},
        {"entity_ratio": 0.1, "entity_ratio_weight": 2.0},
        KEY,
        {**KEY, "costs": {PLACE: 1.0}, "label_smoothing": 0.1, "entity_ratio": 0.9, "within_sentences": True},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_gradient_is_that_of_the_loss(scheme: str, settings: dict[str, Any], with_settings: Make) -> None:
    nlp = with_settings(scheme, **settings)
    pipe, rng = nlp.get_pipe("ctx_ner"), np.random.default_rng(0)
    partly = annotated_with(make_example(nlp, SENTENCES, [(0, 1, PERSON)], [(3, 5, "")]), [PERSON])
    unknown = make_example(nlp, Case("Frau Müller _", starts=(1,)), None, [(0, 1, PLACE)])
    examples = [partly, unknown, make_example(nlp, Case("_", starts=(0,)))]
    chains = pipe.model.predict([eg.predicted for eg in examples])
    loss, gradient = pipe.get_loss(examples, chains)
    parts = [*chains.emissions, chains.start, chains.transition, chains.end]
    slopes = [*gradient.emissions, gradient.start, gradient.transition, gradient.end]
    assert [each.shape for each in slopes] == [each.shape for each in parts]
    assert loss > 0.0
    for _ in range(5):
        way = [rng.normal(size=part.shape) for part in parts]
        sides = []
        for step in (1e-4, -1e-4):
            *emissions, start, transition, end = (part + step * d for part, d in zip(parts, way, strict=True))
            sides.append(pipe.get_loss(examples, Chains(emissions, start, transition, end))[0])
        slope = sum(float((d * each).sum()) for d, each in zip(way, slopes, strict=True))
        assert slope == pytest.approx((sides[0] - sides[1]) / 2e-4, rel=1e-5, abs=1e-6)
