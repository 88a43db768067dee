"""`manifest.json`: what a run was made of, so that it can be told and repeated."""

import hashlib
import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from functools import lru_cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

from thinc.api import Config

FILE = "manifest.json"
LOGGER = "training.logger"  # this section changes nothing about the result
FOLDERS = ("path", "source", "name", "vectors")  # settings that may name a folder without a slash
VERSIONS = ("spacy", "thinc", "numpy", "torch", "transformers", "tokenizers", "spacy-transformers", "spacy-ctxtag")


def make_manifest(
    config: Config, output: Path, *, command: List[str], code: Optional[Path] = None, deterministic: bool = False
) -> Dict[str, Any]:
    """Describe a run before it starts.

    config (Config): Its config. output (Path): Its folder; what lies there is no data. command (List[str]): How it was
    called. code (Optional[Path]): A file with registered functions. deterministic (bool): Whether it is to be that.
    RETURNS (Dict[str, Any]): As JSON can hold it; times are UTC.
    """
    settings = dict(config.interpolate())
    paths = sorted({value for key, value in flatten(settings) if _is_data(key, value, output)})
    return {
        "status": "running",
        "start": now(),
        "end": None,
        "command": command,
        "seed": settings["training"].get("seed"),
        "deterministic": deterministic,
        "config": settings,
        "data": {path: hash_path(Path(path)) for path in paths},
        "code": None if code is None else hash_path(code),
        "git": read_git(),
        "packages": dict(_packages()),
        "machine": read_machine(),
        "resumed": [],
    }


def differences(before: Dict[str, Any], after: Dict[str, Any]) -> List[str]:
    """RETURNS (List[str]): What of two manifests differs and changes the result: settings, data, code."""
    told = []
    for part in ("config", "data"):
        old, new = dict(flatten(before[part])), dict(flatten(after[part]))
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key) and not (part == "config" and key.startswith(f"{LOGGER}.")):
                told.append(f"{key}: the data" if part == "data" else f"{key}: {old.get(key)!r} → {new.get(key)!r}")
    if before["code"] != after["code"]:
        told.append("the file of --code")
    if before["deterministic"] != after["deterministic"]:
        told.append(f"--deterministic: {before['deterministic']} → {after['deterministic']}")
    return told


def other_machine(before: Dict[str, Any], after: Dict[str, Any]) -> List[str]:
    """RETURNS (List[str]): What of two manifests differs and may change the last bits: versions, machine."""
    told = []
    for part, keys in (("packages", VERSIONS), ("machine", ("python", "cpu", "threads", "gpus"))):
        for key in keys:
            old, new = before[part].get(key), after[part].get(key)
            if old != new:
                told.append(f"{key} {old} → {new}")
    return told


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def flatten(values: Any, prefix: str = "") -> Iterator[Tuple[str, Any]]:
    """YIELDS (Tuple[str, Any]): The values in nested dictionaries and lists, by their dotted names."""
    if not isinstance(values, (dict, list)) or not values:
        yield prefix, values
        return
    for key, value in values.items() if isinstance(values, dict) else enumerate(values):
        yield from flatten(value, f"{prefix}.{key}" if prefix else str(key))


def hash_path(path: Path) -> str:
    """RETURNS (str): The SHA-256 of a file, or of the names and contents of all files in a folder."""
    if path.is_dir():
        hashed = hashlib.sha256()
        for each in sorted(each for each in path.rglob("*") if each.is_file()):
            hashed.update(f"{each.relative_to(path).as_posix()}\0{hash_path(each)}\0".encode())
        return hashed.hexdigest()
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            hashed.update(chunk)
    return hashed.hexdigest()


def _is_data(key: str, value: Any, output: Path) -> bool:
    if not isinstance(value, str) or not value or key.startswith(f"{LOGGER}."):
        return False
    try:
        path = Path(value)
        if output.resolve() in (path.resolve(), *path.resolve().parents):
            return False
        named = key.split(".")[0] == "paths" or key.rsplit(".", 1)[-1] in FOLDERS or "/" in value.strip("/")
        return path.is_file() or (named and path.is_dir())
    except (OSError, ValueError):  # no name of a file
        return False


def read_git() -> Optional[Dict[str, Any]]:
    """RETURNS (Optional[Dict[str, Any]]): commit, and whether tracked files differ from it (dirty); None where the
    working folder is in no repository."""
    try:
        commit, changes = (
            subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit, "dirty": bool(changes)}


def read_machine() -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): python, platform, cpu, cores, threads (torch's), gpus."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": gpus,
        "executable": sys.executable,
    }


def _cpu() -> str:
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf8").splitlines() if about.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


@lru_cache(maxsize=1)
def _packages() -> Dict[str, str]:
    found = {each.metadata["Name"]: each.version for each in distributions()}
    return {name: found[name] for name in sorted(found, key=lambda name: str(name).lower()) if name}
