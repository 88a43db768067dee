"""What `ctx_ner` writes into a Doc: entities, and span groups with their probabilities and those of others."""

from typing import Iterable, List, Sequence, Tuple

from spacy.tokens import Doc, Span

from ..tags import LabelSpan
from .ner_decoder import Decoding, Entities
from .presets import Presets
from .span_scores import Scored, drop_groups, store_group, store_scores

ALTERNATIVES, BEST = "_alternatives", "_best_"  # behind the component's name: keys in doc.spans


def annotate(
    doc: Doc, found: Entities, presets: Presets, name: str, labels: Sequence[str], how: Decoding, threshold: float
) -> None:
    """Set the entities of a Doc that are probable enough, beside those that others have set, and store the scores.

    An entity that is dropped for its probability is an alternative, if those are asked for.
    """

    def scored(pairs: Iterable[Tuple[LabelSpan, float]]) -> List[Scored]:
        return [Scored(Span(doc, i, j, label=labels[k]), score) for (i, j, k), score in pairs]

    fixed = [Scored(ent, 1.0, is_preset=True) for ent in presets.entities]
    taken = {i for ent in presets.entities for i in range(ent.start, ent.end)}
    best = scored(zip(found.spans, found.scores, strict=True))
    free = [each for each in best if taken.isdisjoint(range(each.span.start, each.span.end))]
    least = {label: how.thresholds.get(label, threshold) for label in labels}
    kept = [each for each in free if each.score >= least[each.span.label_]]
    doc.set_ents([each.span for each in [*fixed, *kept]], blocked=presets.blocked, default="outside")
    drop_groups(doc, name + ALTERNATIVES, name + BEST)  # an earlier run's
    known = [each for each in fixed if each.span.label_ in least]
    store_scores(doc, name, [*known, *kept], how.score_maps, how.temperature)
    if how.alternatives is not None:
        dropped = [each for each in free if each not in kept and each.score >= how.alternatives]
        others = [*dropped, *scored(found.alternatives)]
        store_scores(doc, name + ALTERNATIVES, others, how.score_maps, how.temperature)
    for rank, (spans, probability) in enumerate(found.analyses, start=1):
        analysis = [each.span for each in scored((span, probability) for span in spans)]
        store_group(doc, f"{name}{BEST}{rank}", analysis, probability=probability)
