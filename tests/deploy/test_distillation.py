"""Learning from a teacher: the loss, what learns, and what does not."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import spacy
from pipelines import HEADS, LINES, make_examples
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_ctxtag.crf import Chains
from spacy_ctxtag.deploy.distillation import (
    Training,
    _batches,
    distance,
    distances,
    distil,
    pipes_of,
    read_lessons,
    update,
)

pytestmark = pytest.mark.backbone
Load = Callable[..., tuple[Language, Language]]
TEXTS = ["Ada wrote  to Charles \n in London .", "", "Hamburg sold the Blue Kettle .", " "]


def disturb(nlp: Language, scale: float = 0.1) -> Language:
    """Make a pipeline differ from what it was."""
    rng = np.random.default_rng(0)
    for _, pipe in nlp.pipeline:
        for node in pipe.model.walk() if hasattr(pipe, "model") else ():
            for name in node.param_names:
                values = node.get_param(name)
                node.set_param(name, values + rng.normal(0, scale, values.shape).astype("float32"))
    return nlp


def plain_examples(nlp: Language, texts: list[str] = TEXTS) -> list[Example]:
    return [Example(nlp.make_doc(text), nlp.make_doc(text)) for text in texts]


def scores_of(nlp: Language, name: str, docs: list[Doc]) -> Any:
    return nlp.get_pipe(name).run_model(docs)


@pytest.mark.parametrize("kind", ["joint", "apart"])
def test_distance_from_itself_is_zero(load: Load, kind: str) -> None:
    nlp, student = load(kind)
    docs = [nlp.make_doc(text) for text in TEXTS]
    found = distances(student, docs, read_lessons(nlp, list(HEADS), docs))
    assert found == {"ctx_ner": 0.0, "ctx_tagger": pytest.approx(0.0, abs=1e-6)}


def test_distance_grows_with_what_is_different(load: Load) -> None:
    teacher, student = load()
    docs = [teacher.make_doc(text) for text in TEXTS]
    lessons = read_lessons(teacher, list(HEADS), docs)
    near = distances(disturb(student, 0.02), docs, lessons)
    far = distances(disturb(student, 0.2), docs, lessons)
    assert all(0 < near[name] < far[name] for name in HEADS)


def test_distance_of_the_tagger_is_the_divergence_of_its_tags(load: Load) -> None:
    teacher, student = load()
    docs = [teacher.make_doc(TEXTS[0])]
    lessons = read_lessons(teacher, ["ctx_tagger"], docs)["ctx_tagger"]
    disturb(student)
    p, q = (
        np.exp(s - np.log(np.exp(s).sum(axis=1, keepdims=True)))
        for s in (scores_of(nlp, "ctx_tagger", docs)[0].astype("float64") for nlp in (teacher, student))
    )
    loss, gradient = distance(student.get_pipe("ctx_tagger"), scores_of(student, "ctx_tagger", docs), lessons)
    assert loss == pytest.approx((p * np.log(p / q)).sum(), rel=1e-4)
    np.testing.assert_allclose(gradient[0], q - p, atol=1e-5)


def test_distance_of_the_ner_has_the_gradient_of_its_emissions(load: Load) -> None:
    teacher, student = load()
    docs = [teacher.make_doc(text) for text in TEXTS]
    lessons = read_lessons(teacher, ["ctx_ner"], docs)["ctx_ner"]
    head = disturb(student).get_pipe("ctx_ner")
    scores = scores_of(student, "ctx_ner", docs)
    _, gradient = distance(head, scores, lessons)
    rng, eps = np.random.default_rng(1), 1e-5
    step = [rng.normal(size=each.shape) for each in scores.emissions]
    moved = [
        Chains([e + sign * eps * s for e, s in zip(scores.emissions, step, strict=True)], *ends(scores))
        for sign in (1, -1)
    ]
    losses = [distance(head, each, lessons)[0] for each in moved]
    expected = sum(float((d * s).sum()) for d, s in zip(gradient.emissions, step, strict=True))
    assert (losses[0] - losses[1]) / (2 * eps) == pytest.approx(expected, rel=1e-6)
    spaces = [token.i for token in docs[0] if token.is_space]
    assert spaces
    assert not gradient.emissions[0][spaces].any()


def ends(scores: Chains) -> tuple[Any, ...]:
    return scores.start, scores.transition, scores.end


@pytest.mark.parametrize("kind", ["joint", "apart"])
def test_distil_brings_all_heads_nearer_without_annotation(load: Load, kind: str) -> None:
    teacher, student = load(kind)
    examples = plain_examples(teacher, [*TEXTS, *(eg.text for eg in make_examples(teacher))])
    docs = [eg.predicted for eg in examples]
    lessons = read_lessons(teacher, list(HEADS), docs)
    disturb(student)
    before = distances(student, docs, lessons)
    told: list[tuple[int, dict[str, float]]] = []
    distil(
        student, examples, lessons, Training(epochs=8, learn_rate=0.005, words=12), lambda *epoch: told.append(epoch)
    )
    after = distances(student, docs, lessons)
    assert all(after[name] < 0.5 * before[name] for name in HEADS), (before, after)
    assert [epoch for epoch, _ in told] == list(range(1, 9))
    assert all(set(losses) == set(HEADS) and min(losses.values()) > 0 for _, losses in told)


def test_distil_trains_the_shared_encoder_and_leaves_others_alone(load: Load) -> None:
    teacher, student = load()
    examples = make_examples(teacher)
    lessons = read_lessons(teacher, ["ctx_ner"], [eg.predicted for eg in examples])
    disturb(student)
    names = ("ctx_encoder", *HEADS)
    before = {name: student.get_pipe(name).model.to_bytes() for name in names}
    distil(student, examples, lessons, Training(epochs=1))
    assert [name for name in names if student.get_pipe(name).model.to_bytes() != before[name]] == list(names[:2])


def test_distil_is_repeatable(load: Load) -> None:
    weights = []
    for _ in range(2):
        teacher, student = load()
        examples = make_examples(teacher)
        lessons = read_lessons(teacher, list(HEADS), [eg.predicted for eg in examples])
        distil(disturb(student), examples, lessons, Training(epochs=2, words=12))
        weights.append([student.get_pipe(name).model.to_bytes() for name in ("ctx_encoder", *HEADS)])
    assert weights[0] == weights[1]


def test_distil_for_no_epoch_changes_nothing(load: Load) -> None:
    teacher, student = load()
    examples = make_examples(teacher)
    before = student.to_bytes()
    distil(student, examples, read_lessons(teacher, list(HEADS), [eg.predicted for eg in examples]), Training(epochs=0))
    assert student.to_bytes() == before


def test_gold_weight_mixes_both_gradients(load: Load) -> None:
    teacher, student = load()
    examples = make_examples(teacher)
    lessons = read_lessons(teacher, list(HEADS), [eg.predicted for eg in examples])
    disturb(student)
    found: dict[float, dict[str, Any]] = {}
    for weight in (0.0, 0.25, 1.0):
        update(student, examples, lessons, Training(dropout=0.0, gold_weight=weight), dict.fromkeys(HEADS, 0.0))
        found[weight] = gradients(student)  # they add up
    taught, mixed, gold = found[0.0], found[0.25], found[1.0]
    for name in taught:
        expected = 0.75 * taught[name] + 0.25 * (gold[name] - mixed[name])
        np.testing.assert_allclose(mixed[name] - taught[name], expected, atol=1e-4 * max(1.0, abs(gold[name]).max()))


def test_gold_weight_of_one_is_a_usual_update(load: Load) -> None:
    teacher, student = load()
    examples = make_examples(teacher)
    lessons = read_lessons(teacher, list(HEADS), [eg.predicted for eg in examples])
    losses: dict[str, float] = dict.fromkeys(HEADS, 0.0)
    update(disturb(student), examples, lessons, Training(dropout=0.0, gold_weight=1.0), losses)
    usual: dict[str, float] = {}
    disturb(teacher).update(examples, sgd=False, losses=usual)
    for name in HEADS:
        assert losses[name] == pytest.approx(usual[name], rel=1e-6)
    other = gradients(teacher)
    for name, gradient in gradients(student).items():
        np.testing.assert_allclose(gradient, other[name], rtol=1e-4, atol=1e-5)


def gradients(nlp: Language) -> dict[str, Any]:
    """By name, the gradients of the heads' own weights."""
    return {
        f"{name}.{i}.{key}": node.get_grad(key).copy()
        for name in HEADS
        for i, node in enumerate(nlp.get_pipe(name).model.walk())
        for key in node.param_names
        if node.has_grad(key)
    }


