"""Noun chunks from universal parts of speech, by one rule: flat noun phrases, for corpora that have none annotated.

    DET* PRON? (ADJ | NUM | NOUN | PROPN)* (NOUN | PROPN)     "all his three old friends", "Porto"
    DET+ (ADJ | NUM)* PRON                                    "the red one"
    PRON                                                      "she"

From the left to the right, the longest match of the first line that fits wins, and no chunk crosses a sentence. So a
chunk ends with its last noun: "[the man] in [the street]", "[Anna] 's [old friend]". Nothing but the parts of speech is
looked at, which do not tell "[his new books]" from "gave [him new books]".
"""

import re
from itertools import pairwise
from typing import List

from spacy.tokens import Doc, Span

NOUN_PHRASE = "NP"

_LETTERS = {"DET": "D", "PRON": "P", "ADJ": "M", "NUM": "M", "NOUN": "N", "PROPN": "N"}
_CHUNK = re.compile("D*P?[MN]*N|D+M*P|P")


def noun_chunks(doc: Doc) -> List[Span]:
    """RETURNS (List[Span]): The noun chunks of a Doc with parts of speech, labelled "NP", in order. White space between
    words does not count."""
    words = [token for token in doc if not token.is_space]
    letters = "".join(_LETTERS.get(token.pos_, "-") for token in words)
    starts = [i for i, token in enumerate(words) if token.is_sent_start or i == 0]
    return [
        Span(doc, words[start + match.start()].i, words[start + match.end() - 1].i + 1, label=NOUN_PHRASE)
        for start, end in pairwise([*starts, len(words)])
        for match in _CHUNK.finditer(letters[start:end])
    ]


def add_noun_chunks(doc: Doc, key: str) -> None:
    """Put the noun chunks of a Doc into `doc.spans[key]`. Nothing is done where that is there already, or where a word
    has no part of speech, so that its chunks stay unknown."""
    if key not in doc.spans and all(token.pos or token.is_space for token in doc):
        doc.spans[key] = noun_chunks(doc)
