"""`convert` and `validate`, in this process and as `python -m spacy ctx`."""

import json
import re
import subprocess
import sys

import pytest
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab
from typer.testing import CliRunner

from spacy_ctxtag.cli import app
from spacy_ctxtag.cli.schema import PACKAGE, SCHEMAS
from spacy_ctxtag.cli.validate import name_splits

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

GOOD = "# doc = a\n# domain = web\n[LOC Rome/PROPN] ~,/PUNCT\n"
LONG = "# doc = a\n[LOC Rome] and [ORG Roma] , [LOC Ostia] and [LOC Rome] again\n"
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
    assert "[CT713] " in result.output


def test_cli_validate_shows_counts(folder):
    (folder / "long.txt").write_text(LONG)
    result = run("validate", "train=good.txt", "test=long.txt")
    found = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in result.output.splitlines())
    rows = {name: " ".join(cells).split() for name, *cells in found}
    assert rows["tokens"] == ["2", "8"]
    assert rows["entities"] == ["1", "4"]
    assert rows["LOC"] == ["1", "100%", "3", "75%"]
    assert rows["ORG"] == ["0", "0%", "1", "25%"]
    assert rows["tags"] == ["2", "0"]
    assert rows["PROPN"] == ["1", "50%", "0"]
    assert rows["mentions not in train"] == ["50%"]
    assert rows["documents: web"] == ["1", "0"]


def test_cli_validate_finds_a_leak_between_splits_and_compares_no_names_of_documents(folder):
    (folder / "good.txt").write_text(LONG)
    result = run("validate", "train=good.txt", "test=good.txt")
    assert result.exit_code == 1
    assert "CT383" in result.output
    assert "CT307" not in result.output


def test_cli_validate_finds_a_leak_between_files_of_one_name(folder):
    for name in ("old", "new"):
        (folder / name).mkdir()
        (folder / name / "data.txt").write_text(LONG)
    result = run("validate", "old/data.txt", "new/data.txt")
    assert result.exit_code == 1
    assert "stands in new/data.txt and in old/data.txt" in result.output


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


def test_name_splits_takes_no_empty_path_for_the_folder_it_is_in():
    [(name, [path])] = name_splits(["train="]).items()
    assert (name, str(path)) == ("train=", "train=")


