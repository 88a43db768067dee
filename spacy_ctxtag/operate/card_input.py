"""What a model card is made from: reports, manifests and notes are read, and checked against the pipeline."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

import srsly

from ..errors import Errors

MARKER = "<!-- notes: what stands below this line is yours, and stays when the card is written again -->"
IN_REPORT = ("schema_version", "model", "data", "train", "versions", "run", "components")
IN_MANIFEST = ("config", "data", "packages", "machine", "start", "end", "seed")
SCHEMA = 1  # of reports

Json = Dict[str, Any]


@dataclass(frozen=True)
class Notes:
    """What nobody can measure, from a YAML file.

    description (str): In a sentence. intended_use, out_of_scope, limits (List[str]): Paragraphs, or items.
    labels (Dict[str, str]): By label, what it means.
    data (Dict[str, Dict]): By "train", "dev" or "test": name, url, author, licence, about.
    sources (List[Dict]): What else the pipeline is made of: name, url, author, licence.
    """

    description: str = ""
    intended_use: List[str] = field(default_factory=list)
    out_of_scope: List[str] = field(default_factory=list)
    limits: List[str] = field(default_factory=list)
    labels: Dict[str, str] = field(default_factory=dict)
    data: Dict[str, Dict[str, str]] = field(default_factory=dict)
    sources: List[Dict[str, str]] = field(default_factory=list)


def read_report(path: Path) -> Json:
    """RETURNS (Dict[str, Any]): What `ctx evaluate` has written. RAISES (ValueError): CT780."""
    report = _read_json(path, "report.json", "ctx evaluate", IN_REPORT)
    if report["schema_version"] != SCHEMA:
        problem = f"its schema_version is {report['schema_version']!r}, not {SCHEMA}"
        raise ValueError(Errors.CT780.format(path=path, problem=problem, name="report.json", command="ctx evaluate"))
    return report


def read_manifest(path: Path) -> Json:
    """RETURNS (Dict[str, Any]): What `ctx train` has written. RAISES (ValueError): CT780."""
    return _read_json(path, "manifest.json", "ctx train", IN_MANIFEST)


def _read_json(path: Path, name: str, command: str, keys: Tuple[str, ...]) -> Json:
    try:
        found: Any = json.loads(path.read_text(encoding="utf8"))
        lacking = [key for key in keys if key not in found] if isinstance(found, dict) else keys
        if lacking:
            raise ValueError(f"it lacks {', '.join(lacking)}")
    except (OSError, ValueError) as error:
        raise ValueError(Errors.CT780.format(path=path, problem=error, name=name, command=command)) from error
    result: Json = found
    return result


def read_notes(path: Path) -> Notes:
    """RETURNS (Notes): Of a YAML file. RAISES (ValueError): CT782 for one that holds something else."""
    try:
        found: Any = srsly.read_yaml(path)
    except Exception as error:  # the parser has errors of its own
        raise ValueError(Errors.CT782.format(path=path, problem=error)) from error
    if not isinstance(found, dict):
        raise ValueError(Errors.CT782.format(path=path, problem=f"met {found!r}"))
    for key, value in found.items():
        if key not in SHAPES or not SHAPES[key](value):
            raise ValueError(Errors.CT782.format(path=path, problem=f"met {key!r} with {value!r}"))
    paragraphs = {key: [found[key]] for key in ("intended_use", "out_of_scope", "limits") if _is_text(found.get(key))}
    return Notes(**{**found, **paragraphs})


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_paragraphs(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, list) and all(map(_is_text, value)))


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, [*value, *value.values()]))


SHAPES: Dict[Any, Callable[[Any], bool]] = {
    "description": _is_text,
    "intended_use": _are_paragraphs,
    "out_of_scope": _are_paragraphs,
    "limits": _are_paragraphs,
    "labels": _are_texts,
    "data": lambda value: (
        isinstance(value, dict) and all(map(_is_text, value)) and all(map(_are_texts, value.values()))
    ),
    "sources": lambda value: isinstance(value, list) and all(_are_texts(each) and "name" in each for each in value),
}


def read_kept(path: Path) -> str:
    """RETURNS (str): The notes at the end of a card that was written before; nothing where there is no file.

    RAISES (ValueError): CT783 for a README that was not written here.
    """
    if not path.is_file():
        return ""
    _, marker, kept = path.read_text(encoding="utf8").partition(MARKER)
    if not marker:
        raise ValueError(Errors.CT783.format(path=path))
    return kept.strip("\n")


def check(meta: Json, config: Mapping[str, Any], report: Json, manifest: Optional[Json] = None) -> None:
    """RAISES (ValueError): CT781 for a report, or a manifest, of another pipeline."""
    model, prefix = report["model"], f"{meta['lang']}_"
    labels = {name: sorted(each) for name, each in (meta.get("labels") or {}).items() if name in model["labels"]}
    pairs: List[Tuple[str, str, Any, Any]] = [
        ("report", "lang", model["lang"], meta["lang"]),
        ("report", "name", model["name"].removeprefix(prefix), meta["name"].removeprefix(prefix)),
        ("report", "version", model["version"], meta["version"]),
        ("report", "pipeline", model["pipeline"], meta["pipeline"]),
        ("report", "labels", {name: sorted(each) for name, each in model["labels"].items()}, labels),
    ]
    if manifest is not None:
        trained = manifest["config"].get("nlp", {})
        pairs += [("manifest", key, trained.get(key), config["nlp"][key]) for key in ("lang", "pipeline")]
    for what, key, met, expected in pairs:
        if met != expected:
            raise ValueError(Errors.CT781.format(what=what, key=key, met=met, expected=expected))
