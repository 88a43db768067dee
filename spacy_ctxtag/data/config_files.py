"""The files and folders that a config names, and hashes of what is in them, to tell whether data are the same."""

import hashlib
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Tuple

LOGGER = "training.logger"  # this section changes nothing about the result
DATA = ("paths", "corpora", "initialize")  # sections in which any setting,
FOLDERS = ("path", "source", "name", "vectors")  # and settings elsewhere that may name a folder without a slash


def hash_data(settings: Dict[str, Any], output: Optional[Path] = None) -> Dict[str, str]:
    """Hash whatever a config names that is there.

    settings (Dict[str, Any]): The config, interpolated. output (Optional[Path]): What lies in this folder is no data.
    RETURNS (Dict[str, str]): By path, as the config has it, SHA-256.
    """
    paths = sorted({value for key, value in flatten(settings) if _is_data(key, value, output)})
    return {path: hash_path(Path(path)) for path in paths}


def flatten(values: Any, prefix: str = "") -> Iterator[Tuple[str, Any]]:
    """YIELDS (Tuple[str, Any]): The values in nested dictionaries and lists, by their dotted names."""
    if not isinstance(values, (dict, list)) or not values:
        yield prefix, values
        return
    for key, value in values.items() if isinstance(values, dict) else enumerate(values):
        yield from flatten(value, f"{prefix}.{key}" if prefix else str(key))


def hash_path(path: Path) -> str:
    """RETURNS (str): The SHA-256 of a file, or of the names and contents of all files in a folder."""
    hashed = hashlib.sha256()
    if path.is_dir():
        for each in sorted(each for each in path.rglob("*") if each.is_file()):
            hashed.update(f"{each.relative_to(path).as_posix()}\0{hash_path(each)}\0".encode())
        return hashed.hexdigest()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            hashed.update(chunk)
    return hashed.hexdigest()


def _is_data(key: str, value: Any, output: Optional[Path]) -> bool:
    if not isinstance(value, str) or not value or key.startswith(f"{LOGGER}."):
        return False
    try:
        path = Path(value)
        if output is not None and output.resolve() in (path.resolve(), *path.resolve().parents):
            return False
        named = key.split(".")[0] in DATA or key.rsplit(".", 1)[-1] in FOLDERS or "/" in value.strip("/")
        return path.is_file() or (named and path.is_dir())
    except (OSError, ValueError):  # no name of a file
        return False