def test_name_splits_joins_none_that_are_not_called_alike():
    found = name_splits(["old/data.spacy", "train=x", "new/data.jsonl", "more/train.txt", "other/dev.txt"])
    assert {name: [str(path) for path in paths] for name, paths in found.items()} == {
        "old/data.spacy": ["old/data.spacy"],
        "train": ["x"],
        "new/data.jsonl": ["new/data.jsonl"],
        "more/train.txt": ["more/train.txt"],
        "dev": ["other/dev.txt"],
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


def test_cli_validate_prints_the_most_severe_first_and_not_too_many(folder):
    lines = "".join(
        f"# doc = d{i}\nThanks a lot for it , {i}\n\n# doc = e{i}\nThanks a lot for it , {i}\n\n" for i in range(4)
    )
    (folder / "many.txt").write_text(lines + "# doc = x\ny]\n")
    result = run("validate", "many.txt", "--max-problems", "2", "--near-duplicates", "1")
    shown = [line for line in result.output.splitlines() if "[CT" in line or "[CW" in line or "more of" in line]
    assert "[CT319]" in shown[0]
    assert ["[CW303]" in line for line in shown[1:3]] == [True, True]
    assert [line.endswith("and 2 more of CW303") for line in shown[3:]] == [True]
    assert result.output.rstrip().endswith("1 error, 4 warnings: CT319 1, CW303 4")
    assert run("validate", "many.txt", "--max-problems", "0", "--near-duplicates", "1").output.count("[CW303]") == 4


def test_cli_validate_writes_all_problems(folder):
    result = run("validate", "train=good.txt", "bad.txt", "--output", "out/problems.json", "--max-problems", "1")
    assert result.exit_code == 1
    found = json.loads((folder / "out" / "problems.json").read_text(encoding="utf8"))
    assert [(each["code"], each["file"], each["line"]) for each in found["problems"][:2]] == [
        ("CT319", "bad.txt", 2),
        ("CT321", "bad.txt", 5),
    ]
    assert [split["name"] for split in found["splits"]] == ["train", "bad"]
    assert found["errors"] == 2


@pytest.mark.parametrize("output", ["problems.txt", "out", "good.json"])
def test_cli_validate_does_not_write_over_anything_else(folder, output):
    (folder / "out").mkdir()
    (folder / "good.json").write_text(GOOD)
    result = run("validate", "good.json", "--output", output)
    assert result.exit_code == 1
    assert "CT372" in result.output or "CT304" in result.output
    assert (folder / "good.json").read_text() == GOOD


@pytest.mark.parametrize(
    ("option", "value"), [("--near-duplicates", "0"), ("--near-duplicates", "1.5"), ("--max-problems", "-1")]
)
def test_cli_validate_refuses_wrong_settings(folder, option, value):
    result = run("validate", "good.txt", option, value)
    assert result.exit_code == 1
    assert "CT304" in result.output


def test_cli_validate_passes_the_key_of_flat_spans_on(folder):
    doc = Doc(Vocab(), words=["a", "b"])
    doc.spans["np"] = [Span(doc, 0, 2, "NP"), Span(doc, 1, 2, "NP")]
    DocBin(docs=[doc]).to_disk(folder / "a.spacy")
    assert "CT386" not in run("validate", "a.spacy").output
    assert "CT386" in run("validate", "a.spacy", "--spans-key", "np").output


def test_cli_validate_escapes_what_a_terminal_would_obey(folder):
    (folder / "a.txt").write_text("# doc = \x1b[31mred\n[LOC\x1b[2J x] y\n", encoding="utf8")
    output = run("validate", "a.txt").output
    assert "\\x1b[2J" in output
    assert "\x1b" not in output


@pytest.mark.backbone
def test_cli_validate_shows_tokens_that_an_encoder_does_not_know(folder, tiny_backbone):
    (folder / "a.txt").write_text("# doc = a\nAda \u2603 \u200b the \u2603\n", encoding="utf8")
    output = run("validate", "a.txt", "--backbone", tiny_backbone).output
    rows = {line.split("  ")[0].strip(): line.split()[-1] for line in output.splitlines() if line}
    assert rows["tokens, not known to the encoder"] == "2"
    assert rows["tokens, nothing left of them"] == "1"
    assert "(2 ×) has a piece that" in output
    assert "CW317" in output


def test_cli_validate_says_where_there_is_no_encoder(folder):
    (folder / "empty").mkdir()
    result = run("validate", "good.txt", "--backbone", "empty")
    assert result.exit_code == 1
    assert "CT002" in result.output


def test_cli_schema_lists_and_prints_every_schema():
    names = [line.split()[0] for line in run("schema").output.splitlines() if line.strip()]
    assert names == list(SCHEMAS)
    assert {PACKAGE / path for path in SCHEMAS.values()} >= set(PACKAGE.glob("data/schemas/*"))
    for name, path in SCHEMAS.items():
        result = run("schema", name)
        assert result.exit_code == 0
        assert result.output == (PACKAGE / path).read_text(encoding="utf8")


def test_cli_schema_of_an_unknown_name():
    result = run("schema", "dance")
    assert result.exit_code == 1
    assert "CT387" in result.output
    assert "jsonl, gazetteer" in result.output


def test_cli_schema_files_are_part_of_the_package():
    with (PACKAGE.parent / "pyproject.toml").open("rb") as file:
        patterns = tomllib.load(file)["tool"]["setuptools"]["package-data"]["spacy_ctxtag"]
    shipped = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    assert {PACKAGE / path for path in SCHEMAS.values()} <= shipped
