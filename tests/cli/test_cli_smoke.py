"""`smoke`, with tiny models in hand-made wheels and an environment that borrows this one's packages: no network."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import spacy
from typer.testing import CliRunner

import spacy_ctxtag
from spacy_ctxtag.cli import app
from spacy_ctxtag.cli.smoke import _tag, find_model, show_result

INIT = """{extra}
from spacy.util import load_model_from_init_py


def load(**overrides):
    return load_model_from_init_py(__file__, **overrides)
"""
HUB = """
import socket
try:
    socket.create_connection(("huggingface.co", 443), timeout=1)
except OSError:
    pass
"""


def make_wheel(folder: Path, name: str, *, patterns=(), extra: str = "") -> Path:
    """A model wheel as `spacy package` lays it out, without building anything."""
    nlp = spacy.blank("en")
    if patterns:
        nlp.add_pipe("entity_ruler").add_patterns(list(patterns))
    nlp.meta.update(name=name.removeprefix("en_"), version="0.1.0")
    data = folder / name / f"{name}-0.1.0"
    data.parent.mkdir()
    nlp.to_disk(data)
    package = folder / name
    (package / "__init__.py").write_text(INIT.format(extra=extra))
    (package / "meta.json").write_bytes((data / "meta.json").read_bytes())
    wheel = folder / f"{name}-0.1.0-py3-none-any.whl"
    info = f"{name}-0.1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in sorted(package.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    """An environment that sees the packages of this one, so that nothing need be downloaded."""
    folder = tmp_path_factory.mktemp("smoke") / "env"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    (site,) = folder.rglob("site-packages")
    paths = [str(Path(spacy_ctxtag.__file__).parents[1]), *(path for path in sys.path if "site-packages" in path)]
    (site / "borrowed.pth").write_text("\n".join(paths) + "\n")
    return folder


def smoke(wheel: Path, env: Path, *args: str):
    pip_args = "--no-index --no-deps"
    return CliRunner().invoke(app, ["smoke", str(wheel), "--env", str(env), "--pip-args", pip_args, *args])


def test_smoke_shows_what_a_working_model_finds(tmp_path, env):
    wheel = make_wheel(tmp_path, "en_smoke_good", patterns=[{"label": "LOC", "pattern": "Porto"}])
    result = smoke(wheel, env)
    assert result.exit_code == 0, result.output
    assert "[LOC Porto]" in result.output
    assert "Loaded en_smoke_good 0.1.0" in result.output
    assert "Successfully installed" not in result.output


def test_smoke_fails_where_the_network_is_touched_even_if_the_model_hides_it(tmp_path, env):
    wheel = make_wheel(tmp_path, "en_smoke_hub", patterns=[{"label": "LOC", "pattern": "Porto"}], extra=HUB)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(next(env.rglob("site-packages")))
    python = env / ("Scripts" if os.name == "nt" else "bin") / "python"
    result = _tag(str(python), "en_smoke_hub", ["In Porto."], tmp_path)
    assert [ent["text"] for ent in result["docs"][0]["ents"]] == ["Porto"]
    assert len(result["network"]) == 1
    assert "huggingface.co" in result["network"][0]


def test_smoke_child_tells_why_a_model_does_not_load(tmp_path):
    task = {"name": "en_smoke_missing", "texts": ["x"], "output": str(tmp_path / "result.json")}
    (tmp_path / "task.json").write_text(json.dumps(task))
    child = Path(find_model.__code__.co_filename).with_name("smoke_child.py")
    subprocess.run([sys.executable, "-I", str(child), str(tmp_path / "task.json")], check=True)
    result = json.loads((tmp_path / "result.json").read_text())
    assert "E050" in result["error"]
    assert result["network"] == []


WORKING = {"text": "In Rome.", "ents": [], "tags": [("In", "ADP"), ("Rome", "PROPN"), (".", "PUNCT")], "spans": {}}
SILENT = {"text": "In Rome.", "ents": [], "tags": [], "spans": {"chunks": []}}
CHUNKED = {**SILENT, "spans": {"chunks": [("Rome", "NP")]}}
RESULT = {"name": "x", "version": "1", "seconds": 1.0, "pipeline": ["ctx_ner"], "network": [], "error": ""}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"docs": [WORKING, SILENT]}, ""),
        ({"docs": [SILENT, CHUNKED]}, ""),
        ({"docs": [SILENT, SILENT]}, "CT506"),
        ({"docs": []}, "CT506"),
        ({"docs": [WORKING], "network": ["socket.connect"]}, "CT505"),
        ({"docs": [], "error": "weights are gone"}, "CT504"),
    ],
)
def test_smoke_exit_code_follows_what_was_found(tmp_path, monkeypatch, change, code):
    (tmp_path / "en_x-0.1.0-py3-none-any.whl").write_bytes(b"")
    monkeypatch.setattr("spacy_ctxtag.cli.smoke._run", lambda *args: None)
    monkeypatch.setattr("spacy_ctxtag.cli.smoke._tag", lambda *args: {**RESULT, **change})
    result = smoke(tmp_path, tmp_path / "env")
    assert result.exit_code == (1 if code else 0)
    assert code in result.output


def test_smoke_passes_every_option_on(tmp_path, monkeypatch):
    (tmp_path / "en_x-0.1.0-py3-none-any.whl").write_bytes(b"")
    (tmp_path / "texts.txt").write_text("One.\n\n Two.\n", encoding="utf8")
    ran, tagged = [], []
    monkeypatch.setattr("spacy_ctxtag.cli.smoke._run", lambda command, *args: ran.append(command))
    answer = {**RESULT, "docs": [WORKING]}
    monkeypatch.setattr("spacy_ctxtag.cli.smoke._tag", lambda *args: tagged.append(args) or answer)
    args = ["-r", "/plugin", "-r", "other", "--find-links", "/wheels", "--constraint", "c.txt"]
    assert smoke(tmp_path, tmp_path / "env", *args, "--texts", str(tmp_path / "texts.txt")).exit_code == 0
    assert ran[0][1:] == ["-m", "venv", str(tmp_path / "env")]
    assert ran[1][-9:] == [
        *("--find-links", "/wheels", "--constraint", "c.txt", "--no-index", "--no-deps"),
        *("/plugin", "other", str(tmp_path / "en_x-0.1.0-py3-none-any.whl")),
    ]
    assert tagged[0][1:3] == ("en_x", ["One.", "Two."])


def test_smoke_shows_what_pip_said_only_where_it_failed(tmp_path, env):
    wheel = tmp_path / "en_none-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"no wheel")
    result = smoke(wheel, env)
    assert result.exit_code == 1
    assert "CT502" in result.output
    assert "ERROR" in result.output


def test_smoke_does_not_install_into_a_folder_of_something_else(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    wheel = tmp_path / "en_x-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"")
    result = smoke(wheel, tmp_path)
    assert result.exit_code == 1
    assert "CT503" in result.output


@pytest.mark.parametrize("name", ["none.whl", "a.txt", "."])
def test_smoke_names_what_is_no_package(tmp_path, name):
    (tmp_path / "a.txt").write_text("")
    result = smoke(tmp_path / name, tmp_path)
    assert result.exit_code == 1
    assert "CT501" in result.output


def test_find_model_takes_the_wheel_below_a_folder(tmp_path):
    wheel = tmp_path / "en_x-0.1.0" / "dist" / "en_x-0.1.0-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    wheel.write_bytes(b"")
    assert find_model(tmp_path) == wheel


def test_show_result_gives_probabilities_with_two_decimals(capsys):
    ents = [{"text": "Rome", "label": "LOC", "start": 3, "end": 7, "score": 0.98765}]
    doc = {"text": "In Rome.", "ents": ents, "tags": [("In", "ADP"), ("Rome", "PROPN"), (".", "PUNCT")]}
    show_result({**RESULT, "docs": [{**CHUNKED, **doc}]})
    output = capsys.readouterr().out
    assert "In [LOC Rome]." in output
    assert "0.99" in output
    assert "In/ADP Rome/PROPN ./PUNCT" in output
    assert "chunks: [NP Rome]" in output


def test_smoke_child_reads_the_scores_beside_the_entities():
    from spacy_ctxtag.cli.smoke_child import tag

    class Pipeline:
        pipe_names = ("ctx_ner",)
        pipeline = (("ctx_ner", None), ("np", SimpleNamespace(spans_key="other")))

        def __call__(self, text):
            doc = spacy.blank("en")(text)
            doc.ents = [doc.char_span(3, 7, label="LOC")]
            doc.spans["ctx_ner"] = list(doc.ents)
            doc.spans["ctx_ner"].attrs["scores"] = [0.5]
            doc.spans["other"] = list(doc.ents)
            return doc

    found = tag(Pipeline(), "In Rome.")
    (ent,) = found["ents"]
    assert found["spans"] == {"other": [("Rome", "LOC")]}
    assert (ent["text"], ent["score"]) == ("Rome", 0.5)
