"""What a pipeline weighs, how fast it is, and how good."""

import contextlib
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Dict, Iterator, List, Sequence

from spacy.language import Language
from spacy.training import Example

from ..components.ctx_chunker import CtxChunker
from ..components.ctx_ner import CtxNER
from ..components.ctx_tagger import CtxTagger
from ..layers.hf_shim import HFShim
from ..layers.text_cache import TextCache

LEAST_WORDS = 2000  # to be timed at once


def encoders_of(pipe: Any) -> List[HFShim]:
    """RETURNS (List[HFShim]): The encoders inside a component; none in one without a model."""
    nodes: Any = pipe.model.walk() if hasattr(pipe, "model") else ()
    return [shim for node in nodes for shim in node.shims if isinstance(shim, HFShim)]


def count_parameters(nlp: Language) -> int:
    """RETURNS (int): The weights of all components."""
    return sum(_sizes(nlp))


def _sizes(nlp: Language) -> Iterator[int]:
    for _, pipe in nlp.pipeline:
        nodes: Any = pipe.model.walk() if hasattr(pipe, "model") else ()
        yield from (node.get_param(name).size for node in nodes for name in node.param_names if node.has_param(name))
        yield from (weight.numel() for shim in encoders_of(pipe) for weight in shim.module.parameters())


def count_bytes(nlp: Language) -> int:
    """RETURNS (int): What it takes on a disk."""
    with tempfile.TemporaryDirectory() as folder:
        nlp.to_disk(folder)
        return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


@contextlib.contextmanager
def like_in_use(pipelines: Sequence[Language], batch_size: int = 0) -> Iterator[None]:
    """In this context texts are read that were not read before: caches are off; and so many at once."""
    models: List[Any] = [getattr(pipe, "model", None) for nlp in pipelines for _, pipe in nlp.pipeline]
    nodes = [node for model in models if model is not None for node in model.walk()]
    caches = [shim for node in nodes for shim in node.shims if isinstance(shim, TextCache)]
    before = [nlp.batch_size for nlp in pipelines], [cache.limit for cache in caches]
    for nlp in pipelines:
        nlp.batch_size = batch_size or nlp.batch_size
    for cache in caches:
        cache.limit = 0
    try:
        yield
    finally:
        for nlp, size in zip(pipelines, before[0], strict=True):
            nlp.batch_size = size
        for cache, limit in zip(caches, before[1], strict=True):
            cache.limit = limit


def words_per_second(pipelines: Sequence[Language], texts: Sequence[str], repetitions: int) -> List[float]:
    """Time pipelines that take turns, so that what disturbs the machine disturbs all alike.

    texts (Sequence[str]): At least one that is not empty; they are repeated until there is enough to time.
    repetitions (int): Turns, after one that warms up.
    RETURNS (List[float]): For each pipeline the median over its turns.
    """
    words = [sum(len(nlp.make_doc(text)) for text in texts) for nlp in pipelines]
    times = -(-LEAST_WORDS // max(1, min(words)))
    found: List[List[float]] = [[] for _ in pipelines]
    for turn in range(1 + repetitions):
        for nlp, n, speeds in zip(pipelines, words, found, strict=True):
            start = time.perf_counter()
            for _ in nlp.pipe([*texts] * times):
                pass
            if turn:
                speeds.append(n * times / (time.perf_counter() - start))
    return [median(speeds) for speeds in found]


def score_heads(nlp: Language, heads: Sequence[str], examples: Sequence[Example]) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): The main score of heads, in percent, under its name in spaCy: "ents_f" for a `ctx_ner`,
    "spans_KEY_f" for a `ctx_chunker`, "tag_acc" or "pos_acc" for a `ctx_tagger`, for another component those that count
    in training; None where nothing is annotated."""
    scores = nlp.evaluate(examples)
    keys = {key for name in heads for key in _main_scores(nlp, name)}
    return {key: None if scores.get(key) is None else 100 * scores[key] for key in sorted(keys)}


def _main_scores(nlp: Language, name: str) -> List[str]:
    head = nlp.get_pipe(name)
    if isinstance(head, CtxNER):
        return ["ents_f"]
    if isinstance(head, CtxTagger):
        return [f"{head.target}_acc"]
    if isinstance(head, CtxChunker):
        return [f"spans_{head.spans_key}_f"]
    weights = nlp.get_pipe_meta(name).default_score_weights or {}
    return [key for key, weight in weights.items() if weight]
