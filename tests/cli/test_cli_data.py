"""`convert` and `validate`, in this process and as `python -m spacy ctx`."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from spacy_ctxtag.cli import app
from spacy_ctxtag.cli.validate import name_splits

GOOD = "# doc = a\n# domain = web\n[LOC Rome/PROPN] ~,/PUNCT\n"
BAD = "# doc = a\nx]\n\n# doc = b\n[LOC y\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.txt").write_text(GOOD)
    (tmp_path / "bad.txt").write_text(BAD)
    return tmp_path


def run(*args):
    return CliRunner().invoke(app, list(args))


def test_cli_convert_writes_and_says_what_it_took_the_file_for(folder):
    result = run("convert", "good.txt", "out/good.spacy")
    assert result.exit_code == 0, result.output
    assert "good.txt: inline (guessed)" in result.output
    assert "1 document, 1 sentence, 2 tokens" in result.output
    assert "LOC 1" in result.output
    assert (folder / "out" / "good.spacy").exists()


def test_cli_convert_says_how_many_noun_chunks_there_are(folder):
    result = run("convert", "good.txt", "out.spacy", "--noun-chunks")
    assert result.exit_code == 0, result.output
    assert "Spans, chunks: NP 1" in result.output


def test_cli_convert_lists_every_problem_on_a_line_of_its_own_and_writes_nothing(folder):
    result = run("convert", "bad.txt", "good.txt", "out.spacy")
    assert result.exit_code == 1
    lines = [line for line in result.output.splitlines() if "[CT" in line]
    assert ["bad.txt:2: [CT319]" in lines[0], "bad.txt:5: [CT321]" in lines[1]] == [True, True]
    assert len(lines) == 2
    assert not (folder / "out.spacy").exists()


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [
        ("--lang", "zzz", "CT500"),
        ("--scheme", "XYZ", "CT304"),
        ("--format", "docx", "CT304"),
        ("--tag-set", "x", "CT304"),
        ("--on-misaligned", "x", "CT304"),
        ("--n-sents", "-1", "CT304"),
    ],
)
def test_cli_convert_refuses_wrong_settings(folder, option, value, code):
    result = run("convert", "good.txt", "out.spacy", option, value)
    assert result.exit_code == 1
    assert code in result.output


def test_cli_convert_passes_every_option_on(folder, monkeypatch):
    taken = []
    monkeypatch.setattr("spacy_ctxtag.data.convert.convert", lambda *args, **kwargs: taken.append(args) or 1 / 0)
    options = {
        "--format": "columns",
        "--separator": "::",
        "--token-column": "3",
        "--tag-column": "2",
        "--pos-column": "1",
        "--chunk-column": "4",
        "--scheme": "IOB1",
        "--n-sents": "5",
        "--tag-set": "xpos",
        "--on-misaligned": "drop",
        "--spans-key": "np",
        "--lang": "de",
    }
    values = (arg for item in options.items() for arg in item)
    run("convert", "good.txt", "x", "out.spacy", "--no-ents", "--noun-chunks", *values)
    inputs, output, nlp, found = taken[0]
    assert ([str(path) for path in inputs], str(output), nlp.lang) == (["good.txt", "x"], "out.spacy", "de")
    assert vars(found) == {
        "format": "columns",
        "separator": "::",
        "token_column": 3,
        "tag_column": 2,
        "pos_column": 1,
        "chunk_column": 4,
        "scheme": "IOB1",
        "n_sents": 5,
        "tag_set": "xpos",
        "has_ents": False,
        "noun_chunks": True,
        "spans_key": "np",
        "on_misaligned": "drop",
    }


def test_cli_convert_reports_an_output_that_cannot_be_written(folder):
    (folder / "file").write_text("")
    result = run("convert", "good.txt", "file/out.spacy")
    assert result.exit_code == 1
    assert "could not be written" in result.output


def test_cli_validate_shows_counts(folder):
    result = run("validate", "train=good.txt", "test=good.txt")
    rows = {line.split("  ")[0].strip(): line.split()[-2:] for line in result.output.splitlines() if line}
    assert rows["tokens"] == ["2", "2"]
    assert rows["LOC" if "LOC" in rows else "entities"] == ["1", "1"]
    assert rows["mentions not in train"][-1] == "0%"
    assert rows["documents: web"] == ["1", "1"]
    assert result.exit_code == 1  # the same document twice
    assert "CT307" in result.output


def test_cli_validate_exit_code_follows_errors_and_strict_warnings(folder):
    assert run("validate", "bad.txt").exit_code == 1
    once = run("validate", "train=good.txt")
    assert (once.exit_code, "CW305" in once.output) == (0, True)
    assert run("validate", "train=good.txt", "--strict").exit_code == 1


def test_name_splits_takes_names_and_paths(folder):
    (folder / "a=b.txt").write_text("")
    found = name_splits(["train=x", "train=y", "dev/z.spacy", "a=b.txt"])
    assert {name: [str(path) for path in paths] for name, paths in found.items()} == {
        "train": ["x", "y"],
        "z": ["dev/z.spacy"],
        "a=b": ["a=b.txt"],
    }


def test_cli_is_reached_through_spacy(folder):
    command = [sys.executable, "-m", "spacy", "ctx", "convert", "bad.txt", "out.spacy"]
    result = subprocess.run(command, capture_output=True, text=True, encoding="utf8", check=False)
    assert result.returncode == 1, result.stderr
    assert "bad.txt:2: [CT319]" in result.stdout
    assert "bad.txt:5: [CT321]" in result.stdout
    assert not (folder / "out.spacy").exists()


def test_cli_import_needs_only_what_spacy_needs():
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers", "tokenizers", "safetensors", "spacy_transformers"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import spacy_ctxtag.cli
from spacy.cli._util import app
assert "ctx" in [group.typer_instance.info.name for group in app.registered_groups]
assert "spacy_ctxtag.data.sources" not in sys.modules
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
