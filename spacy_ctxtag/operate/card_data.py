"""What a pipeline was made of, for its card: data and their sizes, weights that others have trained, licences."""

import re
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

import spacy

from ..data.config_files import hash_path
from ..data.corpus import read_docs
from ..data.sources import ReadOptions
from ..data.statistics import ENTITIES, SplitStatistics
from ..layers.backbone import MINILM_NAME
from ..training.fingerprint import META_KEY as TRAINED
from .card_input import Json, Notes

ENCODER, MINILM, HUB = "spacy-ctxtag.Encoder.", "spacy-ctxtag.MiniLM.v1", "https://huggingface.co/"
ARCHITECTURES = "@architectures"
TRANSFORMER = re.compile(r"spacy-transformers\.(TransformerModel|Tok2VecTransformer)\.")
HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
IN_META = {"name": "name", "url": "url", "author": "author", "licence": "license"}


def describe_data(report: Json, run: Json, meta: Json, notes: Notes) -> Tuple[List[Json], Mapping[str, int]]:
    """RETURNS (Tuple): A row for each split, the test data last; and how often each label is annotated in train."""
    nothing = dict.fromkeys(("url", "author", "licence", "about", "documents", "tokens", "sha256"))
    rows: Dict[str, Json] = {split: {} for split in notes.data if split != "test"}
    in_train: Mapping[str, int] = {}
    train = report["train"] or {}
    if train.get("source") == "file":
        rows["train"] = _row(train)
    elif meta.get(TRAINED):
        rows["train"] = {"documents": len(meta[TRAINED]), "name": "different texts, as the pipeline remembers them"}
    paths = {path: split for split, path in run.get("config", {}).get("paths", {}).items() if split != "test"}
    for path, sha256 in run.get("data", {}).items():
        if path not in paths:
            continue
        counts = count_data(Path(path), sha256, meta["lang"], _reader_of(path, run))
        sizes = {"documents": counts.docs, "tokens": counts.tokens} if counts else {}
        rows[paths[path]] = _row({"path": path, "sha256": sha256, **sizes})
        in_train = counts.of(ENTITIES) if counts and paths[path] == "train" else in_train
    rows["test"] = _row(report["data"])
    return [
        {**nothing, "name": "–", "split": split, **row, **british(notes.data.get(split, {}))}
        for split, row in rows.items()
    ], in_train


def _row(about: Json) -> Json:
    return {"name": shown(about["path"]), **{key: about.get(key) for key in ("documents", "tokens", "sha256")}}


def _reader_of(path: str, run: Json) -> Json:
    """RETURNS (Dict): The settings of the run's reader of a path; nothing if no reader names it."""
    return next((each for each in blocks_in(run["config"], "@readers") if each.get("path") == path), {})


def count_data(path: Path, sha256: str, lang: str, reader: Json) -> Optional[SplitStatistics]:
    """Count annotated texts as a run has read them: whole documents, whether or not it has cut them into sentences.

    reader (Dict): The settings of a corpus reader; `options` and `limit` matter.
    RETURNS (Optional[SplitStatistics]): The counts, if the texts are still there and the same.
    """
    try:
        if not path.exists() or hash_path(path) != sha256:
            return None
        found = SplitStatistics(path.name)
        docs = read_docs(path, spacy.blank(lang), ReadOptions.from_dict(reader.get("options") or {}))
        for doc in filter(len, islice(docs, reader.get("limit") or None)):  # nothing is learnt from an empty one
            found.add(doc)
    except (OSError, TypeError, ValueError):  # data errors, too, and settings of a reader that is not ours
        return None
    return found


def blocks_in(config: Mapping[str, Any], key: str) -> Iterator[Json]:
    """YIELDS (Dict): The blocks of a config that have a key, such as "@readers", also those inside of others."""
    if key in config:
        yield dict(config)
    for value in config.values():
        if isinstance(value, dict):
            yield from blocks_in(value, key)


def encoders_in(config: Mapping[str, Any]) -> List[Json]:
    """RETURNS (List[Dict]): The configs of all encoders of ours in a part of a config."""
    return [each for each in blocks_in(config, ARCHITECTURES) if str(each[ARCHITECTURES]).startswith(ENCODER)]


def pretrained_in(config: Mapping[str, Any], run: Json) -> List[Dict[str, str]]:
    """RETURNS (List[Dict]): What a pipeline began with: weights of encoders, ours and those of spacy-transformers, with
    a url if they are on the hub; word vectors, and other weights that it was initialized with."""
    found = [_backbone_of(encoder, run) for encoder in encoders_in(config["components"])]
    for each in blocks_in(config["components"], ARCHITECTURES):
        if TRANSFORMER.match(str(each[ARCHITECTURES])) and each.get("name"):
            found.append(_weights(str(each["name"]), run))
    initialize = config.get("initialize") or {}
    named = (initialize.get(key) for key in ("vectors", "init_tok2vec"))
    return found + [{"name": Path(name).name} for name in named if name]


def _backbone_of(encoder: Json, run: Json) -> Dict[str, str]:
    backbone = encoder.get("backbone") or {}
    if backbone.get("@misc") == MINILM:
        return {"name": MINILM_NAME, "url": HUB + MINILM_NAME, "licence": "Apache-2.0"}
    return _weights(str(backbone.get("name") or "weights that the config does not name"), run)


def _weights(name: str, run: Json) -> Dict[str, str]:
    is_folder = name in run.get("data", {}) or Path(name).is_dir() or not HUB_NAME.fullmatch(name)
    return {"name": Path(name).name} if is_folder else {"name": name, "url": HUB + name}


def sources_of(pretrained: List[Dict[str, str]], notes: Notes) -> List[Dict[str, str]]:
    """RETURNS (List[Dict]): What a pipeline is made of, each name once, as meta has it: name, url, author, license."""
    named = map(british, [*pretrained, *notes.data.values(), *notes.sources])
    rows = [{key: each[old] for old, key in IN_META.items() if each.get(old)} for each in named if each.get("name")]
    return list({row["name"]: row for row in rows}.values())


def with_others(sources: List[Dict[str, str]], others: List[Any]) -> List[Dict[str, str]]:
    """RETURNS (List[Dict]): The sources that a meta has had, and these, which replace those of the same name."""
    names = {source["name"] for source in sources}
    named = [each if isinstance(each, dict) else {"name": str(each)} for each in others]
    return [each for each in named if each.get("name") not in names] + sources


def british(source: Mapping[str, str]) -> Dict[str, str]:
    """RETURNS (Dict): The same, with "licence" for "license"."""
    return {"licence" if key == "license" else key: value for key, value in source.items()}


def shown(path: Any) -> str:
    """RETURNS (str): A path, without the folders of a machine."""
    return Path(path).name if Path(path).is_absolute() else str(path)
