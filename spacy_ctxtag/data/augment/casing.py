"""Casing: documents or words in lower case, upper case, or with a capital letter at the beginning of words."""

from typing import Callable, Dict

from spacy.language import Language
from spacy.training import Example

from .augmenter import Augmenter
from .reproject import Edit, reproject

CASES: Dict[str, Callable[[str], str]] = {
    "lower": str.lower,
    "upper": str.upper,
    "title": lambda word: word[:1].upper() + word[1:].lower(),
}
PER = ("doc", "word")


class Casing(Augmenter):
    """Writes words in another case. Lemmas stay as they are, with all other annotation.

    level (float): The share of documents that are changed.
    case (str): "lower", "upper", "title", or "random" for one of these.
    per (str): "doc": the same for all words of a document. "word": for each word by itself.
    rate (float): The share of words that are changed; the others stay as they are.
    seed (int): The seed.
    RAISES (ValueError): A wrong setting (CT390).
    """

    def __init__(self, *, level: float, case: str, per: str, rate: float, seed: int) -> None:
        super().__init__(level=level, seed=seed)
        self.case = self.choice("case", case, (*CASES, "random"))
        self.per = self.choice("per", per, PER)
        self.rate = self.share("rate", rate)

    def change(self, nlp: Language, example: Example) -> Example:
        """RETURNS (Example): A copy in another case."""
        words = [token.text for token in example.reference]
        case = self._draw()
        made = []
        for word in words:
            if self.rate < 1 and self.rng.random() >= self.rate:
                made.append(word)
            else:
                made.append(CASES[self._draw() if self.per == "word" else case](word))
        return reproject(nlp, example, [Edit(0, len(words), made)]) if made != words else example

    def _draw(self) -> str:
        return self.rng.choice(list(CASES)) if self.case == "random" else self.case


def create_casing_v1(
    level: float = 0.5, case: str = "lower", per: str = "doc", rate: float = 1.0, seed: int = 0
) -> Casing:
    """Registered as `spacy-ctxtag.Casing.v1`; settings as in `Casing`."""
    return Casing(level=level, case=case, per=per, rate=rate, seed=seed)
