"""`ctx_cleaner`: drops the vectors that a shared encoder has left on a Doc, once nobody listens any more."""

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc


@Language.factory("ctx_cleaner")
def make_ctx_cleaner(nlp: Language, name: str) -> "CtxCleaner":
    """Construct a `ctx_cleaner`. Put it last; the components before it keep what they wrote."""
    return CtxCleaner()


class CtxCleaner:
    """Empties `doc.tensor`. An empty array, not None: `doc.vector`, `similarity` and `as_doc` need an array."""

    def __call__(self, doc: Doc) -> Doc:
        doc.tensor = np.zeros((0,), dtype="float32")
        return doc
