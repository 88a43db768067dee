"""`find-label-errors`: real trainings of tiny pipelines on a tiny corpus with planted errors, and what is refused."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
import spacy
from pipelines import PERSON, PLACE, THING, encoder, head, make_reference
from spacy.tokens import Doc, DocBin, Span
from spacy.util import load_config
from thinc.api import Config
from typer.testing import CliRunner

from spacy_ctxtag.cli import app
from spacy_ctxtag.cli.find_label_errors import render, split_arguments
from spacy_ctxtag.evaluation.children import Children

CONFIGS = Path(__file__).parents[2] / "configs"
WORDS = {
    "P": ["Ada/NN-P:per-son", "Charles/NN-P:per-son", "Frau/NN-P:per-son Müller/NN-P:per-son"],
    "L": ["London/NN-P:Örtlichkeit", "Hamburg/NN-P:Örtlichkeit", "Cambridge/NN-P:Örtlichkeit"],
    "T": ["Blue/NN-P:some_thing Kettle/NN-P:some_thing", "Old/NN-P:some_thing Engine/NN-P:some_thing"],
}
TEMPLATES = ["{P} wrote/vérb to/a_b {P} in/a_b {L}", "{P} bought/vérb {T} in/a_b {L} ./.", "{L} sold/vérb {T} ./."]
FIELDS = {
    *("rank", "kind", "suspicion", "log_odds", "weakest", "document", "file", "number", "component", "layer"),
    *("text", "text_start", "start", "end", "start_char", "end_char", "annotated", "proposed", "annotated_probability"),
    "proposed_probability",
}


def corpus() -> list[Doc]:
    """Forty different sentences of the same words."""
    rng, nlp = random.Random(0), spacy.blank("en")
    lines: dict[str, None] = {}
    while len(lines) < 40:
        lines.setdefault(re.sub(r"\{(\w)\}", lambda match: rng.choice(WORDS[match[1]]), rng.choice(TEMPLATES)))
    return [make_reference(nlp, line) for line in lines]


def change(doc: Doc, index: int, *new: tuple[int, int, str]) -> tuple[int, int]:
    """Put spans in the place of an entity. RETURNS (tuple[int, int]): Its tokens."""
    ents = list(doc.ents)
    old = ents.pop(index)
    doc.set_ents([*ents, *(Span(doc, start, end, label=label) for start, end, label in new)])
    return old.start, old.end


def planted() -> tuple[list[Doc], dict[int, str]]:
    """RETURNS (tuple): The corpus with errors, and by the numbers of the documents of which kind they are."""
    docs = corpus()
    lasts = [n for n, doc in enumerate(docs) if doc.ents[-1].label_ == PLACE and len(doc.ents) == 3]
    a, b, c, *_ = lasts
    first, last = docs[b].ents[0], docs[c].ents[-1]
    change(docs[a], 2)
    change(docs[b], 0, (first.start, first.end, THING))
    change(docs[c], 2, (last.start - 1, last.end, PLACE))
    return docs, {a: "missing annotation", b: "wrong label", c: "boundary"}


@pytest.fixture(scope="module")
def config(tiny_backbone: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = load_config(CONFIGS / "ner.cfg")
    made["components"] = Config({"ctx_ner": {"factory": "ctx_ner", **head("ctx_ner", encoder(tiny_backbone))}})
    made["training"].update(max_steps=40, eval_frequency=20)
    made["training"]["optimizer"]["learn_rate"] = 0.02
    path = tmp_path_factory.mktemp("config") / "ner.cfg"
    made.to_disk(path)
    return path


@pytest.fixture(scope="module")
def run(config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """RETURNS (tuple): A folder with the corpus and the findings, and what was printed."""
    folder = tmp_path_factory.mktemp("label_errors")
    DocBin(docs=planted()[0], store_user_data=True).to_disk(folder / "corpus.spacy")
    return folder, find(config, folder / "corpus.spacy", folder / "found.jsonl", "--top", 3)


def find(config: Path, *arguments: Any, fails: str = "", code: int = 1) -> str:
    """Run the command on a corpus, with two folds; with `fails`, it has to say that. RETURNS (str): What it printed."""
    given = [config, arguments[0], "--output", arguments[1], "--folds", 2, *arguments[2:]]
    result = CliRunner().invoke(app, ["find-label-errors", *map(str, given)])
    assert result.exit_code == (code if fails else 0), result.output
    assert fails in result.output
    return result.output


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf8").splitlines()]


@pytest.mark.backbone
def test_find_label_errors_finds_what_was_planted(run: tuple[Path, str]) -> None:
    folder, said = run
    findings = read(folder / "found.jsonl")
    docs, kinds = planted()
    assert [each["rank"] for each in findings] == list(range(1, len(findings) + 1))
    assert {each["number"]: each["kind"] for each in findings[:4] if each["number"] in kinds} == kinds
    for each in findings:
        assert set(each) >= FIELDS
        assert each["suspicion"] >= 0.5
        assert each["file"] == (folder / "corpus.spacy").as_posix()
        assert each["text"] == docs[each["number"]].text.strip()
    assert "2 runs, 2 to do" in said
    assert f"{len(findings)} finding" in said
    assert said.count("annotated: ") == min(3, len(findings))
    assert not list(folder.rglob("models"))


@pytest.mark.backbone
def test_find_label_errors_goes_on_where_it_stopped(run: tuple[Path, str], config: Path) -> None:
    folder, _ = run
    before = (folder / "found.jsonl").read_bytes()
    (folder / "found.jsonl").unlink()
    first, _ = sorted(folder.glob("found.folds/*/result.json"))
    kept = first.stat().st_mtime_ns
    assert "2 runs, 0 to do" in find(config, folder / "corpus.spacy", folder / "found.jsonl")
    assert (folder / "found.jsonl").read_bytes() == before
    assert first.stat().st_mtime_ns == kept
    said = find(config, folder / "corpus.spacy", folder / "found.jsonl", "--least", 0.05, "--top", 0)
    assert "0 to do" in said
    assert len(read(folder / "found.jsonl")) >= len(before.splitlines())


@pytest.mark.backbone
def test_find_label_errors_leaves_the_old_file_when_a_training_fails(
    run: tuple[Path, str], config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = run
    trained = []
    before = (folder / "found.jsonl").read_bytes()
    [_, last] = sorted(folder.glob("found.folds/*/result.json"))
    kept = last.read_bytes()
    last.unlink()
    monkeypatch.setattr(Children, "run", lambda self, words, *_: trained.append(words) or 1)
    said = find(config, folder / "corpus.spacy", folder / "found.jsonl", fails="CT704")
    assert "2 runs, 1 to do" in said
    assert [words[2] for words in trained] == ["spacy_ctxtag.cli.find_label_errors_child"]
    assert (folder / "found.jsonl").read_bytes() == before
    last.write_bytes(kept)
    changed = planted()[0][:-1]
    DocBin(docs=changed, store_user_data=True).to_disk(folder / "other.spacy")
    assert "2 runs, 2 to do" in find(config, folder / "other.spacy", folder / "found.jsonl", fails="CT704")


@pytest.mark.parametrize(
    ("docs", "options", "code"),
    [
        (corpus()[:1], [], "CT760"),
        (corpus()[:6], ["--folds", "7"], "CT760"),
        (corpus()[:4], ["--corpora.train.path", "elsewhere.spacy"], "CT761"),
        (corpus()[:4], ["--corpora.dev.path", "elsewhere.spacy"], "CT761"),
        (corpus()[:4], ["--paths.train", "elsewhere.spacy"], "CT762"),
        (corpus()[:4], ["--training.frozen_components", '["ctx_ner"]'], "CT763"),
        ([Doc(spacy.blank("en").vocab, [word, "wrote"]) for word in ("Ada", "Charles")], [], "CT764"),
        ([Doc(spacy.blank("en").vocab, [])], [], "CT764"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_find_label_errors_refuses_before_any_training(
    docs: list[Doc], options: list[str], code: str, config: Path, tmp_path: Path
) -> None:
    DocBin(docs=docs).to_disk(tmp_path / "corpus.spacy")
    find(config, tmp_path / "corpus.spacy", tmp_path / "found.jsonl", *options, fails=code)
    assert not (tmp_path / "found.jsonl").exists()
    assert not list(tmp_path.rglob("models"))


def test_find_label_errors_refuses_files_in_the_way(config: Path, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    DocBin(docs=corpus()[:4]).to_disk(tmp_path / "corpus" / "a.spacy")
    find(config, tmp_path / "corpus", tmp_path / "corpus" / "found.jsonl", fails="lies inside the corpus")
    find(config, tmp_path / "corpus", tmp_path, fails="is a folder")
    same = tmp_path / "corpus" / "a.spacy"
    find(config, same, same, fails="is the corpus itself")
    find(config, same, tmp_path / "found.folds", fails="name of the folder for the folds")
    find(config, tmp_path / "nothing.spacy", tmp_path / "found.jsonl", fails="CT305")
    (tmp_path / "broken.spacy").write_bytes(b"no")
    find(config, tmp_path / "broken.spacy", tmp_path / "found.jsonl", fails="CT309")


def test_find_label_errors_refuses_other_options(config: Path, tmp_path: Path) -> None:
    DocBin(docs=corpus()[:4]).to_disk(tmp_path / "corpus.spacy")
    find(config, tmp_path / "corpus.spacy", tmp_path / "found.jsonl", "--dance", 1, fails="--dance", code=2)
    find(config, "--training.max_steps=3", tmp_path / "found.jsonl", fails="CORPUS", code=2)


def test_find_label_errors_warns_of_labels_in_one_text(config: Path, tmp_path: Path) -> None:
    docs = corpus()[:4]
    change(docs[0], 0, (0, 1, "PERSN"))
    DocBin(docs=docs).to_disk(tmp_path / "corpus.spacy")
    said = find(config, tmp_path / "corpus.spacy", tmp_path / "found.jsonl", "--paths.train", "x", fails="CT762")
    assert "CW760" in said
    assert "PERSN" in said
    assert PERSON not in said


def test_paths_and_settings_are_told_apart() -> None:
    words = ["a.spacy", "--training.max_steps", "3", "b", "--paths.dev=x", "c", "--nlp.flag", "--nlp.batch_size", "9"]
    paths, extra = split_arguments(words)
    assert paths == ["a.spacy", "b", "c"]
    assert extra == ["--training.max_steps", "3", "--paths.dev=x", "--nlp.flag", "--nlp.batch_size", "9"]


def test_rendered_finding_steers_no_terminal() -> None:
    span = {"text": "\x1b[31mred", "label": "A\x07"}
    finding = {
        **{"rank": 1, "kind": "missing annotation", "suspicion": 0.98, "document": "d\n", "file": "f"},
        **{"text": "Örtlich \x1b[31mred\nyes", "text_start": 5, "start_char": 13, "end_char": 21},
        **{"annotated": [], "proposed": [span], "annotated_probability": 0.01, "proposed_probability": 0.9},
    }
    lines = render(finding)
    assert all(char.isprintable() for line in lines for char in line)
    assert "Örtlich [\\x1b[31mred]\\nyes" in lines[1]
    assert "nothing (0.010)" in lines[2]
