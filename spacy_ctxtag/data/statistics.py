"""Counts of a split: documents, sentences, tokens, labels by layer, and which mentions are new. It judges nothing.

A layer is "entities", "tags" (`tag_`; a `pos_` has one of a fixed set of labels), or "doc.spans['…']" with its key.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from spacy.tokens import Doc

ENTITIES, TAGS = "entities", "tags"

Mention = Tuple[str, str]  # surface, label


@dataclass
class SplitStatistics:
    """Counts of one split.

    name (str): The split.
    docs, sents, tokens (int): How many; a document without sentence starts counts as no sentence.
    tagged (int): Tokens with a `tag_` or a `pos_`.
    unknown (int): Tokens of which it is not known whether they belong to an entity.
    inside (int): Tokens that belong to an entity.
    labels (Dict[str, Counter]): By the layer, how often each label occurs; only layers that occur.
    mentions (Counter): Entities by surface and label.
    domains (Counter): Documents by the metadata's "domain", where there is one.
    """

    name: str
    docs: int = 0
    sents: int = 0
    tokens: int = 0
    tagged: int = 0
    unknown: int = 0
    inside: int = 0
    labels: Dict[str, "Counter[str]"] = field(default_factory=dict)
    mentions: "Counter[Mention]" = field(default_factory=Counter)
    domains: "Counter[str]" = field(default_factory=Counter)

    def add(self, doc: Doc, domain: str = "") -> None:
        """Count a document.

        doc (Doc): The document.
        domain (str): Its domain; "" for none.
        """
        self.docs += 1
        self.sents += sum(1 for token in doc if token.is_sent_start) if doc.has_annotation("SENT_START") else 0
        self.tokens += len(doc)
        self.tagged += sum(1 for token in doc if token.tag or token.pos)
        self.unknown += sum(1 for token in doc if token.ent_iob == 0)
        for layer, label, _ in labels_of(doc):
            self.labels.setdefault(layer, Counter())[label] += 1
        for ent in doc.ents:
            self.inside += len(ent)
            self.mentions[ent.text, ent.label_] += 1
        if domain:
            self.domains[domain] += 1

    def of(self, layer: str) -> "Counter[str]":
        """RETURNS (Counter): How often each label of a layer occurs."""
        return self.labels.get(layer, Counter())

    def to_json(self) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): The counts as `schemas/problems.json` describes them."""
        return {
            "name": self.name,
            "documents": self.docs,
            "sentences": self.sents,
            "tokens": self.tokens,
            "tagged": self.tagged,
            "unknown": self.unknown,
            "inside": self.inside,
            "labels": {layer: dict(sorted(counts.items())) for layer, counts in sorted(self.labels.items())},
            "domains": dict(sorted(self.domains.items())),
        }


def labels_of(doc: Doc) -> Iterator[Tuple[str, str, int]]:
    """YIELDS (Tuple): Each label of a document: its layer, the label, and the token at which it begins."""
    for ent in doc.ents:
        yield ENTITIES, ent.label_, ent.start
    for key, group in doc.spans.items():
        for span in filter(len, group):
            yield f"doc.spans[{key!r}]", span.label_, span.start
    for token in doc:
        if token.tag:
            yield TAGS, token.tag_, token.i


def layers_of(splits: Sequence[SplitStatistics]) -> List[str]:
    """RETURNS (List[str]): Entities, and the other layers of some splits, in the order in which they occur."""
    return list(dict.fromkeys([ENTITIES, *(layer for split in splits for layer in split.labels)]))


def unseen_share(train: SplitStatistics, other: SplitStatistics) -> float:
    """The share of a split's mentions that, with this surface and label, are not in the training data.

    train (SplitStatistics): The training data.
    other (SplitStatistics): The other split.
    RETURNS (float): Between 0 and 1; 0 for a split without entities.
    """
    total = sum(other.mentions.values())
    return sum(n for mention, n in other.mentions.items() if mention not in train.mentions) / total if total else 0.0


def conflicting_mentions(splits: List[SplitStatistics]) -> Dict[str, "Counter[str]"]:
    """Surfaces that carry more than one label.

    splits (List[SplitStatistics]): The splits.
    RETURNS (Dict[str, Counter]): Labels of each such surface, those with the most minority uses first.
    """
    labels: Dict[str, Counter[str]] = {}
    for split in splits:
        for (surface, label), n in split.mentions.items():
            labels.setdefault(surface, Counter())[label] += n
    conflicts = {surface: counts for surface, counts in labels.items() if len(counts) > 1}
    return dict(sorted(conflicts.items(), key=lambda item: (max(item[1].values()) - item[1].total(), item[0])))
