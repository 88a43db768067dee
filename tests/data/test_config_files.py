"""Which files a config names, and whether their hashes tell what has changed."""

from pathlib import Path
from typing import Any

import pytest

from spacy_ctxtag.data.config_files import flatten, hash_data, hash_path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "corpus" / "deep").mkdir(parents=True)
    (tmp_path / "corpus" / "deep" / "a.txt").write_text("one")
    (tmp_path / "train.spacy").write_text("one")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "settings",
    [
        {"paths": {"train": "corpus"}},
        {"paths": {"train": "./corpus"}},
        {"corpora": {"train": {"path": "corpus"}}},
        {"corpora": {"train": {"files": ["./corpus"]}}},
    ],
)
def test_hashes_are_of_what_is_in_a_folder(folder: Path, settings: dict[str, Any]) -> None:
    [(path, before)] = hash_data(settings).items()
    assert path.removeprefix("./") == "corpus"
    (folder / "corpus" / "deep" / "a.txt").write_text("two")
    assert hash_data(settings)[path] != before


def test_words_that_are_no_files_are_no_data(folder: Path) -> None:
    settings = {"nlp": {"lang": "en", "corpus": "corpus"}, "training": {"logger": {"path": "train.spacy"}}, "n": 3}
    assert hash_data(settings) == {}
    assert list(hash_data({"any": "train.spacy"})) == ["train.spacy"]


def test_the_result_is_no_data(folder: Path) -> None:
    assert hash_data({"paths": {"train": "corpus/deep/a.txt"}}, folder / "corpus") == {}


def test_hash_of_a_folder_depends_on_names(folder: Path) -> None:
    before = hash_path(folder / "corpus")
    (folder / "corpus" / "deep" / "a.txt").rename(folder / "corpus" / "deep" / "b.txt")
    assert hash_path(folder / "corpus") != before


def test_flatten_keeps_empty_values() -> None:
    values = {"a": {"b": [1, {"c": 2}], "d": {}}, "e": None, "f": []}
    assert dict(flatten(values)) == {"a.b.0": 1, "a.b.1.c": 2, "a.d": {}, "e": None, "f": []}
