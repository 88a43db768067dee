"""`quantize`, on tiny models that have learned the corpus of `pipelines`; how fast they are is made up."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import spacy
from pipelines import HEADS, entities, make_examples, make_pipeline, make_reference, train, write_corpus
from spacy.cli.package import package
from spacy.tokens import DocBin
from test_cli_calibrate import new_lines
from typer.testing import CliRunner

from spacy_ctxtag.cli import app
from spacy_ctxtag.deploy import quantize as module

ANY_DROP = ["--max-drop", "100"]
TEXT = "Ada wrote to Frau Müller in Hamburg ."


@pytest.fixture(autouse=True)
def speeds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """RETURNS (list[float]): Words per second before and after; tests may change them."""
    found = [1000.0, 2500.0]
    monkeypatch.setattr(module, "words_per_second", lambda pipelines, texts, repetitions: found)
    return found


@pytest.fixture(scope="module")
def model(tiny_backbone: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    nlp = make_pipeline(HEADS, tiny_backbone, shared=True)
    train(nlp, make_examples(nlp))
    folder = tmp_path_factory.mktemp("models") / "joint"
    nlp.to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Path:
    nlp, path = spacy.blank("en"), tmp_path_factory.mktemp("data") / "dev.spacy"
    DocBin(docs=[make_reference(nlp, line) for line in new_lines(8)]).to_disk(path)
    return path


@pytest.fixture(scope="module")
def quantized(model: Path, dev: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """RETURNS (tuple): The pipeline in integers, and what was printed."""
    folder = tmp_path_factory.mktemp("quantized") / "new" / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "words_per_second", lambda *args: [1000.0, 2500.0])
        return folder, quantize(model, folder, "--dev", dev, *ANY_DROP)


def quantize(*args: Any, fails: str = "") -> str:
    """Run the command; with `fails`, it has to end with this code. RETURNS (str): What it printed."""
    result = CliRunner().invoke(app, ["quantize", *map(str, args)])
    assert result.exit_code == (1 if fails else 0), result.output
    assert fails in result.output
    return result.output


# What is written


def test_quantize_writes_a_smaller_pipeline(quantized: tuple[Path, str], model: Path) -> None:
    encoders = [folder / "ctx_encoder" / "encoder" for folder in (quantized[0], model)]
    sizes = [sum(path.stat().st_size for path in folder.glob("*.safetensors")) for folder in encoders]
    assert sizes[0] < sizes[1]
    assert [path.name for path in quantized[0].parent.iterdir()] == ["out"]
    assert spacy.load(quantized[0]).config["components"]["ctx_encoder"]["model"]["precision"] == "int8"


def test_quantize_result_loads_in_a_fresh_process(quantized: tuple[Path, str]) -> None:
    code = "import spacy, sys; print([ent.label_ for ent in spacy.load(sys.argv[1])(sys.argv[2]).ents])"
    command = [sys.executable, "-c", code, str(quantized[0]), TEXT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str([ent.label_ for ent in spacy.load(quantized[0])(TEXT).ents])


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # files that spaCy leaves open
def test_quantize_result_packages(quantized: tuple[Path, str], tmp_path: Path) -> None:
    package(quantized[0], tmp_path, name="small", version="1.2.3", create_sdist=False, create_wheel=False, silent=True)
    [folder] = tmp_path.iterdir()
    nlp = spacy.load(folder / "en_small" / "en_small-1.2.3")
    assert entities(nlp(TEXT)) == entities(spacy.load(quantized[0])(TEXT))


def test_quantize_prints_a_table(quantized: tuple[Path, str]) -> None:
    output = quantized[1]
    assert re.search(r"MB +words/s +speed +ents_f +tag_acc", output)
    assert re.search(r"as it was +0\.2 +1,000 +1\.00 × +\d", output)
    assert re.search(r"int8 +0\.\d +2,500 +2\.50 × +\d", output)
    assert "dev.spacy, in percent" in output


def test_quantize_remembers_in_the_meta(quantized: tuple[Path, str]) -> None:
    about = spacy.load(quantized[0]).meta["ctx_quantized"]
    assert (about["precision"], about["dev"]) == ("int8", "dev.spacy")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", about["date"])
    found = json.loads((quantized[0] / "ctx_encoder" / "encoder" / "precisions.json").read_text(encoding="utf8"))
    assert set(found) == {"fp32", "int8"}


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_quantize_writes_16_bits(precision: str, model: Path, dev: Path, tmp_path: Path) -> None:
    quantize(model, tmp_path / "out", "--precision", precision, "--dev", dev, *ANY_DROP)
    assert spacy.load(tmp_path / "out").config["components"]["ctx_encoder"]["model"]["precision"] == precision


def test_quantize_reads_ranges_off_texts_without_annotation(model: Path, dev: Path, tmp_path: Path) -> None:
    (tmp_path / "raw.jsonl").write_text('{"text": "Ada sold the river.", "entities": []}\n', encoding="utf8")
    quantize(model, tmp_path / "out", "--dev", dev, "--calibrate", tmp_path / "raw.jsonl", *ANY_DROP)
    quantize(model, tmp_path / "other", "--dev", dev, *ANY_DROP)
    path = Path("ctx_encoder") / "encoder" / "int8.safetensors"
    assert (tmp_path / "out" / path).read_bytes() != (tmp_path / "other" / path).read_bytes()


def test_quantize_passes_every_option_on(
    model: Path, dev: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}
    original = module.quantize
    monkeypatch.setattr(
        module, "quantize", lambda *args, **options: asked.update(options) or original(*args, **options)
    )
    quantize(model, tmp_path / "out", "--dev", dev, "--repetitions", 2, "--batch-size", 3, *ANY_DROP)
    assert asked == {"repetitions": 2, "batch_size": 3}


# What is refused


def test_quantize_writes_nothing_when_a_score_falls(model: Path, dev: Path, tmp_path: Path) -> None:
    output = quantize(model, tmp_path / "new" / "out", "--dev", dev, "--max-drop", -100, fails="CT524")
    assert "as it was" in output
    assert list(tmp_path.iterdir()) == []


def test_quantize_writes_nothing_when_it_is_slower(model: Path, dev: Path, tmp_path: Path, speeds: list[float]) -> None:
    speeds[1] = 900.0
    output = quantize(model, tmp_path / "out", "--dev", dev, *ANY_DROP, fails="CT525")
    assert "900 words/s against 1,000" in output
    assert list(tmp_path.iterdir()) == []
    quantize(model, tmp_path / "out", "--dev", dev, *ANY_DROP, "--allow-slower")
    assert spacy.load(tmp_path / "out").meta["ctx_quantized"]["after"]["words_per_second"] == 900.0


def test_quantize_replaces_a_pipeline_only_with_force(model: Path, dev: Path, tmp_path: Path) -> None:
    spacy.blank("en").to_disk(tmp_path / "out")
    quantize(model, tmp_path / "out", "--dev", dev, *ANY_DROP, fails="CT508")
    quantize(model, tmp_path / "out", "--dev", dev, "--max-drop", -100, "--force", fails="CT524")
    assert spacy.load(tmp_path / "out").pipe_names == []
    quantize(model, tmp_path / "out", "--dev", dev, *ANY_DROP, "--force")
    assert "ctx_encoder" in spacy.load(tmp_path / "out").pipe_names
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_quantize_replaces_no_other_files(model: Path, dev: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    quantize(model, tmp_path, "--dev", dev, *ANY_DROP, "--force", fails="CT508")
    quantize(model, tmp_path / "notes.txt", "--dev", dev, *ANY_DROP, "--force", fails="CT508")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_quantize_refuses_texts_that_the_model_was_trained_on(model: Path, dev: Path, tmp_path: Path) -> None:
    from spacy_ctxtag.training.fingerprint import record_training_texts

    nlp = spacy.load(model)
    record_training_texts(nlp.meta, [eg.reference.text for eg in make_examples(nlp)])
    nlp.to_disk(tmp_path / "model")
    train_file = write_corpus(tmp_path / "train.spacy")
    quantize(tmp_path / "model", tmp_path / "out", "--dev", train_file, *ANY_DROP, fails="CT520")
    assert not (tmp_path / "out").exists()
    output = quantize(tmp_path / "model", tmp_path / "out", "--dev", train_file, *ANY_DROP, "--force")
    assert "CW510" in output


@pytest.mark.parametrize(
    ("args", "code"),
    [(["--precision", "int4"], "CT304"), (["--repetitions", "0"], "CT304"), (["--batch-size", "-1"], "CT304")],
)
def test_quantize_refuses_settings_out_of_range(
    args: list[str], code: str, model: Path, dev: Path, tmp_path: Path
) -> None:
    quantize(model, tmp_path / "out", "--dev", dev, *args, fails=code)


def test_quantize_refuses_a_model_that_is_not_there(dev: Path, tmp_path: Path) -> None:
    quantize(tmp_path / "nothing", tmp_path / "out", "--dev", dev, fails="CT513")


def test_quantize_refuses_a_model_in_integers(quantized: tuple[Path, str], dev: Path, tmp_path: Path) -> None:
    quantize(quantized[0], tmp_path / "out", "--dev", dev, *ANY_DROP, fails="CT522")
