"""Texts, and sentences, that are there twice. White space and capitals do not count. Texts are kept as hashes only."""

from hashlib import blake2b
from typing import Dict, Iterator, NamedTuple, Set

from spacy.tokens import Doc

from ...errors import Errors
from ...warnings import Warnings
from ..records import Problem
from ..token_table import TokenTable

MIN_TOKENS = 5  # a shorter text that is repeated ("Thanks !") is no leak
_SHOWN = 60  # characters of a text


class _First(NamedTuple):
    """Where a text was first met: the number of its document, token and character there."""

    document: int
    token: int = -1
    char: int = -1


class Repeats:
    """Remembers all texts, and tells where one comes again.

    table (TokenTable): The documents, each added before it is checked.

    repeated (Set[int]): The documents whose text was met before.
    """

    def __init__(self, table: TokenTable) -> None:
        self.table = table
        self.repeated: Set[int] = set()
        self._texts: Dict[bytes, _First] = {}
        self._sents: Dict[bytes, _First] = {}

    def check(self, doc: Doc) -> Iterator[Problem]:
        """Check the last document of the table.

        doc (Doc): The document.
        YIELDS (Problem): A text that was met before (an error where it is in another split, and not short); else
            sentences that were met in another split. A document without sentence starts is one sentence.
        """
        number = len(self.table.places) - 1
        here = self.table.places[number]
        found = self._texts.setdefault(_hash(doc.text), _First(number))
        if found.document != number:
            self.repeated.add(number)
            other = self.table.places[found.document]
            leaks = other.split != here.split and len(doc) >= MIN_TOKENS
            template = Errors.CT383 if leaks else Warnings.CW303
            message = template.format(split=here.split, other=other.split, place=other.at(), text=doc.text[:_SHOWN])
            yield here.problem(message, is_error=leaks)
            return
        for sent in doc.sents if doc.has_annotation("SENT_START") else [doc[:]]:
            if len(sent) >= MIN_TOKENS:
                found = self._sents.setdefault(_hash(sent.text), _First(number, sent.start, sent.start_char))
                other = self.table.places[found.document]
                if other.split != here.split:
                    place, text = other.at(found.token, found.char), sent.text[:_SHOWN]
                    message = Warnings.CW304.format(split=here.split, other=other.split, place=place, text=text)
                    yield here.problem(message, token=sent.start, char=sent.start_char, is_error=False)


def _hash(text: str) -> bytes:
    return blake2b("".join(text.casefold().split()).encode("utf8", "surrogatepass"), digest_size=16).digest()
