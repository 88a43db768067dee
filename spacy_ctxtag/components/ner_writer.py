"""What `ctx_ner` and `ctx_chunker` write into a Doc: spans with their probabilities, and those of others."""

import re
from typing import Iterable, List, Sequence, Tuple

from spacy.tokens import Doc, Span

from ..tags import LabelSpan
from .ner_decoder import Decoding, Entities
from .presets import Presets
from .span_scores import Scored, drop_groups, store_group, store_scores

ALTERNATIVES, BEST = "_alternatives", "_best_"  # behind a key in doc.spans


def annotate(
    doc: Doc, found: Entities, presets: Presets, name: str, labels: Sequence[str], how: Decoding, threshold: float
) -> None:
    """Set the entities of a Doc that are probable enough, beside those that others have set, and store the scores."""
    kept = store(doc, found, presets, name, labels, how, threshold)
    doc.set_ents([*presets.entities, *kept], blocked=presets.blocked, default="outside")


def store(
    doc: Doc, found: Entities, presets: Presets, key: str, labels: Sequence[str], how: Decoding, threshold: float
) -> List[Span]:
    """Put the spans of a Doc that are probable enough, and presets, into `doc.spans[key]`, with their scores; beside
    it what else the config asks for. A span that is dropped for its probability is an alternative.

    RETURNS (List[Span]): The spans, without presets.
    """

    def scored(pairs: Iterable[Tuple[LabelSpan, float]]) -> List[Scored]:
        return [Scored(Span(doc, i, j, label=labels[k]), score) for (i, j, k), score in pairs]

    fixed = [Scored(ent, 1.0, is_preset=True) for ent in presets.entities]
    taken = {i for ent in presets.entities for i in range(ent.start, ent.end)}
    best = scored(zip(found.spans, found.scores, strict=True))
    free = [each for each in best if taken.isdisjoint(range(each.span.start, each.span.end))]
    least = {label: how.thresholds.get(label, threshold) for label in labels}
    kept = [each for each in free if each.score >= least[each.span.label_]]
    drop_groups(doc, key)  # an earlier run's
    known = [each for each in fixed if each.span.label_ in least]
    store_scores(doc, key, [*known, *kept], how.score_maps, how.temperature)
    if how.alternatives is not None:
        dropped = [each for each in free if each not in kept and each.score >= how.alternatives]
        others = [*dropped, *scored(found.alternatives)]
        store_scores(doc, key + ALTERNATIVES, others, how.score_maps, how.temperature, key)
    for rank, (spans, probability) in enumerate(found.analyses, start=1):
        analysis = [each.span for each in scored((span, probability) for span in spans)]
        store_group(doc, f"{key}{BEST}{rank}", analysis, key, probability=probability)
    return [each.span for each in kept]


def keys_clash(one: str, other: str) -> bool:
    """RETURNS (bool): Whether what is stored for a key of doc.spans may replace what is stored for another."""

    def writes(key: str, found: str) -> bool:
        return re.fullmatch(rf"{re.escape(key)}({ALTERNATIVES}|{BEST}\d+)?", found) is not None

    return writes(one, other) or writes(other, one)
