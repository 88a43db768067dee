"""Punctuation: straight and curly quotes, dashes, and dots in another style. The tokens stay the same in number."""

from typing import List, Optional, Sequence

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from .augmenter import Augmenter
from .reproject import Edit, reproject

KINDS = ("quotes", "dashes", "ellipsis")
DASHES = ("-", "–", "—", "--")
ELLIPSES = ("...", "…")
_CURLY = {"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "``": '"', "''": '"'}
_STRAIGHT = {'"': ("“", "”"), "'": ("‘", "’"), "``": ("“", "“"), "''": ("”", "”")}


class Punctuation(Augmenter):
    """Writes punctuation in another style.

    level (float): The share of documents that are changed.
    rate (float): The share of places that are changed in these; quotes count as one place, as a document has one style.
    kinds (Optional[Sequence[str]]): "quotes": all straight, or all curly, with apostrophes; "dashes": hyphens between
        spaces, and dashes of all lengths; "ellipsis": three dots, or one character. None: all of these.
    seed (int): The seed.
    RAISES (ValueError): A wrong setting (CT390).
    """

    def __init__(self, *, level: float, rate: float, kinds: Optional[Sequence[str]], seed: int) -> None:
        super().__init__(level=level, seed=seed)
        self.rate = self.share("rate", rate)
        self.kinds = self.choices("kinds", kinds, KINDS)

    def change(self, nlp: Language, example: Example) -> Example:
        """RETURNS (Example): A copy in another style."""
        doc = example.reference
        words = [token.text for token in doc]
        made = list(words)
        if "quotes" in self.kinds and self.rng.random() < self.rate:
            made = _straighten(words) if self.rng.random() < 0.5 else _curl(doc)
        for i, word in enumerate(words):
            if "dashes" in self.kinds and word in DASHES and (word != "-" or _stands_alone(doc, i)):
                made[i] = self._other(word, DASHES)
            elif "ellipsis" in self.kinds and word in ELLIPSES:
                made[i] = self._other(word, ELLIPSES)
        edits = [Edit(i, i + 1, [made[i]]) for i, word in enumerate(words) if made[i] != word]
        return reproject(nlp, example, edits) if edits else example

    def _other(self, word: str, variants: Sequence[str]) -> str:
        if self.rng.random() >= self.rate:
            return word
        return self.rng.choice([variant for variant in variants if variant != word])


def _stands_alone(doc: Doc, i: int) -> bool:
    """Whether there is a space on both sides of a token."""
    return i > 0 and bool(doc[i - 1].whitespace_) and bool(doc[i].whitespace_)


def _straighten(words: Sequence[str]) -> List[str]:
    return [_CURLY[word] if word in _CURLY else word.replace("’", "'") for word in words]


def _curl(doc: Doc) -> List[str]:
    """A quote opens if there is no space behind it, and one before it or nothing. With spaces on both sides it may do
    either, and stays as it is."""
    made = []
    for i, token in enumerate(doc):
        before, behind = i == 0 or bool(doc[i - 1].whitespace_), bool(token.whitespace_)
        opens = before and not behind and i + 1 < len(doc)
        pair = _STRAIGHT.get(token.text)
        if pair is None:
            made.append(token.text.replace("'", "’"))
        else:
            made.append(token.text if before and behind else pair[0 if opens else 1])
    return made


def create_punctuation_v1(
    level: float = 0.5, rate: float = 0.5, kinds: Optional[List[str]] = None, seed: int = 0
) -> Punctuation:
    """Registered as `spacy-ctxtag.Punctuation.v1`; settings as in `Punctuation`."""
    return Punctuation(level=level, rate=rate, kinds=kinds, seed=seed)
