"""What a report says of the pipeline, the data and the run: names, sizes, hashes, versions."""

import hashlib
import platform
from collections import Counter
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional

from spacy.language import Language

from ... import __version__
from .known import ENTS, GROUP
from .parts import MOST, REST, UNKNOWN
from .records import Frame

PACKAGES = ("spacy", "thinc", "torch", "transformers", "spacy-transformers", "numpy", "scipy", "nervaluate")
ENCODER = "spacy-ctxtag.Encoder"  # how the names of our encoders begin
TAGS = {"tag": "token.tag", "pos": "token.pos"}


class Layer(NamedTuple):
    """Something that is annotated.

    kind (str): spans or tags. attribute (str): Where it is in a Doc.
    """

    kind: str
    attribute: str


def layer_of(identity: str) -> Layer:
    """RETURNS (Layer): What an identity stands for: ents, spans:KEY, tag, pos."""
    if identity.startswith(GROUP):
        return Layer("spans", f"doc.spans[{identity.removeprefix(GROUP)!r}]")
    return Layer("spans", "doc.ents") if identity == ENTS else Layer("tags", f"{TAGS[identity]}_")


def find_setters(nlp: Language) -> Dict[str, List[str]]:
    """RETURNS (Dict[str, List[str]]): By identity of a layer, the components that say that they set it, in order."""
    found: Dict[str, List[str]] = {}
    for name, pipe in nlp.pipeline:
        assigns = nlp.get_pipe_meta(name).assigns
        target = getattr(pipe, "target", None)  # of ctx_tagger, which sets one of two
        layers = [tag for tag, attribute in TAGS.items() if attribute in assigns and target in (None, tag)]
        layers += [ENTS] if "doc.ents" in assigns else []
        key = _key_of(pipe)
        layers += [f"{GROUP}{key}"] if key and "doc.spans" in assigns else []
        for layer in layers:
            found.setdefault(layer, []).append(name)
    return found


def _key_of(pipe: Any) -> Optional[str]:
    """The key in doc.spans that a component sets: of ctx_chunker, spancat, span_ruler."""
    cfg = getattr(pipe, "cfg", None)
    in_cfg = cfg.get("spans_key") if isinstance(cfg, dict) else None  # of span_finder
    keys = (getattr(pipe, "spans_key", None), getattr(pipe, "key", None), in_cfg)
    return next((key for key in keys if isinstance(key, str)), None)


def describe_model(nlp: Language, path: str) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): `model` of the schema."""
    meta = nlp.meta
    labels = {name: list(nlp.pipe_labels.get(name, ())) for name in nlp.pipe_names}
    config = nlp.config.get("components", {})
    precisions = {name: _precision(config.get(name, {})) for name in nlp.pipe_names}
    return {
        "name": f"{nlp.lang}_{meta['name']}",
        "version": meta["version"],
        "lang": nlp.lang,
        "description": meta.get("description") or "",
        "license": meta.get("license") or "",
        "path": path,
        "pipeline": list(nlp.pipe_names),
        "labels": {name: found for name, found in labels.items() if found},
        "precision": {name: found for name, found in precisions.items() if found},
    }


def _precision(config: Any) -> Optional[str]:
    """The numbers of the first encoder of ours in a section of a config."""
    if not isinstance(config, dict):
        return None
    if str(config.get("@architectures", "")).startswith(ENCODER):
        return str(config["precision"]) if "precision" in config else None
    return next(filter(None, map(_precision, config.values())), None)


class DataReport:
    """Adds up documents.

    is_trained_on (Optional[Callable[[str], bool]]): Whether the pipeline has learned from a text; None: not known.
    """

    def __init__(self, path: str, sha256: str, is_trained_on: Optional[Callable[[str], bool]]) -> None:
        self._about = {"path": path, "sha256": sha256}
        self._is_trained_on = is_trained_on
        self._trained_on = 0
        self._sizes: Counter[str] = Counter()
        self._domains: Dict[str, Counter[str]] = {}

    def add(self, frame: Frame) -> None:
        """Add a document."""
        n_tokens = sum(frame.lengths)
        sizes = {"documents": 1, "sentences": len(frame.sequences), "tokens": n_tokens, "characters": len(frame.text)}
        self._sizes.update(sizes)
        domain = UNKNOWN if frame.domain is None else frame.domain
        is_listed = domain in self._domains or len(self._domains) < MOST
        of_domain = self._domains.setdefault(domain if is_listed else REST, Counter())
        of_domain.update({name: sizes[name] for name in ("documents", "tokens")})
        if self._is_trained_on is not None:
            self._trained_on += self._is_trained_on(frame.text)

    @property
    def documents(self) -> int:
        """RETURNS (int): How many there were."""
        return self._sizes["documents"]

    def result(self) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): `data` of the schema."""
        names = sorted(self._domains, key=lambda name: (-self._domains[name]["documents"], name))
        return {
            **self._about,
            **{name: self._sizes[name] for name in ("documents", "sentences", "tokens", "characters")},
            "domains": [{"name": name, **self._domains[name]} for name in names],
            "trained_on": None if self._is_trained_on is None else self._trained_on,
        }


def describe_versions() -> Dict[str, str]:
    """RETURNS (Dict[str, str]): `versions` of the schema."""
    found = {"spacy-ctxtag": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def digest(paths: Iterable[Path]) -> str:
    """RETURNS (str): SHA-256 of the bytes of files, one after the other."""
    sha = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(2**20):
                sha.update(block)
    return sha.hexdigest()
