"""Pipelines in smaller numbers: what is changed, what is measured, and when it is good enough."""

import json
from pathlib import Path
from typing import Any

import pytest
import spacy
from numpy.testing import assert_array_equal
from pipelines import HEADS, LISTENER, encoder, entities, make_examples, make_pipeline, train
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_ctxtag.deploy import quantize as module
from spacy_ctxtag.deploy.measure import encoders_of, score_heads
from spacy_ctxtag.deploy.quantize import META_KEY, Figures, Quantized, find_encoders, find_heads, quantize
from spacy_ctxtag.layers.int8_module import is_int8

TEXT = "Ada wrote to Frau Müller in Hamburg ."
SHAPES = ["joint", "apart"]


@pytest.fixture(scope="module")
def folders(tiny_backbone: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of trained pipelines: "joint", two heads on one encoder; "apart", each with its own."""
    folder = tmp_path_factory.mktemp("pipelines")
    for name in SHAPES:
        nlp = make_pipeline(HEADS, tiny_backbone, shared=name == "joint")
        train(nlp, make_examples(nlp))
        nlp.to_disk(folder / name)
    return {name: folder / name for name in SHAPES}


@pytest.fixture(autouse=True)
def speeds(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Nothing is timed: what was made is twice as fast. RETURNS (list): How it was asked for."""
    asked = []

    def words_per_second(pipelines: list[Language], texts: list[str], repetitions: int) -> list[float]:
        limits = {shim.limit for nlp in pipelines for shim in caches_of(nlp)}
        sizes = {nlp.batch_size for nlp in pipelines}
        asked.append({"texts": texts, "repetitions": repetitions, "limits": limits, "sizes": sizes})
        return [100.0, 200.0]

    monkeypatch.setattr(module, "words_per_second", words_per_second)
    return asked


def caches_of(nlp: Language) -> list[Any]:
    nodes = [node for _, pipe in nlp.pipeline for node in pipe.model.walk()]
    return [shim for node in nodes for shim in node.shims if type(shim).__name__ == "TextCache"]


def make(folder: Path, precision: str = "int8", **settings: Any) -> tuple[Language, Quantized]:
    """RETURNS (tuple): The pipeline as it was, and what was made of it."""
    nlp = spacy.load(folder, config=settings.pop("config", {}))
    dev = settings.pop("dev", None) or make_examples(nlp)
    docs = settings.pop("docs", None) or [eg.predicted.copy() for eg in dev]
    return nlp, quantize(folder, nlp, precision, docs, dev, **settings)


def shims_of(nlp: Language) -> list[Any]:
    return [shim for _, pipe in nlp.pipeline for shim in encoders_of(pipe)]


def predicted(nlp: Language) -> tuple[Any, ...]:
    doc = nlp(TEXT)
    return entities(doc), doc.spans["ctx_ner"].attrs["scores"], [token.tag_ for token in doc]


# What is made


@pytest.mark.parametrize("name", SHAPES)
def test_quantize_puts_every_encoder_into_integers(name: str, folders: dict[str, Path], tmp_path: Path) -> None:
    nlp, result = make(folders[name])
    assert [is_int8(shim.module) for shim in shims_of(result.nlp)] == [True] * len(shims_of(nlp))
    assert not any(is_int8(shim.module) for shim in shims_of(nlp))
    result.nlp.to_disk(tmp_path / "out")
    loaded = spacy.load(tmp_path / "out")
    assert {place.precision for place in find_encoders(loaded)} == {"int8"}
    assert predicted(loaded) == predicted(result.nlp) != predicted(nlp)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_quantize_stores_16_bits_that_load_as_they_were_measured(
    precision: str, name: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    _, result = make(folders[name], precision)
    result.nlp.to_disk(tmp_path / "out")
    loaded = spacy.load(tmp_path / "out")
    assert {place.precision for place in find_encoders(loaded)} == {precision}
    assert predicted(loaded) == predicted(result.nlp)
    for path, before in zip(*(sorted(root.rglob("*.safetensors")) for root in (tmp_path, folders[name])), strict=True):
        assert path.stat().st_size < 0.7 * before.stat().st_size
    loaded.to_disk(tmp_path / "again")
    assert_same_files(tmp_path / "again", tmp_path / "out", "*.safetensors")


def assert_same_files(one: Path, other: Path, name: str) -> None:
    found = [[path.read_bytes() for path in sorted(root.rglob(name))] for root in (one, other)]
    assert found[0] == found[1] != []


def test_quantize_weights_that_learn_on_are_stored_in_32_bits(folders: dict[str, Path], tmp_path: Path) -> None:
    nlp = make(folders["joint"], "bf16")[1].nlp
    nlp.update(make_examples(nlp), sgd=nlp.resume_training())
    [shim] = shims_of(nlp)
    assert shim.measured == {}
    nlp.to_disk(tmp_path / "out")
    loaded = shims_of(spacy.load(tmp_path / "out"))[0].module
    for (name, weight), other in zip(shim.module.named_parameters(), loaded.parameters(), strict=True):
        assert_array_equal(weight.detach(), other.detach(), err_msg=name)


def test_quantize_changes_the_precision_in_the_config_and_nothing_else(folders: dict[str, Path]) -> None:
    nlp, result = make(folders["apart"])
    config = result.nlp.config.copy()
    for name in HEADS:
        features = config["components"][name]["model"]["tok2vec"]
        assert (features["encoder"]["precision"], features["precision"]) == ("int8", "bf16")
        features["encoder"]["precision"] = features["precision"] = "fp32"
    assert config == nlp.config


def test_quantize_reads_the_ranges_off_a_pipeline_in_floats(folders: dict[str, Path]) -> None:
    at = {f"components.{name}.model.tok2vec.encoder.precision": "bf16" for name in HEADS}
    nlp, result = make(folders["apart"], config=at)
    expected = make(folders["apart"])[1]
    assert predicted(result.nlp) == predicted(expected.nlp)
    assert result.before.scores == score_heads(nlp, list(HEADS), make_examples(nlp))
    assert set(shims_of(result.nlp)[0].measured) == {"bf16", "int8"}


def test_quantize_reads_the_ranges_off_the_given_texts(folders: dict[str, Path]) -> None:
    narrow = make(folders["joint"], docs=[spacy.blank("en")("Ada")])[1]
    wide = make(folders["joint"])[1]
    steps = [shims_of(each.nlp)[0].module.encoder.layer[0].output.dense.input_scale for each in (narrow, wide)]
    assert not (steps[0] == steps[1]).all()


def test_quantize_leaves_disabled_components_as_they_are(folders: dict[str, Path]) -> None:
    nlp = spacy.load(folders["apart"], disable=["ctx_tagger"])
    dev = make_examples(nlp)
    result = quantize(folders["apart"], nlp, "int8", [eg.predicted.copy() for eg in dev], dev)
    assert [place.component for place in find_encoders(nlp)] == ["ctx_ner"]
    assert set(result.before.scores) == {"ents_f"}
    assert "ctx_tagger" in result.nlp.component_names


# What is measured


def test_quantize_measures_every_head(folders: dict[str, Path]) -> None:
    nlp, result = make(folders["joint"])
    dev = make_examples(nlp)
    assert set(result.before.scores) == {"ents_f", "tag_acc"}
    assert result.before.scores == score_heads(nlp, list(HEADS), dev)
    assert result.after.scores == score_heads(result.nlp, list(HEADS), dev)
    assert (result.before.words_per_second, result.after.words_per_second) == (100.0, 200.0)


@pytest.mark.parametrize("precision", ["int8", "bf16"])
def test_quantize_measures_what_is_on_the_disk(precision: str, folders: dict[str, Path], tmp_path: Path) -> None:
    _, result = make(folders["joint"], precision)
    result.nlp.to_disk(tmp_path / "out")
    for folder, figures in ((folders["joint"], result.before), (tmp_path / "out", result.after)):
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        assert figures.bytes == pytest.approx(size, abs=50)  # the meta of a pipeline that is saved again
    assert result.after.bytes < result.before.bytes


def test_quantize_measures_other_listeners(folders: dict[str, Path], tiny_backbone: str) -> None:
    nlp = make_pipeline(["ctx_ner"], tiny_backbone, shared=True)
    nlp.add_pipe("tagger", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": LISTENER}})
    places = find_encoders(spacy.load(folders["joint"]))
    train(nlp, make_examples(nlp), steps=2)
    assert find_heads(nlp, find_encoders(nlp)) == ["ctx_encoder", "ctx_ner", "tagger"]
    assert set(score_heads(nlp, ["ctx_ner", "tagger"], make_examples(nlp))) == {"ents_f", "tag_acc"}
    assert [place.component for place in places] == ["ctx_encoder"]


def test_quantize_times_without_caches(folders: dict[str, Path], speeds: list[dict[str, Any]]) -> None:
    at = {"components.ctx_encoder.model.cache_mb": 10.0}
    nlp, result = make(folders["joint"], config=at, repetitions=3, batch_size=7)
    texts = [eg.reference.text for eg in make_examples(nlp)]
    assert speeds == [{"texts": texts, "repetitions": 3, "limits": {0}, "sizes": {7}}]
    assert {shim.limit for shim in caches_of(nlp)} == {10 * 2**20}
    assert nlp.batch_size == result.nlp.batch_size == spacy.load(folders["joint"]).batch_size


@pytest.mark.parametrize("precision", ["int8", "bf16"])
def test_quantize_stores_what_it_measured(precision: str, folders: dict[str, Path], tmp_path: Path) -> None:
    _, result = make(folders["apart"], precision)
    result.remember({"dev": "dev.spacy"})
    result.nlp.to_disk(tmp_path / "out")
    worst = result.worst
    expected = {"words_per_second": 200.0, "allowed": True, "f": result.after.scores[worst], "stored": True}
    files = sorted((tmp_path / "out").rglob("precisions.json"))
    assert len(files) == 2
    for file in files:
        found = json.loads(file.read_text(encoding="utf8"))
        assert found[precision] == expected
        assert found["fp32"] == {"words_per_second": 100.0, "allowed": True, "f": result.before.scores[worst]}
    meta = spacy.load(tmp_path / "out").meta
    assert (meta[META_KEY]["precision"], meta[META_KEY]["dev"]) == (precision, "dev.spacy")
    assert meta[META_KEY]["after"] == {**result.after._asdict()}
    assert meta["performance"]["tag_acc"] == result.after.scores["tag_acc"] / 100


def test_quantize_auto_takes_the_new_precision(folders: dict[str, Path], tmp_path: Path) -> None:
    make(folders["joint"], "bf16")[1].nlp.to_disk(tmp_path / "out")
    nlp = spacy.load(tmp_path / "out", config={"components.ctx_encoder.model.precision": "auto"})
    assert [place.precision for place in find_encoders(nlp)] == ["bf16"]


# When it is good enough


def figures(words_per_second: float, **scores: float) -> Figures:
    return Figures(1000, words_per_second, scores)


@pytest.mark.parametrize(
    ("after", "code"),
    [
        (figures(200, ents_f=79.8, tag_acc=96.0), None),
        (figures(200, ents_f=79.7, tag_acc=96.0), None),  # just what is allowed
        (figures(200, ents_f=79.6, tag_acc=96.0), "CT524.*ents_f"),
        (figures(200, ents_f=85.0, tag_acc=95.0), "CT524.*tag_acc"),  # every score has to hold
        (figures(100, ents_f=80.0, tag_acc=96.0), "CT525"),
        (figures(90, ents_f=80.0, tag_acc=96.0), "CT525"),
    ],
)
def test_check_refuses_what_is_worse_or_not_faster(after: Figures, code: Any) -> None:
    result = Quantized(spacy.blank("en"), "int8", figures(100, ents_f=80.0, tag_acc=96.0), after)
    if code is None:
        result.check(0.3)
    else:
        with pytest.raises(ValueError, match=code):
            result.check(0.3)
    if code == "CT525":
        result.check(0.3, allow_slower=True)


# What is refused


@pytest.mark.parametrize("settings", [{"precision": "int4"}, {"repetitions": 0}, {"batch_size": -1}])
def test_quantize_refuses_settings_out_of_range(settings: dict[str, Any], folders: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="CT304"):
        make(folders["joint"], **settings)


def test_quantize_refuses_integers(folders: dict[str, Path], tmp_path: Path) -> None:
    make(folders["joint"])[1].nlp.to_disk(tmp_path / "out")
    with pytest.raises(ValueError, match=r"CT522.*ctx_encoder"):
        make(tmp_path / "out", "bf16")


def test_quantize_refuses_a_pipeline_without_an_encoder(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "out")
    with pytest.raises(ValueError, match=r"CT521.*sentencizer"):
        make(tmp_path / "out", dev=make_examples(nlp))


def test_quantize_refuses_an_encoder_that_nothing_measures(tiny_backbone: str, tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("ctx_encoder", config={"model": encoder(tiny_backbone)})
    nlp.initialize(lambda: make_examples(nlp))
    nlp.to_disk(tmp_path / "out")
    with pytest.raises(ValueError, match="CT521"):
        make(tmp_path / "out")


def test_quantize_refuses_dev_texts_that_leave_a_head_unmeasured(folders: dict[str, Path]) -> None:
    dev = [Example(Doc(eg.x.vocab, [t.text for t in eg.x]), eg.y) for eg in make_examples(spacy.load(folders["joint"]))]
    for eg in dev:
        for token in eg.reference:
            token.tag_ = ""
    with pytest.raises(ValueError, match=r"CT518.*tag_acc"):
        make(folders["joint"], dev=dev)


def test_quantize_refuses_to_calibrate_on_nothing(folders: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="CT523"):
        make(folders["joint"], docs=[spacy.blank("en")("")])
