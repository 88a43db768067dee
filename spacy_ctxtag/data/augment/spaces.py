"""Spaces: two where there was one, and none after punctuation.

A second space is a token of its own, as spaCy's tokenizer has it, so these variants have more tokens. All that is known
of it is whether it lies in an entity. A missing space changes no token of the reference; where the tokenizer no longer
finds its borders, the annotation of what it finds is missing.
"""

from typing import List, Optional, Sequence

from spacy.language import Language
from spacy.training import Example

from .augmenter import Augmenter
from .reproject import Edit, reproject

KINDS = ("double", "missing")
_MARKS = frozenset(",;:.!?")


class Spaces(Augmenter):
    """Changes spaces between words. Documents whose spaces are not known are left as they are.

    level (float): The share of documents that are changed.
    rate (float): The share of places that are changed in these.
    kinds (Optional[Sequence[str]]): "double": two between words; "missing": none after a punctuation mark. None: both.
    seed (int): The seed.
    RAISES (ValueError): A wrong setting (CT390).
    """

    def __init__(self, *, level: float, rate: float, kinds: Optional[Sequence[str]], seed: int) -> None:
        super().__init__(level=level, seed=seed)
        self.rate = self.share("rate", rate)
        self.kinds = self.choices("kinds", kinds, KINDS)

    def change(self, nlp: Language, example: Example) -> Example:
        """RETURNS (Example): A copy with other spaces."""
        doc = example.reference
        if doc.has_unknown_spaces:
            return example
        edits: List[Edit] = []
        is_space = [token.is_space for token in doc]
        for token in doc[:-1]:
            if not token.whitespace_ or is_space[token.i] or is_space[token.i + 1]:
                continue
            kinds = [kind for kind in self.kinds if kind == "double" or token.text in _MARKS]
            if kinds and self.rng.random() < self.rate:
                if self.rng.choice(kinds) == "double":
                    edits.append(Edit(token.i + 1, token.i + 1, [" "], [False]))
                else:
                    edits.append(Edit(token.i, token.i + 1, [token.text], [False]))
        return reproject(nlp, example, edits) if edits else example


def create_spaces_v1(
    level: float = 0.5, rate: float = 0.05, kinds: Optional[List[str]] = None, seed: int = 0
) -> Spaces:
    """Registered as `spacy-ctxtag.Spaces.v1`; settings as in `Spaces`."""
    return Spaces(level=level, rate=rate, kinds=kinds, seed=seed)
