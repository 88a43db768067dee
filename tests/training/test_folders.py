"""Folders that are whole at any moment."""

from pathlib import Path

import pytest

from spacy_ctxtag.training.folders import remove_folder, replace_folder, whole_folder


def write(folder: Path) -> None:
    folder.mkdir()
    (folder / "new").touch()


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """RETURNS (Path): A folder beside others with names that a person may give."""
    for name in ("report", "report.old", "report.tmp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "old").touch()
    return tmp_path / "report"


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_replace_folder_replaces_that_folder_and_no_other(report: Path) -> None:
    replace_folder(report, write)
    assert everything(report.parent) == ["report.old/old", "report.tmp/old", "report/new"]
    remove_folder(report)
    assert everything(report.parent) == ["report.old/old", "report.tmp/old"]


def test_replace_folder_leaves_all_as_it_was_where_writing_fails(report: Path) -> None:
    def fail(folder: Path) -> None:
        write(folder)
        raise OSError("full")

    before = sorted(report.parent.rglob("*"))
    with pytest.raises(OSError, match="full"):
        replace_folder(report, fail)
    assert sorted(report.parent.rglob("*")) == before


def test_whole_folder_is_the_older_one_between_two_renames(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def killed(path: Path, target: Path) -> Path:
        if target == report:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        replace_folder(report, write)
    monkeypatch.undo()
    found = whole_folder(report)
    assert found is not None
    assert [path.name for path in found.iterdir()] == ["old"]
    replace_folder(report, write)
    assert whole_folder(report) == report
