"""Remember which texts a pipeline was trained on, as hashes in its meta, so that later steps can refuse them."""

import hashlib
from typing import Any, Dict, Iterable

META_KEY = "ctx_training_texts"


def hash_text(text: str) -> str:
    """RETURNS (str): 16 hexadecimal digits (64 bits) of the text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def record_training_texts(meta: Dict[str, Any], texts: Iterable[str]) -> None:
    """Add the hashes of texts to a pipeline's meta, sorted, each once."""
    known = set(meta.get(META_KEY, ()))
    meta[META_KEY] = sorted(known.union(hash_text(text) for text in texts))
