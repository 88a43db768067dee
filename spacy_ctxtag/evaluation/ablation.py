"""An ablation: one config and variants of it, several seeds each, every run a training of its own with a result file.

A run whose result is there is not done again, so what was cut off goes on where it stopped; a result is of one config
and of the bytes of its data, and is not taken for another's.
"""

import copy
import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

import numpy as np
import srsly
from spacy.util import load_config
from thinc.api import Config

from .. import __version__
from ..data.config_files import hash_data, hash_path
from ..data.config_settings import TRAINING, unknown_settings
from ..errors import Errors
from .children import Children
from .significance import Difference, compare_counts

BASE = "base"
NAME = re.compile(r"[\w.+-]+")


@dataclass(frozen=True)
class Variant:
    """A name, and what is changed: by the dotted name of a setting or a section its new value."""

    name: str
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """One training: of a variant, with a seed. `key` is a hash of all that its result depends on."""

    variant: str
    seed: int
    folder: Path
    key: str

    @property
    def config(self) -> Path:
        return self.folder / "config.cfg"

    @property
    def file(self) -> Path:
        return self.folder / "result.json"

    def read(self) -> Optional[Dict[str, Any]]:
        """RETURNS (Optional[Dict[str, Any]]): The result, if it is there, and of this config and these data."""
        if not self.file.is_file():
            return None
        result: Dict[str, Any] = srsly.read_json(self.file)
        return result if result["key"] == self.key else None


@dataclass(frozen=True)
class Row:
    """A line of the table: the scores of the runs of a variant, in [0, 1], and how it differs from the base."""

    variant: str
    scores: List[float]
    over_base: Optional[Difference]  # None for the base

    @property
    def mean(self) -> float:
        return float(np.mean(self.scores))

    @property
    def sd(self) -> float:
        """Standard deviation over the seeds, with R - 1; 0 for a single one."""
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else 0.0


def read_grid(path: Path) -> List[Variant]:
    """Read the variants of a YAML file: under `variants`, by name, what each changes.

    RETURNS (List[Variant]): The base first, which changes nothing, or what stands under `base`.
    RAISES (ValueError): CT701 for a file that holds something else.
    """
    try:
        grid: Any = srsly.read_yaml(path)
    except Exception as error:
        raise ValueError(Errors.CT701.format(path=path, problem=error)) from error
    variants = grid.get("variants") if isinstance(grid, dict) else None
    if not isinstance(variants, dict) or not variants or set(grid) - {"base", "variants"}:
        raise ValueError(Errors.CT701.format(path=path, problem="`variants` is missing, empty or not alone"))
    base: Any = grid.get("base") or {}
    found = [Variant(BASE, base)]
    for name, changes in variants.items():
        if not isinstance(name, str) or not NAME.fullmatch(name) or name == BASE:
            problem = f"the name {name!r}: expected letters, digits, `.`, `+`, `-` and `_`, and not {BASE!r}"
            raise ValueError(Errors.CT701.format(path=path, problem=problem))
        found.append(Variant(name, {**base, **changes} if isinstance(changes, dict) else changes))
    for variant in found:
        if not isinstance(variant.changes, dict) or not all(isinstance(key, str) for key in variant.changes):
            problem = f"{variant.name}: expected settings and their values"
            raise ValueError(Errors.CT701.format(path=path, problem=problem))
    return found


def changed(config: Config, variant: Variant) -> Config:
    """RETURNS (Config): A copy of a config with the changes of a variant; a section's value replaces all of it.
    RAISES (ValueError): CT702 for a setting that has no place in the config."""
    new = copy.deepcopy(config)
    for key, value in variant.changes.items():
        *path, last = key.split(".")
        section: Any = new
        for part in path:
            section = section.get(part) if isinstance(section, dict) else None
        if not isinstance(section, dict):
            raise ValueError(Errors.CT702.format(variant=variant.name, key=key, known=", ".join(new)))
        section[last] = value
    return Config(new)


