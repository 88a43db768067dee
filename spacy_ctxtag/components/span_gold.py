"""Where a span head finds its gold: `doc.ents`, or a group in `doc.spans`; moved to the tokens of the predicted Doc."""

from dataclasses import dataclass
from itertools import pairwise
from typing import List, NamedTuple, Optional, Sequence, Set, Union

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IS_SPACE
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..data.joined import ANNOTATED_LABELS
from ..data.records import doc_meta
from ..errors import Errors

OUTSIDE = 2  # spaCy's number for it in token.ent_iob


class Annotation(NamedTuple):
    """What a reference says about T tokens of the predicted Doc.

    spans (List[Span]): Those that lie on its tokens, none of them overlapping.
    missing (ndarray): (T,) bool, tokens outside of these whose annotation is not known.
    labels (Optional[Sequence[str]]): The labels that were annotated; None: all.
    """

    spans: List[Span]
    missing: NDArray[np.bool_]
    labels: Optional[Sequence[str]] = None


@dataclass(frozen=True)
class EntityGold:
    """`doc.ents`. A reference without any entity annotation says nothing."""

    what = "entity"

    def is_in(self, doc: Doc) -> bool:
        """RETURNS (bool): Whether entities are annotated in a reference."""
        return bool(doc.has_annotation("ENT_IOB"))

    def labels_of(self, doc: Doc) -> Set[str]:
        """RETURNS (Set[str]): The labels that occur in a reference."""
        return {ent.label_ for ent in doc.ents}

    def check(self, doc: Doc, labels: Sequence[str]) -> None:
        """Entities never overlap."""

    def read(self, example: Example, labels: Sequence[str]) -> Annotation:
        """RETURNS (Annotation): The entities that have one of the labels; others count as outside."""
        predicted, reference = example.predicted, example.reference
        annotated = reference.user_data.get(ANNOTATED_LABELS)
        if not self.is_in(reference):
            return Annotation([], np.ones((len(predicted),), dtype=bool), annotated)
        ents = example.get_aligned_spans_y2x(reference.ents)  # as `get_aligned_ner`, which takes ten times as long
        outside = np.array([iob == OUTSIDE for iob in example.get_aligned("ENT_IOB")], dtype=bool)
        missing = ~outside & (predicted.to_array([IS_SPACE]).reshape(-1) == 0)
        for ent in ents:
            missing[ent.start : ent.end] = False
        return Annotation([ent for ent in ents if ent.label_ in labels], missing, annotated)


@dataclass(frozen=True)
class GroupGold:
    """`doc.spans[key]`. A reference without the key says nothing; one with an empty group, that there is no span.

    name (str): Of the component, for errors.
    key (str): The key.
    """

    name: str
    key: str

    @property
    def what(self) -> str:
        return f"span in doc.spans[{self.key!r}]"

    def is_in(self, doc: Doc) -> bool:
        """RETURNS (bool): Whether a reference has the key."""
        return self.key in doc.spans

    def labels_of(self, doc: Doc) -> Set[str]:
        """RETURNS (Set[str]): The labels that occur in a reference."""
        return {span.label_ for span in doc.spans.get(self.key, ())}

    def check(self, doc: Doc, labels: Sequence[str]) -> List[Span]:
        """RETURNS (List[Span]): The spans of a reference that have one of the labels, in order.
        RAISES (ValueError): CT420 where two of them overlap.
        """
        group = [span for span in doc.spans.get(self.key, ()) if span.label_ in labels and len(span)]
        spans = sorted(group, key=lambda span: span.start)
        for one, other in pairwise(spans):
            if other.start < one.end:
                raise ValueError(
                    Errors.CT420.format(
                        name=self.name,
                        key=self.key,
                        doc=doc_meta(doc).get("id") or doc.text[:60],
                        one=_place(one),
                        other=_place(other),
                    )
                )
        return spans

    def read(self, example: Example, labels: Sequence[str]) -> Annotation:
        """RETURNS (Annotation): The spans that have one of the labels; others count as outside. What does not lie on
            the predicted tokens is missing.
        RAISES (ValueError): As `check`.
        """
        missing = np.full((len(example.predicted),), not self.is_in(example.reference))
        spans, align = self.check(example.reference, labels), example.alignment.y2x
        for span in spans:
            missing[align[span.start : span.end]] = True  # those of `aligned` come before that
        aligned: List[Span] = example.get_aligned_spans_y2x(spans, allow_overlap=True)
        return Annotation(aligned, missing)


GoldSource = Union[EntityGold, GroupGold]
ENTITIES = EntityGold()


def _place(span: Span) -> str:
    return f"{span.start_char} to {span.end_char} ({span.text!r}, {span.label_})"
