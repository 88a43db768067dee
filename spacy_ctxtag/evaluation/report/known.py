"""What is known of the training data: which mentions and words it has, and how often."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, Mapping, Optional

from spacy.language import Language
from spacy.tokens import Doc

from ..mentions import hash_mention

ENTS, GROUP = "ents", "spans:"  # identities of layers: doc.ents, doc.spans[key]


@dataclass(frozen=True)
class Known:
    """The training data.

    about (Optional[Dict]): `train` of the schema.
    mentions (Mapping[str, Mapping[str, int]]): By identity of a layer, how often each mention is annotated, by hash.
    words (Optional[Mapping[str, int]]): How often each word occurs.
    has_counts (bool): Whether it is known how often, or only what.
    """

    about: Optional[Dict[str, Any]] = None
    mentions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    words: Optional[Mapping[str, int]] = None
    has_counts: bool = False


def known_of_docs(docs: Iterable[Doc], path: str, sha256: str) -> Known:
    """RETURNS (Known): What annotated documents have; one is kept at a time.

    path (str): Where they are from. sha256 (str): Of these files.
    """
    mentions: Dict[str, Counter[str]] = {}
    words: Counter[str] = Counter()
    n_docs = n_tokens = 0
    for doc in docs:
        n_docs += 1
        seen = [token.text for token in doc if not token.is_space]
        n_tokens += len(seen)
        words.update(seen)
        layers: Dict[str, Any] = {f"{GROUP}{key}": group for key, group in doc.spans.items()}
        if doc.has_annotation("ENT_IOB"):
            layers[ENTS] = doc.ents
        for layer, spans in layers.items():
            mentions.setdefault(layer, Counter()).update(hash_mention(span.text, span.label_) for span in spans)
    about = {"source": "file", "path": path, "sha256": sha256, "documents": n_docs, "tokens": n_tokens}
    return Known(about, mentions, words, has_counts=True)


def known_of_pipeline(nlp: Language) -> Known:
    """RETURNS (Known): The entities that a pipeline has learned from, as its `ctx_ner` keep them."""
    settings = [getattr(pipe, "cfg", None) for _, pipe in nlp.pipeline]
    hashes = [each for cfg in settings if isinstance(cfg, dict) for each in cfg.get("train_mentions") or ()]
    about = {"source": "pipeline", "path": None, "sha256": None, "documents": None, "tokens": None}
    return Known(about, {ENTS: dict.fromkeys(hashes, 1)}) if hashes else Known()
