"""`manifest.json`: what a run was made of, so that it can be told and repeated."""

import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from functools import lru_cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Dict, List, Optional

from thinc.api import Config

from ..data.config_files import LOGGER, flatten, hash_data, hash_path

FILE = "manifest.json"
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
    return {
        "status": "running",
        "start": now(),
        "end": None,
        "command": command,
        "seed": settings["training"].get("seed"),
        "deterministic": deterministic,
        "config": settings,
        "data": hash_data(settings, output),
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