def test_pipes_of_heads_are_in_the_order_of_the_pipeline(load: Load) -> None:
    joint, apart = load("joint")[0], load("apart")[0]
    assert [pipe.name for pipe in pipes_of(joint, ["ctx_tagger", "ctx_ner"])] == ["ctx_encoder", *HEADS]
    assert [pipe.name for pipe in pipes_of(apart, ["ctx_tagger"])] == ["ctx_tagger"]


@pytest.mark.parametrize("words", [1, 9, 1000])
def test_batches_hold_every_text_once_and_not_too_much(words: int) -> None:
    examples = make_examples(spacy.blank("en")) * 2
    batches = _batches(random.Random(0), examples, words)
    assert sorted(i for batch in batches for i in batch) == list(range(2 * len(LINES)))
    sizes = [[len(examples[i].predicted) for i in batch] for batch in batches]
    assert all(len(batch) == 1 or sum(batch) <= words for batch in sizes)
    assert (len(batches) == 1) == (words == 1000)


def test_batches_of_nothing() -> None:
    assert _batches(random.Random(0), [], 10) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", -1), ("learn_rate", 0.0), ("dropout", 1.0), ("words", 0), ("gold_weight", 1.5), ("gold_weight", -0.1)],
)
def test_training_refuses_values_out_of_range(name: str, value: float) -> None:
    with pytest.raises(ValueError, match="CT304"):
        Training(**{name: value})
