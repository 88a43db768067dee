"""spaCy's own `tagger`, trained on another column than XPOS.

Two uses: a second tagger, for UPOS, beside spaCy's tagger on one transformer; and a per-token softmax over BILUO tags
where the benchmark asks what the CRF brings. Everything but the column it reads and writes is spaCy's `Tagger`.
"""

from collections.abc import Callable, Iterable
from typing import Any

from spacy.language import Language
from spacy.pipeline import Tagger
from spacy.tokens import Doc, Span
from spacy.training import Example, iob_to_biluo
from spacy.vocab import Vocab
from thinc.api import Model

from .common import spans_of


def column(doc: Doc, name: str) -> list[str]:
    """One tag per token from where spaCy keeps it: "xpos", "upos", or "ner" as BIO tags."""
    if name == "xpos":
        return [token.tag_ for token in doc]
    if name == "upos":
        return [token.pos_ for token in doc]
    return [f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else "O" for token in doc]


class ColumnTagger(Tagger):
    """vocab, model, name: as for `Tagger`. column (str): "upos" or "ner"."""

    def __init__(self, vocab: Vocab, model: Model, name: str, *, column: str):
        super().__init__(vocab, model, name)
        self.column = column

    def as_tags(self, eg: Example) -> Example:
        """The same example with the column where `Tagger` looks for the gold: in `token.tag_`."""
        gold = column(eg.reference, self.column)
        if self.column == "ner":
            gold = iob_to_biluo(gold)
        return Example(eg.predicted, Doc(self.vocab, [token.text for token in eg.reference], tags=gold))

    def initialize(self, get_examples: Callable[[], Iterable[Example]], **kwargs: Any) -> None:
        super().initialize(lambda: map(self.as_tags, get_examples()), **kwargs)

    def get_loss(self, examples: Iterable[Example], scores: Any) -> tuple[float, Any]:
        return super().get_loss(list(map(self.as_tags, examples)), scores)

    def set_annotations(self, docs: Iterable[Doc], batch_tag_ids: Any) -> None:
        for doc, ids in zip(docs, batch_tag_ids, strict=True):
            labels = [self.labels[i] for i in ids]
            if self.column == "ner":
                doc.ents = [Span(doc, start, end, label) for start, end, label in spans_of(labels)]
                continue
            for token, label in zip(doc, labels, strict=True):
                token.pos_ = label


@Language.factory("benchmark_column_tagger")
def make_column_tagger(nlp: Language, name: str, model: Model, column: str) -> ColumnTagger:
    return ColumnTagger(nlp.vocab, model, name, column=column)
