"""All tokens of a corpus as numbers, for checks that see the corpus as a whole: 13 bytes a token, and no text.

A word is the hash that spaCy gives it; the vocabulary turns it into a string again.
"""

from array import array
from bisect import bisect_right
from typing import Any, List, Tuple

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import ENT_IOB, ENT_TYPE, IDX, ORTH, SPACY
from spacy.tokens import Doc
from spacy.vocab import Vocab

from .places import Place

Hashes = NDArray[np.uint64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_IOB, _SPACE = 3, 4  # bits of a token's flags: token.ent_iob, and whether a space follows
_OUTSIDE, _BEGIN = 2, 3  # spaCy's numbers for them in token.ent_iob


class TokenTable:
    """The tokens of all documents, end to end.

    vocab (Vocab): The vocabulary that the documents share.

    places (List[Place]): Where each of the D documents is.
    starts (List[int]): (D + 1,) the first token of each document, and the number of all tokens, N.
    """

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab
        self.places: List[Place] = []
        self.starts: List[int] = [0]
        self._words = array("Q")
        self._chars = array("I")
        self._flags = array("B")

    def add(self, doc: Doc, place: Place) -> int:
        """Add a document.

        doc (Doc): The document.
        place (Place): Where it is.
        RETURNS (int): The number of its first token.
        """
        first = self.starts[-1]
        rows = doc.to_array([ORTH, IDX, ENT_IOB, SPACY, ENT_TYPE]).reshape(-1, 5)  # (T, 5)
        iob = np.where((rows[:, 2] == _BEGIN) & (rows[:, 4] == 0), _OUTSIDE, rows[:, 2])  # blocked: no entity
        self._words.frombytes(rows[:, 0].tobytes())
        self._chars.frombytes(rows[:, 1].astype(f"u{self._chars.itemsize}").tobytes())
        self._flags.frombytes((iob + rows[:, 3] * _SPACE).astype("u1").tobytes())
        self.starts.append(first + len(doc))
        self.places.append(place)
        return first

    @property
    def words(self) -> Hashes:
        """(N,) the words. While a reference to this is kept, nothing can be added."""
        words: Hashes = _view(self._words)
        return words

    @property
    def iob(self) -> Ints:
        """(N,) `token.ent_iob`: 0 unknown, 1 inside, 2 outside, 3 begin."""
        iob: Ints = (_view(self._flags) & _IOB).astype("int64")
        return iob

    @property
    def owners(self) -> Ints:
        """(N,) the document of each token."""
        return np.repeat(np.arange(len(self.places)), np.diff(self.starts))

    def lower_words(self) -> Tuple[Hashes, Bools]:
        """RETURNS (Tuple): (N,) the words in lower case, and (N,) whether a token is neither punctuation nor space."""
        known, inverse = np.unique(self.words, return_inverse=True)
        lexemes = [self.vocab[int(word)] for word in known]
        lower = np.array([lexeme.lower for lexeme in lexemes], dtype=np.uint64)
        is_word = np.array([not (lexeme.is_punct or lexeme.is_space) for lexeme in lexemes], dtype=bool)
        return lower[inverse], is_word[inverse]

    def find(self, token: int) -> Tuple[Place, int, int]:
        """Where a token is.

        token (int): Its number in the table.
        RETURNS (Tuple[Place, int, int]): Its document, its number there, and the character that it begins with.
        """
        number = bisect_right(self.starts, token) - 1
        return self.places[number], token - self.starts[number], self._chars[token]

    def text(self, start: int, end: int) -> str:
        """RETURNS (str): The text of neighbouring tokens, without the space behind the last one."""
        strings = self.vocab.strings
        tokens = zip(self._words[start:end], self._flags[start:end], strict=True)
        return "".join(strings[word] + " " * bool(flag & _SPACE) for word, flag in tokens).removesuffix(" ")


def _view(values: "array[int]") -> Any:
    """The numbers as NumPy's, without a copy."""
    dtype = f"u{values.itemsize}"
    return np.frombuffer(values, dtype=dtype) if len(values) else np.zeros((0,), dtype=dtype)
