"""Pipelines made smaller: what is left, what is chosen, what is refused."""

import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from pipelines import HEADS, LINES, encoder, entities, head, make_examples, make_pipeline, train
from spacy.language import Language
from spacy.tokens import Doc

from spacy_ctxtag.deploy import measure
from spacy_ctxtag.deploy.distillation import Training, distances, read_lessons
from spacy_ctxtag.deploy.measure import count_bytes, count_parameters, encoders_of, score_heads, words_per_second
from spacy_ctxtag.deploy.prune import META_KEY, Options, check_pipeline, prune
from spacy_ctxtag.deploy.shapes import Pair, find_shapes, pick_layers
from spacy_ctxtag.layers.hf_config import n_layers
from spacy_ctxtag.layers.hf_shrink import n_units
from spacy_ctxtag.layers.int8_module import quantized, watched
from spacy_ctxtag.training.fingerprint import META_KEY as TRAINED
from spacy_ctxtag.training.fingerprint import hash_text

pytestmark = pytest.mark.backbone
Load = Callable[..., tuple[Language, Language]]
QUICK = Training(epochs=1)
TEXT = "Ada wrote to Frau Müller in Hamburg ."


@pytest.fixture(autouse=True)
def few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time a few words only."""
    monkeypatch.setattr(measure, "LEAST_WORDS", 1)


def run(teacher: Language, student: Language, **options: Any) -> Any:
    examples = make_examples(teacher)
    given = {"rates": (0.5,), "repetitions": 1, "max_drop": 100.0, "training": QUICK, **options}
    return prune(teacher, student, examples, examples, Options(**given))


def modules(nlp: Language) -> list[Any]:
    return [shim.module for _, pipe in nlp.pipeline for shim in encoders_of(pipe)]


def probabilities(nlp: Language, text: str = TEXT) -> list[Any]:
    doc = nlp(text)
    scores = [token._.ctx_tag_score for token in doc]
    return [entities(doc), [token.tag_ for token in doc], [ent._.ctx_score for ent in doc.ents], scores]


# What is left


@pytest.mark.parametrize("kind", ["joint", "apart"])
def test_prune_of_nothing_is_the_same_pipeline(load: Load, kind: str) -> None:
    teacher, student = load(kind)
    result = run(teacher, student, rates=(0.0,), training=Training(epochs=0), max_drop=0.0)
    assert result.chosen == 0
    assert probabilities(student) == probabilities(teacher)
    [size] = result.sizes
    assert (size["parameters"], size["scores"], size["drop"]) == (
        result.before["parameters"],
        result.before["scores"],
        0,
    )
    assert size["divergence"]["ctx_ner"] == 0.0


@pytest.mark.parametrize("kind", ["joint", "apart"])
def test_prune_shrinks_the_weights(load: Load, kind: str, tmp_path: Path) -> None:
    teacher, student = load(kind)
    result = run(teacher, student, layers=1)
    for module, before in zip(modules(student), modules(teacher), strict=True):
        assert (n_layers(module), n_units(module)) == (1, 12)
        assert (n_layers(before), n_units(before)) == (2, 24)
        shapes = {tuple(weight.shape) for weight in module.encoder.layer[0].parameters()}
        assert {(12, 16), (16, 12), (12,)} < shapes
    [size] = result.sizes
    layer = 4 * (16 * 16 + 16) + 2 * 24 * 16 + 24 + 16 + 4 * 16
    removed = len(modules(student)) * (layer + 2 * 12 * 16 + 12)
    assert result.before["parameters"] - size["parameters"] == removed
    assert size["parameters"] == count_parameters(student)
    assert result.before["bytes"] - size["bytes"] > 4 * removed
    student.to_disk(tmp_path)
    assert probabilities(spacy.load(tmp_path)) == probabilities(student)


def test_prune_leaves_the_teacher_as_it_was(load: Load) -> None:
    teacher, student = load()
    before = {name: teacher.get_pipe(name).model.to_bytes() for name in ("ctx_encoder", *HEADS)}
    docs = [eg.predicted.copy() for eg in make_examples(teacher)]
    run(teacher, student)
    assert {name: teacher.get_pipe(name).model.to_bytes() for name in before} == before
    assert all(doc.tensor.size == 0 for doc in docs)


def test_prune_brings_the_student_nearer_to_the_teacher(load: Load) -> None:
    teacher, student = load()
    [size] = run(teacher, student, rates=(0.75,), training=Training(epochs=8, learn_rate=0.005)).sizes
    for name in HEADS:
        assert 0 < size["divergence"][name] < size["divergence_untrained"][name]
    docs = [eg.predicted for eg in make_examples(teacher)]
    found = distances(student, docs, read_lessons(teacher, list(HEADS), docs))
    assert found == pytest.approx(size["divergence"], rel=1e-4)


def test_prune_starts_each_size_from_the_teacher(load: Load) -> None:
    several, alone = run(*load(), rates=(0.25, 0.5)), run(*load(), rates=(0.5,))
    measured = ("scores_untrained", "scores", "divergence_untrained", "divergence", "encoders", "parameters")
    assert {key: several.sizes[1][key] for key in measured} == {key: alone.sizes[0][key] for key in measured}


def test_prune_removes_attention_heads_where_transformers_can(load: Load, tmp_path: Path) -> None:
    teacher, student = load()
    if int(version("transformers").split(".")[0]) >= 5:
        with pytest.raises(ValueError, match="CT031"):
            run(teacher, student, heads=0.25)
        return
    [size] = run(teacher, student, heads=0.25, rates=(0.0,)).sizes
    assert size["encoders"][0]["heads_removed"] == 1
    assert sorted(layer.attention.self.num_attention_heads for layer in modules(student)[0].encoder.layer) == [1, 2]
    student.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert probabilities(loaded) == probabilities(student)
    assert loaded.meta["requirements"] == ["transformers<5"]


def test_prune_trains_also_what_the_config_freezes(load: Load) -> None:
    frozen = {"components.ctx_encoder.model.freeze_layers": 2}
    teacher, student = load("joint", **frozen)
    before = modules(teacher)[0].encoder.layer[0].attention.self.query.weight.detach().numpy().copy()
    run(teacher, student, rates=(0.0,))
    after = modules(student)[0].encoder.layer[0].attention.self.query.weight.detach().numpy()
    assert (after != before).any()
    assert student.config["components"]["ctx_encoder"]["model"]["freeze_layers"] == 2


def test_pick_layers_leaves_out_the_layer_that_does_nothing(load: Load, tiny_backbones: dict[str, str]) -> None:
    from backbones import make_backbone

    folder = Path(tiny_backbones["bert"]).with_name("deep")
    make_backbone("bert", folder, num_hidden_layers=4, hidden_dropout_prob=0.0)
    nlp = make_pipeline(["ctx_ner"], str(folder))
    train(nlp, make_examples(nlp), steps=15)
    [shim] = encoders_of(nlp.get_pipe("ctx_ner"))
    for weight in (shim.module.encoder.layer[1].attention.output, shim.module.encoder.layer[1].output):
        weight.dense.weight.data.zero_()  # what is added to the layer below is nothing
        weight.dense.bias.data.zero_()
    teacher, student = nlp, make_pipeline(["ctx_ner"], str(folder)).from_bytes(nlp.to_bytes())
    docs = [eg.predicted for eg in make_examples(teacher)]
    pair = Pair(shim, encoders_of(student.get_pipe("ctx_ner"))[0])
    shapes = find_shapes(student, ["ctx_ner"], [pair.student], make_examples(teacher), 0.0)
    lessons = read_lessons(teacher, ["ctx_ner"], docs)
    [shape] = pick_layers(student, [pair], shapes, 3, docs, lessons)
    assert shape.layers == [0, 2, 3]
    assert n_layers(pair.student.module) == 4


def test_prune_picks_layers_in_the_way_asked_for(load: Load) -> None:
    [size] = run(*load(), rates=(0.0,), layers=1, pick="divergence").sizes
    assert len(size["encoders"][0]["layers"]) == 1
    assert run(*load(), rates=(0.0,), layers=1).sizes[0]["encoders"][0]["layers"] == [0]


# What is chosen


def test_prune_chooses_the_smallest_that_is_good_enough(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    falls = iter([90.0, 89.5, 89.5, 89.2, 89.2, 88.0, 88.0])  # before; each size before and after it has learned
    monkeypatch.setattr("spacy_ctxtag.deploy.prune.score_heads", lambda *args: {"ents_f": next(falls)})
    teacher, student = load()
    result = run(teacher, student, rates=(0.75, 0.25, 0.5), max_drop=1.0)
    assert [size["rate"] for size in result.sizes] == [0.25, 0.5, 0.75]
    assert [size["drop"] for size in result.sizes] == pytest.approx([0.5, 0.8, 2.0])
    assert result.chosen == 1
    assert n_units(modules(student)[0]) == 12
    assert student.meta[META_KEY]["rate"] == 0.5


def test_prune_chooses_nothing_where_scores_fall_too_far(load: Load) -> None:
    teacher, student = load()
    result = run(teacher, student, max_drop=-0.001)  # they would have to rise
    assert result.chosen is None
    assert META_KEY not in student.meta


def test_prune_is_remembered_in_the_meta(load: Load, tmp_path: Path) -> None:
    teacher, student = load()
    student.meta["ctx_quantized"] = {}  # the weights are other ones now
    new = make_examples(teacher, ["nobody/noun sold/vérb London/NN-P:Örtlichkeit"])
    options = Options(rates=(0.5,), repetitions=1, max_drop=100.0, training=QUICK)
    result = prune(teacher, student, new, make_examples(teacher), options)
    student.to_disk(tmp_path)
    meta = spacy.load(tmp_path).meta
    assert meta[META_KEY]["parameters"] == result.sizes[0]["parameters"]
    assert meta[META_KEY]["training"]["epochs"] == 1
    assert "ctx_quantized" not in meta
    assert meta["performance"]["ents_f"] == pytest.approx(result.sizes[0]["scores"]["ents_f"] / 100)
    assert set(meta[TRAINED]) == {*teacher.meta[TRAINED], hash_text("nobody sold London ")}


def test_prune_takes_importance_from_dev_where_train_is_not_annotated(load: Load) -> None:
    found = []
    for annotated in (True, False):
        teacher, student = load()
        examples = make_examples(teacher)
        plain = make_examples(teacher)
        for eg in plain:
            eg.reference = Doc(teacher.vocab, [token.text for token in eg.reference])
        options = Options(rates=(0.5,), repetitions=1, max_drop=100.0, training=Training(epochs=0))
        prune(teacher, student, examples if annotated else plain, examples, options)
        found.append(probabilities(student))
    assert found[0] == found[1]


def test_prune_uses_sentences_that_another_component_sets(tiny_backbone: str, tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("ctx_ner", config=head("ctx_ner", encoder(tiny_backbone), within_sentences=True))
    train(nlp, make_examples(nlp), steps=3)
    nlp.to_disk(tmp_path)
    teacher = spacy.load(tmp_path)
    [size] = run(teacher, spacy.load(tmp_path, vocab=teacher.vocab)).sizes
    assert size["divergence"]["ctx_ner"] >= 0.0


# What is refused


def test_check_pipeline_finds_the_heads(load: Load) -> None:
    assert check_pipeline(load()[0], Options()) == list(HEADS)
    assert check_pipeline(load("apart")[0], Options()) == list(HEADS)


def test_check_pipeline_refuses_one_without_an_encoder_of_ours() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("ctx_ner", config={"model": {"tok2vec": {"@architectures": "spacy.HashEmbedCNN.v2", **CNN}}})
    with pytest.raises(ValueError, match=r"CT515.*sentencizer, ctx_ner"):
        check_pipeline(nlp, Options())


CNN = {
    "pretrained_vectors": None,
    "width": 8,
    "depth": 1,
    "embed_size": 20,
    "window_size": 1,
    "maxout_pieces": 2,
    "subword_features": True,
}


def test_check_pipeline_refuses_other_listeners(load: Load) -> None:
    nlp, _ = load()
    listener = nlp.config["components"]["ctx_ner"]["model"]["tok2vec"]["encoder"]
    nlp.add_pipe("tagger", config={"model": {"tok2vec": listener}})
    with pytest.raises(ValueError, match=r"CT516.*tagger"):
        check_pipeline(nlp, Options())


@pytest.mark.parametrize(("layers", "frozen"), [(0, 0), (3, 0), (1, 2)])
def test_check_pipeline_refuses_a_number_of_layers(load: Load, layers: int, frozen: int) -> None:
    nlp, _ = load("joint", **{"components.ctx_encoder.model.freeze_layers": frozen})
    with pytest.raises(ValueError, match=rf"CT304.*{layers}"):
        check_pipeline(nlp, Options(layers=layers))


def test_check_pipeline_refuses_to_leave_out_layers_that_are_read(tiny_backbone: str) -> None:
    mix = {"@architectures": "spacy-ctxtag.LayerMix.v1", "n_layers": 2, "tok2vec": encoder(tiny_backbone, layers="all")}
    nlp = spacy.blank("en")
    nlp.add_pipe("ctx_ner", config=head("ctx_ner", mix))
    train(nlp, make_examples(nlp), steps=0)
    assert check_pipeline(nlp, Options()) == check_pipeline(nlp, Options(layers=2)) == ["ctx_ner"]
    with pytest.raises(ValueError, match=r"CT517.*ctx_ner"):
        check_pipeline(nlp, Options(layers=1))


def test_check_pipeline_refuses_integers(load: Load) -> None:
    nlp, _ = load()
    [shim] = encoders_of(nlp.get_pipe("ctx_encoder"))
    with watched(shim.module) as ranges:
        nlp(TEXT)
    shim.take(quantized(shim.module, ranges), {})
    with pytest.raises(ValueError, match=r"CT526.*ctx_encoder"):
        check_pipeline(nlp, Options())


def test_prune_refuses_dev_texts_without_annotation(load: Load) -> None:
    teacher, student = load()
    examples = make_examples(teacher)
    for eg in examples:
        eg.reference = Doc(teacher.vocab, [token.text for token in eg.reference], tags=["x"] * len(eg.reference))
    with pytest.raises(ValueError, match=r"CT518.*ents_f with"):
        prune(teacher, student, examples, examples, Options())


@pytest.mark.parametrize(
    ("name", "value"),
    [("rates", ()), ("rates", (0.5, 1.0)), ("rates", (-0.1,)), ("pick", "best"), ("heads", 1.0), ("repetitions", 0)],
)
def test_options_refuse_values_out_of_range(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match="CT304"):
        Options(**{name: value})


# What is measured


def test_words_per_second_takes_turns(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked = [0.0], []

    class Fake:
        def __init__(self, name: str, seconds: float) -> None:
            self.name, self.seconds = name, seconds

        def make_doc(self, text: str) -> list[str]:
            return text.split()

        def pipe(self, texts: list[str]) -> list[str]:
            asked.append((self.name, len(texts)))
            clock[0] += self.seconds
            return texts

    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(measure, "LEAST_WORDS", 10)
    pipelines: Any = [Fake("a", 2.0), Fake("b", 4.0)]
    assert words_per_second(pipelines, ["one two", "three"], 3) == [6.0, 3.0]  # 4 times 3 words
    assert asked == [("a", 8), ("b", 8)] * 4


def test_bytes_are_those_of_the_folder(load: Load, tmp_path: Path) -> None:
    nlp, _ = load()
    nlp.to_disk(tmp_path)
    assert count_bytes(nlp) == sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())


def test_scores_are_those_of_spacy_in_percent(load: Load) -> None:
    nlp, _ = load()
    examples = make_examples(nlp, LINES[:3])
    scores = nlp.evaluate(examples)
    assert score_heads(nlp, list(HEADS), examples) == {
        "ents_f": pytest.approx(100 * scores["ents_f"]),
        "tag_acc": pytest.approx(100 * scores["tag_acc"]),
    }
    assert np.isfinite(100 * scores["ents_f"])


def test_prune_teaches_and_measures_a_chunker(tiny_backbone: str, tmp_path: Path) -> None:
    nlp = make_pipeline(["ctx_chunker"], tiny_backbone, spans_key="phrases")
    train(nlp, make_examples(nlp))
    nlp.to_disk(tmp_path)
    teacher = spacy.load(tmp_path)
    result = run(teacher, spacy.load(tmp_path, vocab=teacher.vocab))
    assert check_pipeline(teacher, Options()) == ["ctx_chunker"]
    assert result.before["scores"] == {"spans_phrases_f": 100.0}
    assert result.sizes[0]["divergence"]["ctx_chunker"] < result.sizes[0]["divergence_untrained"]["ctx_chunker"]
