"""A pipeline without an encoder, a report of it as `report.schema.json` says, and labels that nobody hopes to meet."""

import json
from pathlib import Path
from typing import Any

import spacy
import yaml

HOSTILE = "a|b `c` <script>alert(1)</script> [x](http://evil.example) **d** \\| # e\n\n---\n\n| 1 | 2 |\u202e"
LABELS = ["PERSON", "per-son", "Örtlichkeit", HOSTILE]
F1 = {"PERSON": 0.9, "per-son": 0.5, "Örtlichkeit": 0.75, HOSTILE: 0.6}


def make_model(folder: Path) -> Path:
    """Write a pipeline that finds entities of LABELS. RETURNS (Path): Its folder."""
    nlp = spacy.blank(
        "en", meta={"name": "finder", "version": "1.2.3", "author": "Ada <L>", "sources": ["Old | corpus"]}
    )
    ruler: Any = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": label, "pattern": f"word{i}"} for i, label in enumerate(LABELS)])
    nlp.to_disk(folder)
    return folder


def make_report(**changes: Any) -> dict[str, Any]:
    """RETURNS (dict): Of that pipeline: entities, and parts of speech that no component has set."""
    report: dict[str, Any] = {
        "schema_version": 1,
        "created": "2026-11-25T20:15:07Z",
        "model": {
            "name": "en_finder",
            "version": "1.2.3",
            "lang": "en",
            "description": "",
            "license": "",
            "path": "/home/somebody/finder",
            "pipeline": ["entity_ruler"],
            "labels": {"entity_ruler": LABELS},
            "precision": {},
        },
        "data": {
            "path": "/home/somebody/test_set.spacy",
            "sha256": "9f" * 32,
            "documents": 120,
            "sentences": 214,
            "tokens": 3556,
            "characters": 19872,
            "domains": [
                {"name": "news", "documents": 80, "tokens": 2475},
                {"name": "law|y", "documents": 40, "tokens": 1081},
            ],
            "trained_on": 0,
        },
        "train": None,
        "versions": {"spacy": "3.8.18", "python": "3.11.9"},
        "run": {
            "seconds": 1.184,
            "words_per_second": 3003.4,
            "device": "cpu",
            "batch_size": 64,
            "n_samples": 1000,
            "seed": 0,
        },
        "components": [make_spans(), make_tags()],
    }
    return {**report, **changes}


def make_spans(**changes: Any) -> dict[str, Any]:
    """RETURNS (dict): The part of a report about entities."""
    labels = [
        {"name": name, "gold": 15 + 20 * i, "predicted": 9, "correct": 9, **scores(F1[name])}
        for i, name in enumerate(LABELS)
    ]
    return {
        "kind": "spans",
        "id": "ents",
        "attribute": "doc.ents",
        "set_by": ["entity_ruler"],
        "has_probabilities": True,
        "documents": 120,
        "averages": {key: scores(0.8) for key in ("micro", "macro", "macro_gold", "weighted")},
        "labels": labels,
        "sequences": accuracy(0.7),
        "breakdowns": [
            {"by": "domain", "unit": "", "rows": [row("news", 0.85), row("law|y", 0.65)]},
            {"by": "seen", "unit": "", "rows": [row("seen", 0.93), row("unseen", 0.77)]},
            {"by": "sentence_length", "unit": "tokens", "rows": [row("1 to 10", 0.9), row("41 to 80", 0.7)]},
            {"by": "mention_length", "unit": "tokens", "rows": [row("1", 0.8), row("5 or more", 0.79)]},
        ],
        "calibration": {
            "n": 243,
            "mean_probability": 0.875,
            "share_right": 0.84,
            "ece": 0.045,
            "ece_adaptive": 0.05,
            "brier": 0.098,
            "log_loss": 0.334,
            "bins": [],
        },
        "unavailable": [
            {"analysis": "nesting", "reason": "doc.ents cannot overlap"},
            {"analysis": "train_frequency", "reason": "name it with --train"},
        ],
        **changes,
    }


def make_tags(**changes: Any) -> dict[str, Any]:
    """RETURNS (dict): The part of a report about parts of speech."""
    labels = [{"name": name, "gold": 100, "predicted": 100, "correct": 95, **scores(0.95)} for name in ("NOUN", "X")]
    return {
        "kind": "tags",
        "id": "pos",
        "attribute": "token.pos_",
        "set_by": [],
        "has_probabilities": False,
        "documents": 120,
        "averages": {key: scores(0.95) for key in ("micro", "macro", "macro_gold", "weighted")},
        "accuracy": accuracy(0.95),
        "sequences": accuracy(0.5),
        "labels": labels,
        "breakdowns": [],
        "calibration": None,
        "unavailable": [],
        **changes,
    }


def scores(value: float) -> dict[str, Any]:
    interval = {"low": value - 0.05, "high": value + 0.05}
    keys = ("precision", "recall", "f1")
    return {**dict.fromkeys(keys, value), "intervals": dict.fromkeys(keys, interval)}


def accuracy(value: float) -> dict[str, Any]:
    return {"correct": 9, "total": 200, "accuracy": value, "interval": {"low": value - 0.05, "high": value + 0.05}}


def row(name: str, value: float) -> dict[str, Any]:
    return {"name": name, "gold": 50, "predicted": 50, "correct": 40, "precision": value, "recall": value, "f1": value}


def make_manifest(train: Path, **changes: Any) -> dict[str, Any]:
    """RETURNS (dict): Of the training of that pipeline on a file."""
    from spacy_ctxtag.data.config_files import hash_path

    return {
        "status": "finished",
        "start": "2026-11-25T19:00:00+00:00",
        "end": "2026-11-25T20:00:00+00:00",
        "command": ["python"],
        "seed": 7,
        "deterministic": True,
        "config": {"nlp": {"lang": "en", "pipeline": ["entity_ruler"]}, "paths": {"train": str(train), "dev": None}},
        "data": {str(train): hash_path(train), "weights/bert": "ab" * 32},
        "code": None,
        "git": {"commit": "1234abcd", "dirty": True},
        "packages": {"spacy": "3.8.18", "thinc": "8.3.14", "unrelated": "1"},
        "machine": {"python": "3.11.7", "cpu": "A | CPU", "cores": 2, "threads": 1, "gpus": []},
        "resumed": [],
        "steps": 1200,
        "best": {"score": 0.81, "step": 1000},
        **changes,
    }


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf8")
    return path


def front_matter(readme: str) -> dict[str, Any]:
    """RETURNS (dict): The YAML at the head of a card."""
    _, front, _ = readme.split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(front)
    return found
