"""`prune`, on tiny models that have learned the corpus of `pipelines` and meet new sentences of the same words."""

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
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training.initialize import init_nlp
from test_cli_calibrate import new_lines
from thinc.api import Config
from typer.testing import CliRunner

from spacy_ctxtag.cli import app
from spacy_ctxtag.deploy import measure
from spacy_ctxtag.deploy.measure import encoders_of

QUICK = ["--repetitions", "1", "--epochs", "1", "--max-drop", "100"]
TEXT = "Ada wrote to Frau Müller in Hamburg ."


@pytest.fixture(autouse=True)
def few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time a few words only."""
    monkeypatch.setattr(measure, "LEAST_WORDS", 1)


@pytest.fixture(scope="module")
def model(tiny_backbone: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    nlp = make_pipeline(HEADS, tiny_backbone, shared=True)
    train(nlp, make_examples(nlp))
    folder = tmp_path_factory.mktemp("models") / "joint"
    nlp.to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """RETURNS (list[str]): The options of the command that name the data."""
    folder, nlp = tmp_path_factory.mktemp("data"), spacy.blank("en")
    DocBin(docs=[make_reference(nlp, line) for line in new_lines(8)]).to_disk(folder / "dev.spacy")
    return ["--train", str(write_corpus(folder / "train.spacy")), "--dev", str(folder / "dev.spacy")]


@pytest.fixture(scope="module")
def pruned(model: Path, data: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """RETURNS (tuple): The pipeline at the larger of two rates, the report, what was printed."""
    folder = tmp_path_factory.mktemp("pruned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "LEAST_WORDS", 1)
        output = prune(model, folder / "out", *data, *QUICK, "--report", folder / "new" / "report.json")
    return folder / "out", json.loads((folder / "new" / "report.json").read_text(encoding="utf8")), output


def prune(*args: Any, fails: str = "") -> str:
    """Run the command; with `fails`, it has to end with this code. RETURNS (str): What it printed."""
    result = CliRunner().invoke(app, ["prune", *map(str, args)])
    assert result.exit_code == (1 if fails else 0), result.output
    assert fails in result.output
    return result.output


def config_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "ctx_encoder" / "encoder" / "config.json").read_text(encoding="utf8"))
    return found


# What is written


def test_prune_writes_a_smaller_pipeline(pruned: tuple[Path, dict[str, Any], str], model: Path) -> None:
    assert (config_of(model)["intermediate_size"], config_of(pruned[0])["intermediate_size"]) == (24, 12)
    assert [path.name for path in pruned[0].parent.iterdir() if path.suffix == ".tmp"] == []
    nlp, before = spacy.load(pruned[0]), spacy.load(model)
    assert nlp.config == before.config
    assert entities(nlp(TEXT)) != []


def test_prune_result_loads_in_a_fresh_process(pruned: tuple[Path, dict[str, Any], str]) -> None:
    code = "import spacy, sys; print([ent.label_ for ent in spacy.load(sys.argv[1])(sys.argv[2]).ents])"
    command = [sys.executable, "-c", code, str(pruned[0]), TEXT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str([ent.label_ for ent in spacy.load(pruned[0])(TEXT).ents])


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # files that spaCy leaves open
def test_prune_result_packages(pruned: tuple[Path, dict[str, Any], str], tmp_path: Path) -> None:
    package(pruned[0], tmp_path, name="small", version="1.2.3", create_sdist=False, create_wheel=False, silent=True)
    [folder] = tmp_path.iterdir()
    nlp = spacy.load(folder / "en_small" / "en_small-1.2.3")
    assert entities(nlp(TEXT)) == entities(spacy.load(pruned[0])(TEXT))


def test_prune_result_trains_on(pruned: tuple[Path, dict[str, Any], str], tmp_path: Path) -> None:
    config = spacy.load(pruned[0]).config.copy()
    for name in ("ctx_encoder", *HEADS):
        config["components"][name] = {"source": str(pruned[0])}
    corpus = str(write_corpus(tmp_path / "train.spacy"))
    config["paths"].update(train=corpus, dev=corpus)
    nlp = init_nlp(Config(config))
    before = [
        weight.detach().numpy().copy() for weight in encoders_of(nlp.get_pipe("ctx_encoder"))[0].module.parameters()
    ]
    nlp.update(make_examples(nlp))
    after = [weight.detach().numpy() for weight in encoders_of(nlp.get_pipe("ctx_encoder"))[0].module.parameters()]
    assert {weight.shape for weight in before} >= {(12, 16), (16, 12)}
    assert all((a != b).any() for a, b in zip(after, before, strict=True) if len(b) != 48)  # not of every position


def test_prune_prints_a_table(pruned: tuple[Path, dict[str, Any], str]) -> None:
    output = pruned[2]
    assert re.search(r"layers +units +parameters +MB +words/s +speed +ents_f +tag_acc", output)
    assert re.search(r"as it was +2 +24 .* 1\.00 × ", output)
    assert re.search(r"rate 0\.25 +2 +18 .* \d\.\d\d × .*→.*→", output)
    assert re.search(r"rate 0\.5 \* +2 +12 ", output)
    assert "pruned at rate 0.5" in output


def test_prune_reports_all_figures(pruned: tuple[Path, dict[str, Any], str], model: Path) -> None:
    report = pruned[1]
    assert (report["chosen"], report["dev"], report["texts"], report["options"]["max_drop"]) == (1, "dev.spacy", 6, 100)
    assert [size["rate"] for size in report["sizes"]] == [0.25, 0.5]
    for size in report["sizes"]:
        assert set(size["scores"]) == set(size["scores_untrained"]) == {"ents_f", "tag_acc"}
        assert set(size["divergence"]) == set(size["divergence_untrained"]) == set(HEADS)
        assert min(size["words_per_second"], size["words_per_second_before"]) > 0
    parameters = [each["parameters"] for each in (report["before"], *report["sizes"])]
    assert parameters == sorted(parameters, reverse=True)
    files = sum(path.stat().st_size for path in model.rglob("*") if path.is_file())
    assert report["before"]["bytes"] == pytest.approx(files, rel=0.01)


def test_prune_to_fewer_layers(model: Path, data: list[str], tmp_path: Path) -> None:
    output = prune(model, tmp_path / "out", *data, *QUICK, "--layers", "1")
    config = config_of(tmp_path / "out")
    assert (config["num_hidden_layers"], config["intermediate_size"]) == (1, 24)
    assert re.search(r"rate 0 \* +1 +24 ", output)


def test_prune_passes_every_option_on(
    model: Path, data: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Any] = []

    def refuse(nlp: Language, student: Language, train: Any, dev: Any, options: Any, say: Any) -> None:
        taken.append((len(train), len(dev), options))
        raise ValueError("enough")

    monkeypatch.setattr("spacy_ctxtag.deploy.prune.prune", refuse)
    options = {"rates": "0.1,0.7", "layers": 2, "pick": "divergence", "heads": 0.5, "max-drop": 2.5, "repetitions": 3}
    options |= {"epochs": 7, "learn-rate": 0.01, "gold-weight": 0.25, "seed": 4}
    given = [f"--{name}={value}" for name, value in options.items()]
    assert "enough" in prune(model, tmp_path / "out", *data, *data[:2], *given, fails="enough")
    [(n_train, n_dev, found)] = taken
    assert (n_train, n_dev) == (12, 8)  # --train was given twice
    assert (found.rates, found.layers, found.pick, found.heads) == ([0.1, 0.7], 2, "divergence", 0.5)
    assert (found.max_drop, found.repetitions, found.training.epochs, found.training.learn_rate) == (2.5, 3, 7, 0.01)
    assert (found.training.gold_weight, found.training.seed) == (0.25, 4)


def test_prune_learns_from_texts_without_annotation(model: Path, data: list[str], tmp_path: Path) -> None:
    (tmp_path / "texts.jsonl").write_text('{"text": "Ada wrote to Hugo ."}\n{"text": "Elbe sold Old Iron ."}\n')
    prune(model, tmp_path / "out", "--train", tmp_path / "texts.jsonl", *data[2:], *QUICK)
    assert config_of(tmp_path / "out")["intermediate_size"] == 12


def test_prune_says_that_a_calibration_is_of_the_pipeline_as_it_was(
    model: Path, data: list[str], tmp_path: Path
) -> None:
    nlp = spacy.load(model)
    nlp.meta["ctx_calibration"] = {"ctx_ner": {"temperature": 2.0}}
    nlp.meta["ctx_prune"] = {"calibrated_before": ["ctx_chunker"]}
    nlp.to_disk(tmp_path / "model")
    assert re.search(r"CW511\].*ctx_ner", prune(tmp_path / "model", tmp_path / "out", *data, *QUICK))
    meta = json.loads((tmp_path / "out" / "meta.json").read_text(encoding="utf8"))
    assert "ctx_calibration" not in meta
    assert meta["ctx_prune"]["calibrated_before"] == ["ctx_chunker", "ctx_ner"]


# What is refused


def test_prune_writes_nothing_where_scores_fall_too_far(model: Path, data: list[str], tmp_path: Path) -> None:
    quick = [*QUICK[:-1], "-1", "--report", tmp_path / "report.json"]  # they would have to rise
    output = prune(model, tmp_path / "out", *data, *quick, fails="CT519")
    assert "rate 0.5 " in output
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf8"))["chosen"] is None


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--rates", "half"),
        ("--rates", "1.5"),
        ("--layers", "3"),
        ("--layers", "0"),
        ("--pick", "best"),
        ("--heads", "1"),
        ("--epochs", "-1"),
        ("--gold-weight", "2"),
    ],
)
def test_prune_refuses_wrong_settings(model: Path, data: list[str], tmp_path: Path, option: str, value: str) -> None:
    assert value in prune(model, tmp_path / "out", *data, option, value, fails="CT304")
    assert list(tmp_path.iterdir()) == []


def test_prune_refuses_what_is_no_model(data: list[str], tmp_path: Path) -> None:
    prune(tmp_path / "none", tmp_path / "out", *data, fails="CT513")


def test_prune_refuses_a_pipeline_without_an_encoder(data: list[str], tmp_path: Path) -> None:
    spacy.blank("en").to_disk(tmp_path / "model")
    prune(tmp_path / "model", tmp_path / "out", *data, fails="CT515")


def test_prune_refuses_dev_texts_that_are_learned_from(model: Path, data: list[str], tmp_path: Path) -> None:
    prune(model, tmp_path / "out", "--train", data[3], "--dev", data[1], *QUICK, fails="CT520")  # by the model
    prune(model, tmp_path / "out", "--train", data[3], "--dev", data[3], *QUICK, fails="CT520")  # by the student
    assert not (tmp_path / "out").exists()
    assert "CW510" in prune(model, tmp_path / "out", "--train", data[3], "--dev", data[3], *QUICK, "--force")


def test_prune_refuses_dev_texts_without_annotation(model: Path, data: list[str], tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    DocBin(docs=[Doc(nlp.vocab, ["Nothing", "here"])]).to_disk(tmp_path / "dev.spacy")
    prune(model, tmp_path / "out", *data[:2], "--dev", tmp_path / "dev.spacy", *QUICK, fails="CT518")


def test_prune_does_not_overwrite_other_things(model: Path, data: list[str], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    prune(model, tmp_path, *data, "--force", fails="CT508")
    prune(model, tmp_path / "notes.txt", *data, "--force", fails="CT508")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_prune_replaces_a_pipeline_only_if_forced(model: Path, data: list[str], tmp_path: Path) -> None:
    spacy.blank("de").to_disk(tmp_path / "out")
    assert "--force" in prune(model, tmp_path / "out", *data, *QUICK, fails="CT508")
    assert spacy.load(tmp_path / "out").lang == "de"
    prune(model, tmp_path / "out", *data, *QUICK, "--force")
    assert spacy.load(tmp_path / "out").lang == "en"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_prune_leaves_the_old_pipeline_where_writing_fails(
    model: Path, data: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spacy.blank("de").to_disk(tmp_path / "out")
    monkeypatch.setattr("spacy_ctxtag.deploy.prune.count_bytes", lambda nlp: 1)
    monkeypatch.setattr(Language, "to_disk", lambda *args, **kwargs: 1 / 0)
    result = CliRunner().invoke(app, ["prune", str(model), str(tmp_path / "out"), *data, *QUICK, "--force"])
    assert isinstance(result.exception, ZeroDivisionError)
    assert spacy.load(tmp_path / "out").lang == "de"


def test_prune_imports_code(model: Path, data: list[str], tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("raise ValueError('it was imported')")
    assert "it was imported" in prune(model, tmp_path / "out", *data, "--code", tmp_path / "code.py", fails="code")