def make_runs(
    config: Path,
    overrides: Dict[str, Any],
    variants: Sequence[Variant],
    seeds: Sequence[int],
    data: Path,
    output: Path,
    code: Optional[Path] = None,
) -> List[Run]:
    """Write the config of every run. Its seed is that of `[system]`, too, where there is one.

    data (Path): What the runs will be scored on. code (Optional[Path]): A file with registered functions.
    RETURNS (List[Run]): Seed by seed, so that what there is when they are cut off can be compared.
    RAISES (ValueError): CT702, CT703, CT707, before anything is trained.
    """
    base = load_config(config, overrides=overrides, interpolate=False)
    _check_settings(base, overrides, "an option")
    configs = {variant.name: changed(base, variant) for variant in variants}
    texts = {"data": hash_path(data), "code": hash_path(code) if code else ""}
    read = {}  # by variant, the hashes of all that a run reads
    for variant in variants:
        _check(configs[variant.name], variant)
        read[variant.name] = {**hash_data(configs[variant.name].interpolate(), output), **texts}
    runs = []
    for seed in seeds:
        for variant in variants:
            one = {"training.seed": seed, **({"system.seed": seed} if "seed" in base.get("system", {}) else {})}
            seeded = changed(configs[variant.name], Variant(variant.name, one))
            folder = output / f"{variant.name}-{seed}"
            folder.mkdir(parents=True, exist_ok=True)
            seeded.to_disk(folder / "config.cfg")
            key = hashlib.sha256(f"{seeded.to_str()} {read[variant.name]} {__version__}".encode()).hexdigest()
            runs.append(Run(variant.name, seed, folder, key))
    return runs


def _check_settings(config: Config, changes: Mapping[str, Any], where: str) -> None:
    """RAISES (ValueError): CT707 for changes that spaCy drops. What the file itself has so, `train` warns of."""
    for name, hint in unknown_settings(config):
        if not changes.keys().isdisjoint(("training", f"training.{name}")):
            raise ValueError(Errors.CT707.format(name=name, where=where, hint=hint, known=", ".join(TRAINING)))


def _check(config: Config, variant: Variant) -> None:
    from spacy.util import load_model_from_config

    _check_settings(config, variant.changes, f"variant {variant.name!r}")
    try:
        load_model_from_config(config.copy(), auto_fill=True)
    except Exception as error:
        raise ValueError(Errors.CT703.format(variant=variant.name, error=error)) from error


def execute(runs: Sequence[Run], command: Callable[[Run], List[str]], jobs: int, say: Callable[[str], None]) -> None:
    """Do the runs whose result is not there, so many at a time, each in a process of its own. They share the cores,
    unless the environment says how many threads each has (OMP_NUM_THREADS).

    command (Callable): What trains a run and writes its result.
    RAISES (RuntimeError): CT704 where some failed; the others are done and kept.
    RAISES (KeyboardInterrupt): When it was told to end, after the processes have ended.
    """
    missing = [run for run in runs if run.read() is None]
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    environment = {"OMP_NUM_THREADS": threads, **os.environ} if jobs > 1 else None
    children = Children()
    say(f"{len(runs)} runs, {len(missing)} to do")

    def do(run: Run) -> bool:
        if children.signal:
            return False
        log = run.folder / "log.txt"
        size = log.stat().st_size if log.is_file() else 0
        code = children.run(command(run), log, environment)
        if children.signal:
            return False
        ok = code == 0 and run.read() is not None
        left = sum(each.read() is None for each in runs)
        outcome = "done" if ok else f"failed ({_last_line(log, size) or f'exit code {code}'}), see {log}"
        say(f"{run.variant}, seed {run.seed}: {outcome}; {left} left")
        return ok

    try:
        with children.ending_with_this(), ThreadPoolExecutor(jobs) as pool:
            failed = [run for run, ok in zip(missing, pool.map(do, missing), strict=True) if not ok]
    except KeyboardInterrupt:
        say("Ended. The same command goes on from here")
        raise
    if failed:
        names = ", ".join(f"{run.variant} with seed {run.seed}" for run in failed)
        raise RuntimeError(Errors.CT704.format(n=len(failed), total=len(missing), names=names))


def _last_line(log: Path, start: int) -> str:
    """RETURNS (str): The last line behind a byte of a log; "" where there is none."""
    text = log.read_bytes()[start:].decode("utf8", errors="replace") if log.is_file() else ""
    return text.strip().split("\n")[-1]


def tables(runs: Sequence[Run]) -> Dict[str, List[Row]]:
    """RETURNS (Dict[str, List[Row]]): By score, a row for each variant, the base first.
    RAISES (ValueError): CT706 without any score."""
    results: Dict[str, List[Any]] = {}
    for run in runs:
        results.setdefault(run.variant, []).append(run.read())
    names = dict.fromkeys(score for some in results.values() for result in some for score in result["scores"])
    if not names:
        raise ValueError(Errors.CT706)
    return {score: _rows(score, results) for score in names}


def _rows(score: str, results: Mapping[str, List[Any]]) -> List[Row]:
    having = {name: some for name, some in results.items() if all(score in result["scores"] for result in some)}
    counts = {name: [np.array(r["counts"][score]) for r in some] for name, some in having.items()}
    return [
        Row(
            name,
            [result["scores"][score] for result in some],
            compare_counts(counts[BASE], counts[name]) if name != BASE and BASE in counts else None,
        )
        for name, some in having.items()
    ]
