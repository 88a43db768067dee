"""Tokens that an encoder does not know. What it knows is told by a function, since no encoder is known here."""

from collections import Counter
from typing import Callable, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from ...warnings import Warnings
from ..records import Problem
from ..token_table import TokenTable

BATCH = 128  # documents that are judged at once

Bools = NDArray[np.bool_]


class Known(NamedTuple):
    """What an encoder makes of the T tokens of some documents, end to end.

    unknown (T,): whether a token has a piece that the encoder does not know.
    deleted (T,): whether nothing is left of a token that is not white space.
    """

    unknown: Bools
    deleted: Bools


Judge = Callable[[Sequence[Doc]], Known]


class KnownTokens:
    """Asks for all tokens, some documents at a time, and counts those that are not known, by their text.

    judge (Judge): What the encoder knows.
    encoder (str): How the encoder is called.
    table (TokenTable): The documents, each added before it is added here.

    unknown, deleted (Counter): By the split, how many tokens there are.
    """

    def __init__(self, judge: Judge, encoder: str, table: TokenTable) -> None:
        self.judge = judge
        self.encoder = encoder
        self.table = table
        self.unknown: Counter[str] = Counter()
        self.deleted: Counter[str] = Counter()
        self._waiting: List[Tuple[Doc, int]] = []
        self._counts: Dict[str, Counter[str]] = {Warnings.CW316: Counter(), Warnings.CW317: Counter()}
        self._first: Dict[Tuple[str, str], int] = {}

    def add(self, doc: Doc, first: int) -> None:
        """Add a document, whose first token has the number `first` in the table."""
        self._waiting.append((doc, first))
        if len(self._waiting) >= BATCH:
            self._judge()

    def problems(self) -> Iterator[Problem]:
        """YIELDS (Problem): One for each text of a token, where it occurs first; the most frequent first."""
        self._judge()
        for template, counts in self._counts.items():
            for text, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
                place, token, char = self.table.find(self._first[template, text])
                message = template.format(text=text, n=f"{n:,}", encoder=self.encoder)
                yield place.problem(message, token=token, char=char, is_error=False)

    def _judge(self) -> None:
        docs = [doc for doc, _ in self._waiting]
        known = self.judge(docs)
        starts = np.cumsum([0, *(len(doc) for doc in docs)])
        for template, found, totals in (
            (Warnings.CW316, known.unknown, self.unknown),
            (Warnings.CW317, known.deleted, self.deleted),
        ):
            for i in np.flatnonzero(found).tolist():
                number = int(np.searchsorted(starts, i, side="right")) - 1
                doc, first = self._waiting[number]
                token = doc[i - int(starts[number])]
                self._counts[template][token.text] += 1
                self._first.setdefault((template, token.text), first + token.i)
                totals[self.table.find(first)[0].split] += 1
        self._waiting = []
