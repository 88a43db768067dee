"""spaCy's own `tagger`, trained on UPOS: it reads `token.pos_` for the gold and writes it. Nothing else is changed.

So that two taggers, one for XPOS and one for UPOS, can stand on one transformer in one pipeline.
"""

from collections.abc import Callable, Iterable
from typing import Any

from spacy.language import Language
from spacy.pipeline import Tagger
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model


class UposTagger(Tagger):
    def as_tags(self, eg: Example) -> Example:
        """The same example with UPOS where `Tagger` looks for the gold, in `token.tag_`."""
        gold = [token.pos_ for token in eg.reference]
        return Example(eg.predicted, Doc(self.vocab, [token.text for token in eg.reference], tags=gold))

    def initialize(self, get_examples: Callable[[], Iterable[Example]], **kwargs: Any) -> None:
        super().initialize(lambda: map(self.as_tags, get_examples()), **kwargs)

    def get_loss(self, examples: Iterable[Example], scores: Any) -> tuple[float, Any]:
        return super().get_loss(list(map(self.as_tags, examples)), scores)

    def set_annotations(self, docs: Iterable[Doc], batch_tag_ids: Any) -> None:
        for doc, ids in zip(docs, batch_tag_ids, strict=True):
            for token, i in zip(doc, ids, strict=True):
                token.pos_ = self.labels[i]


@Language.factory("benchmark_upos_tagger")
def make_upos_tagger(nlp: Language, name: str, model: Model) -> UposTagger:
    return UposTagger(nlp.vocab, model, name)
