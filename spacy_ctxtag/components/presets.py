"""What a Doc comes with: entities and blocked tokens that others have set, and what they leave over for the chains.

Entities that the component itself has set in an earlier run are told apart by its span group, so that a second run
decides them anew.
"""

from typing import List, NamedTuple, Optional, Sequence

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import ENT_IOB, ENT_TYPE
from spacy.tokens import Doc, Span

from ..tags import Grammar
from .span_scores import own_entities
from .token_chains import DocChains, preset_masks


class Presets(NamedTuple):
    """What of a Doc is fixed.

    entities: Entities set by an earlier component or a person.
    blocked: Tokens that are closed to entities, each as a Span.
    """

    entities: List[Span]
    blocked: List[Span]

    def without(self, span: Span) -> "Presets":
        """RETURNS (Presets): Those that do not overlap a span."""

        def clear(other: Span) -> bool:
            return other.end <= span.start or span.end <= other.start

        return Presets([ent for ent in self.entities if clear(ent)], [block for block in self.blocked if clear(block)])


NOTHING = Presets([], [])


def find_presets(doc: Doc, name: str) -> Presets:
    """Read the presets of a Doc for the component `name`."""
    if not doc.has_annotation("ENT_IOB"):
        return NOTHING
    own = own_entities(doc, name)
    entities = [ent for ent in doc.ents if (ent.start_char, ent.end_char, ent.label_) not in own]
    iob, label = doc.to_array([ENT_IOB, ENT_TYPE]).reshape(-1, 2).T
    blocked = [doc[i : i + 1] for i in np.flatnonzero((iob == 3) & (label == 0)).tolist()]
    return Presets(entities, blocked)


def masks_of(
    presets: Presets, labels: Sequence[str], grammar: Grammar, doc: Doc, chains: DocChains
) -> List[Optional[NDArray[np.bool_]]]:
    """RETURNS (List): For each chain the tags that the presets leave over, or None where they leave all."""
    if not presets.entities and not presets.blocked:
        return [None] * len(chains.tokens)
    taken = np.zeros((len(doc),), dtype=bool)
    spans = []
    for ent in presets.entities:
        if ent.label_ in labels:
            spans.append((ent.start, ent.end, labels.index(ent.label_)))
        else:
            taken[ent.start : ent.end] = True
    for block in presets.blocked:
        taken[block.start : block.end] = True
    return preset_masks(grammar, spans, taken, chains)
