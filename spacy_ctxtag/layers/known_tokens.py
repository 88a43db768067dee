"""Which tokens an encoder knows: those that its tokenizer cuts into pieces of the vocabulary, in the whole text."""

from typing import Any, Sequence

import numpy as np
from spacy.attrs import IS_SPACE
from spacy.tokens import Doc

from ..data.checks.known_tokens import Known
from .pieces import read_specials, tokenize

_ALL = 1 << 40  # pieces of a window: nothing is cut


def know_tokens(docs: Sequence[Doc], tokenizer: Any) -> Known:
    """Look for unknown pieces in whole texts, since a tokenizer's words need not be spaCy's tokens.

    docs (Sequence[Doc]): Some documents, of T tokens.
    tokenizer (Any): A fast tokenizer that `only_text` has seen.
    RETURNS (Known): (T,) tokens with an unknown piece; (T,) tokens, other than white space, without any piece.
    """
    unknown = np.zeros((sum(len(doc) for doc in docs),), dtype=bool)
    if not docs:
        return Known(unknown, unknown.copy())
    pieces = tokenize(docs, tokenizer, capacity=_ALL, overlap=0)
    token, piece = pieces.alignment.token, pieces.alignment.piece  # (E,)
    is_space = np.concatenate([doc.to_array([IS_SPACE]).reshape(-1) for doc in docs]).astype(bool)
    deleted = ~is_space
    deleted[token] = False
    special = read_specials(tokenizer).unknown
    if special is not None:
        unknown[token[pieces.ids[piece] == special]] = True
    return Known(unknown, deleted)
