"""Folders and files that are whole at any moment, also when the process is killed: written beside, then renamed."""

import json
import os
import shutil
from pathlib import Path
from typing import Any, Callable, Mapping, Optional


def replace_folder(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a folder under another name, and put it in the place of an older one.

    path (Path): The folder.
    write (Callable[[Path], Any]): Writes it; gets the other name, where there is nothing yet. If it fails, the older
        one stays, and nothing else.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished, old = _beside(path, "new"), _beside(path, "old")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        write(unfinished)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)
        path.rename(old)
    unfinished.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def whole_folder(path: Path) -> Optional[Path]:
    """RETURNS (Optional[Path]): The folder; the older one where `replace_folder` was killed between its two renames."""
    return next((each for each in (path, _beside(path, "old")) if each.is_dir()), None)


def remove_folder(path: Path) -> None:
    """Remove a folder, and what `replace_folder` may have left of it."""
    for each in (_beside(path, "new"), _beside(path, "old"), path):
        shutil.rmtree(each, ignore_errors=True)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, in one stroke."""
    write_texts(path.parent, {path.name: to_json(content)})


def to_json(content: Any) -> str:
    """RETURNS (str): What `write_json` writes. Numbers may be those of NumPy or CuPy."""
    return json.dumps(content, indent=2, ensure_ascii=False, default=_number) + "\n"


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files by their names, each in one stroke, and none of them before all could be written.
    The folder is made if it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = {folder / name: folder / f"{name}.tmp" for name in texts}
    try:
        for path, written in unfinished.items():
            with written.open("w", encoding="utf8", errors="backslashreplace") as file:  # half of a pair is JSON thus
                file.write(texts[path.name])
                file.flush()
                os.fsync(file.fileno())
        for path, written in unfinished.items():
            written.replace(path)
    finally:
        for written in unfinished.values():
            written.unlink(missing_ok=True)


def _beside(path: Path, state: str) -> Path:
    """RETURNS (Path): Where a folder is while it is not whole: a name that nobody gives to a folder of theirs."""
    path = path.absolute()
    return path.with_name(f".{path.name}.ctx-{state}")


def _number(value: Any) -> Any:
    """A number of NumPy or CuPy as Python's own."""
    return value.item()
