"""Settings: what is set at load wins over what was saved, and what is wrong is refused with a remedy."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from pipelines import KINDS, encoder, entities, head, make_examples, make_pipeline
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Adam

heads = pytest.mark.parametrize("kind", KINDS)
TEXT = "Ada wrote to Charles in London ."
ENCODER = "components.ctx_ner.model.tok2vec.encoder"


def load(path: Path, **config: Any) -> Language:
    return spacy.load(path, config={key.replace("__", "."): value for key, value in config.items()})


# Set at load


def test_load_threshold_wins(trained: dict[str, Path]) -> None:
    nlp = load(trained["ctx_ner"], components__ctx_ner__threshold=1.0)
    assert nlp.get_pipe("ctx_ner").cfg["threshold"] == 1.0
    assert entities(nlp(TEXT)) == []


def test_load_threshold_wins_over_one_that_was_set_and_saved(trained: dict[str, Path], tmp_path: Path) -> None:
    nlp = spacy.load(trained["ctx_ner"])
    nlp.get_pipe("ctx_ner").cfg["threshold"] = 1.0
    nlp.to_disk(tmp_path)
    assert load(tmp_path, components__ctx_ner__threshold=0.25).get_pipe("ctx_ner").cfg["threshold"] == 0.25


def test_threshold_that_was_set_is_saved(trained: dict[str, Path], tmp_path: Path) -> None:
    nlp = spacy.load(trained["ctx_ner"])
    nlp.get_pipe("ctx_ner").cfg["threshold"] = 1.0  # as `spacy find-threshold` does
    nlp.to_disk(tmp_path / "once")
    again = spacy.load(tmp_path / "once")
    again.to_disk(tmp_path / "twice")
    for path in (tmp_path / "once", tmp_path / "twice"):
        assert spacy.load(path).get_pipe("ctx_ner").cfg["threshold"] == 1.0
        assert entities(spacy.load(path)(TEXT)) == []


def test_load_respect_entities_wins(trained: dict[str, Path]) -> None:
    found = []
    for respect in (True, False):
        nlp = load(trained["ctx_ner"], components__ctx_ner__respect_entities=respect)
        doc = nlp.make_doc(TEXT)
        doc.set_ents([Span(doc, 0, 2, "other")])
        found.append("other" in {ent.label_ for ent in nlp(doc).ents})
    assert found == [True, False]


def test_load_within_sentences_wins(trained: dict[str, Path]) -> None:
    nlp = load(trained["ctx_ner"], components__ctx_ner__within_sentences=True)
    with pytest.raises(ValueError, match="CT403"):
        nlp(TEXT)


@pytest.mark.parametrize(
    ("setting", "value"), [("window", 12), ("pooling", "first"), ("pooling", "max"), ("precision", "bf16")]
)
def test_load_encoder_settings_win(setting: str, value: Any, trained: dict[str, Path]) -> None:
    text = "Ada wrote to Charles Babbage about the engines in Cambridge and answered from London . " * 2
    config = {setting: value, **({"overlap": 2} if setting == "window" else {})}
    outputs = []
    for override in ({}, {f"{ENCODER}.{key}": each for key, each in config.items()}):
        model = spacy.load(trained["ctx_ner"], config=override).get_pipe("ctx_ner").model
        outputs.append(model.get_ref("tok2vec").get_ref("encoder").predict([spacy.blank("en")(text)])[0])
    assert not np.allclose(*outputs, rtol=0, atol=1e-4 if setting == "precision" else 1e-3)


@pytest.mark.parametrize("name", ["ctx_ner", "joint"])
def test_load_cache_wins_and_changes_no_prediction(name: str, trained: dict[str, Path]) -> None:
    expected = [entities(doc) for doc in spacy.load(trained[name]).pipe([TEXT, "Ada", TEXT])]
    encoder = "components.ctx_encoder.model" if name == "joint" else ENCODER
    nlp = spacy.load(trained[name], config={f"{encoder}.cache_mb": 1})
    pipe = nlp.get_pipe(nlp.pipe_names[0])
    assert [entities(doc) for doc in nlp.pipe([TEXT, "Ada", TEXT], batch_size=1)] == expected
    assert pipe.cache_info()[:3] == (1, 2, 2)
    assert spacy.load(trained[name]).get_pipe(nlp.pipe_names[0]).cache_info().bytes == 0


def test_load_max_pieces_wins_and_changes_no_prediction(
    trained: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    for pieces in (4096, 20):
        nlp = spacy.load(trained["ctx_ner"], config={f"{ENCODER}.max_pieces": pieces})
        module = nlp.get_pipe("ctx_ner").model.get_ref("tok2vec").get_ref("encoder").shims[0].module
        seen: list[int] = []
        module.register_forward_pre_hook(lambda *args, seen=seen: seen.append(1))
        found = [entities(doc) for doc in nlp.pipe([TEXT] * 4)]
        calls.append((len(seen), found))
    assert calls[0][0] == 1
    assert calls[1][0] == 4
    assert calls[0][1] == calls[1][1]


def test_load_backend_wins_and_is_not_stored_with_the_weights(trained: dict[str, Path], tmp_path: Path) -> None:
    texts, found = [TEXT, "", "Ada wrote . " * 40], []
    load(trained["ctx_ner"], **{f"{ENCODER}.backend": "onnx"}).to_disk(tmp_path)
    for backend in ("torch", "onnx"):
        nlp = load(tmp_path, **{f"{ENCODER}.backend": backend})
        module = nlp.get_pipe("ctx_ner").model.get_ref("tok2vec").get_ref("encoder").shims[0].module
        docs, calls = list(nlp.pipe(texts)), []
        module.register_forward_pre_hook(lambda *args, calls=calls: calls.append(args))
        scores = [score for doc in nlp.pipe(texts) for score in doc.spans["ctx_ner"].attrs["scores"]]
        assert bool(calls) == (backend == "torch")
        found.append(([entities(doc) for doc in docs], scores))
    assert found[0][0] == found[1][0]
    assert found[0][0][0]
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-4)


@pytest.mark.parametrize(("setting", "value"), [("overwrite", False), ("label_smoothing", 0.5), ("loss_weight", 2.0)])
def test_load_tagger_settings_win(setting: str, value: Any, trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained["ctx_tagger"], config={f"components.ctx_tagger.{setting}": value})
    assert getattr(nlp.get_pipe("ctx_tagger"), setting) == value


def test_load_transition_gain_stays_what_the_weights_were_learned_with(trained: dict[str, Path]) -> None:
    nlp = load(trained["ctx_ner"], components__ctx_ner__model__transition_gain=1.0)
    expected = spacy.load(trained["ctx_ner"])(TEXT).spans["ctx_ner"].attrs["scores"]
    assert nlp(TEXT).spans["ctx_ner"].attrs["scores"] == expected


def test_load_never_looks_for_the_backbone(tiny_backbone: str, tmp_path: Path) -> None:
    away = tmp_path / "backbone"
    shutil.copytree(tiny_backbone, away)
    nlp = make_pipeline(["ctx_ner"], str(away))
    nlp.initialize(lambda: make_examples(nlp))
    nlp.to_disk(tmp_path / "model")
    shutil.rmtree(away)
    assert spacy.load(tmp_path / "model")(TEXT).text == TEXT


# Refused


@pytest.mark.parametrize(
    ("kind", "setting", "value", "code"),
    [
        ("ctx_ner", "threshold", 1.5, "CT404"),
        ("ctx_ner", "threshold", -0.1, "CT404"),
        ("ctx_ner", "scheme", "IOBES", "CT100"),
        ("ctx_tagger", "target", "lemma", "CT404"),
        ("ctx_tagger", "label_smoothing", 1.0, "CT404"),
        ("ctx_tagger", "label_smoothing", -0.1, "CT404"),
        ("ctx_ner", "loss_weight", -0.5, "CT404"),
        ("ctx_tagger", "loss_weight", -1.0, "CT404"),
        ("ctx_chunker", "loss_weight", -0.1, "CT404"),
        ("ctx_chunker", "threshold", 1.5, "CT404"),
        ("ctx_chunker", "spans_key", "", "CT404"),
    ],
)
def test_head_refuses_settings(kind: str, setting: str, value: Any, code: str, tiny_backbone: str) -> None:
    with pytest.raises(ValueError, match=code):
        spacy.blank("en").add_pipe(kind, config=head(kind, encoder(tiny_backbone), **{setting: value}))


@heads
@pytest.mark.parametrize("label", ["", None, 3])
def test_head_refuses_labels(kind: str, label: Any, tiny_backbone: str) -> None:
    with pytest.raises(ValueError, match="CT400"):
        make_pipeline([kind], tiny_backbone).get_pipe(kind).add_label(label)


def test_tagger_refuses_a_label_that_is_no_part_of_speech(tiny_backbone: str) -> None:
    nlp = make_pipeline(["ctx_tagger"], tiny_backbone, target="pos")
    with pytest.raises(ValueError, match=r"CT404.*target = 'tag'"):
        nlp.get_pipe("ctx_tagger").add_label("NN-P")


@heads
def test_head_refuses_data_without_labels(kind: str, tiny_backbone: str) -> None:
    nlp = make_pipeline([kind], tiny_backbone)
    example = Example(nlp.make_doc(TEXT), Doc(nlp.vocab, TEXT.split(), ents=["O"] * 7))
    with pytest.raises(ValueError, match="CT401"):
        nlp.initialize(lambda: [example])


@pytest.mark.parametrize("kind", [*KINDS, "ctx_encoder"])
def test_component_refuses_no_examples(kind: str, tiny_backbone: str) -> None:
    nlp = (
        make_pipeline([], tiny_backbone, shared=True) if kind == "ctx_encoder" else make_pipeline([kind], tiny_backbone)
    )
    settings = {} if kind == "ctx_encoder" else {"labels": ["x"]}
    with pytest.raises(ValueError, match="CT405"):
        nlp.get_pipe(kind).initialize(lambda: [], nlp=nlp, **settings)


@heads
def test_head_refuses_a_loss_that_is_not_a_number(kind: str, trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained[kind])
    output = nlp.get_pipe(kind).model.get_ref("output_layer")
    output.set_param("b", output.get_param("b") * np.float32("nan"))
    with pytest.raises(ValueError, match=r"CT402.*learn_rate"):
        nlp.update(make_examples(nlp), sgd=Adam(0.1))


@heads
def test_head_refuses_a_folder_without_weights(kind: str, trained: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(trained[kind], tmp_path / "model")
    shutil.rmtree(tmp_path / "model" / kind / "encoder")
    with pytest.raises(ValueError, match="CT406"):
        spacy.load(tmp_path / "model")


def test_encoder_refuses_a_folder_without_weights(trained: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(trained["joint"], tmp_path / "model")
    for path in (tmp_path / "model" / "ctx_encoder" / "encoder").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match="CT406"):
        spacy.load(tmp_path / "model")


@heads
def test_head_refuses_to_predict_without_weights(kind: str, tiny_backbone: str) -> None:
    with pytest.raises(ValueError, match="CT004"):
        make_pipeline([kind], tiny_backbone)(TEXT)


def test_head_saved_before_initialization_is_loaded(tiny_backbone: str, tmp_path: Path) -> None:
    nlp = make_pipeline(["ctx_ner"], tiny_backbone)
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path).pipe_names == ["ctx_ner"]


def test_head_saved_twice_into_a_folder_replaces_it(trained: dict[str, Path], tmp_path: Path) -> None:
    for _ in range(2):
        spacy.load(trained["ctx_ner"]).to_disk(tmp_path)
    assert sorted(path.name for path in (tmp_path / "ctx_ner").iterdir()) == ["cfg", "encoder", "model"]
    assert json.loads((tmp_path / "ctx_ner" / "cfg").read_text(encoding="utf8"))["threshold"] == 0.0
