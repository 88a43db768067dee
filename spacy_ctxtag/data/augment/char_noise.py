"""Character noise: slips of the keyboard, and what text recognition takes for something else.

A word gets at most one mistake. Letters become letters and digits become digits, except in confusions of text
recognition, so that a word is never empty, and never white space.
"""

from typing import Callable, Dict, List, Optional, Sequence

from spacy.language import Language
from spacy.training import Example

from .augmenter import Augmenter
from .reproject import Edit, reproject

# Rows of keys, each set off to the right from the one above. Around a key are those beside it, above it and to the
# right of that, below it and to the left of that.
LAYOUTS = {
    "qwerty": ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"),
    "qwertz": ("1234567890", "qwertzuiopü", "asdfghjklöä", "yxcvbnm"),
    "azerty": ("1234567890", "azertyuiop", "qsdfghjklm", "wxcvbn"),
}
OCR = ("rn m", "cl d", "vv w", "ii u", "0 O", "1 l", "l I", "5 S", "8 B", "e c", "h b", "n u")  # either way


def _neighbours(rows: Sequence[str]) -> Dict[str, List[str]]:
    """RETURNS (Dict): For each letter, small or capital, the letters on the keys around it; for each digit digits."""
    found: Dict[str, List[str]] = {}
    for y, row in enumerate(rows):
        for x, key in enumerate(row):
            around = [(y, x - 1), (y, x + 1), (y - 1, x), (y - 1, x + 1), (y + 1, x - 1), (y + 1, x)]
            keys = [rows[j][i] for j, i in around if 0 <= j < len(rows) and 0 <= i < len(rows[j])]
            keys = [each for each in keys if each.isdigit() == key.isdigit()]
            found[key] = keys
            found[key.upper()] = [each.upper() for each in keys]
    return found


class CharNoise(Augmenter):
    """Puts mistakes into words.

    level (float): The share of documents that are changed.
    rate (float): The share of words that get a mistake in these.
    kinds (Optional[Sequence[str]]): Which kinds; None: all. "keyboard": a neighbouring key; "swap": two characters
        change places; "drop": one is missing;
        "double": one is there twice; "ocr": one, or two, look like another.
    layout (str): The keyboard: "qwerty", "qwertz" or "azerty".
    min_length (int): Shorter words are left as they are.
    seed (int): The seed.
    RAISES (ValueError): A wrong setting (CT390).
    """

    def __init__(
        self, *, level: float, rate: float, kinds: Optional[Sequence[str]], layout: str, min_length: int, seed: int
    ) -> None:
        super().__init__(level=level, seed=seed)
        self.rate = self.share("rate", rate)
        self.kinds = self.choices("kinds", kinds, KINDS)
        if min_length < 1:
            self.refuse("min_length", min_length, "1 or more")
        self.min_length = min_length
        self.keys = _neighbours(LAYOUTS[self.choice("layout", layout, tuple(LAYOUTS))])

    def change(self, nlp: Language, example: Example) -> Example:
        """RETURNS (Example): A copy with mistakes."""
        edits = []
        for token in example.reference:
            word = token.text
            if len(word) >= self.min_length and self.rng.random() < self.rate:
                noisy = self.misspell(word)
                if noisy is not None:
                    edits.append(Edit(token.i, token.i + 1, [noisy]))
        return reproject(nlp, example, edits) if edits else example

    def misspell(self, word: str) -> Optional[str]:
        """RETURNS (Optional[str]): The word with a mistake; None if none of the kinds is possible."""
        for kind in self.rng.sample(list(self.kinds), len(self.kinds)):
            noisy = _MISTAKES[kind](self, word)
            if noisy is not None:
                return noisy
        return None

    def _keyboard(self, word: str) -> Optional[str]:
        places = [i for i, character in enumerate(word) if self.keys.get(character)]
        if not places:
            return None
        at = self.rng.choice(places)
        return word[:at] + self.rng.choice(self.keys[word[at]]) + word[at + 1 :]

    def _swap(self, word: str) -> Optional[str]:
        pairs = [i for i in range(len(word) - 1) if word[i] != word[i + 1] and word[i : i + 2].isalnum()]
        if not pairs:
            return None
        at = self.rng.choice(pairs)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    def _drop(self, word: str) -> Optional[str]:
        places = [i for i, character in enumerate(word) if character.isalnum()]
        if len(places) < 2:
            return None
        at = self.rng.choice(places)
        return word[:at] + word[at + 1 :]

    def _double(self, word: str) -> Optional[str]:
        places = [i for i, character in enumerate(word) if character.isalnum()]
        if not places:
            return None
        at = self.rng.choice(places)
        return word[:at] + word[at] + word[at:]

    def _ocr(self, word: str) -> Optional[str]:
        pairs = [pair.split() for pair in OCR]
        found = [
            (i, old, new)
            for pair in pairs
            for old, new in (pair, pair[::-1])
            for i in range(len(word))
            if word.startswith(old, i)
        ]
        if not found:
            return None
        at, old, new = self.rng.choice(found)
        return word[:at] + new + word[at + len(old) :]


_MISTAKES: Dict[str, Callable[[CharNoise, str], Optional[str]]] = {
    "keyboard": CharNoise._keyboard,
    "swap": CharNoise._swap,
    "drop": CharNoise._drop,
    "double": CharNoise._double,
    "ocr": CharNoise._ocr,
}
KINDS = tuple(_MISTAKES)


def create_char_noise_v1(
    level: float = 0.5,
    rate: float = 0.1,
    kinds: Optional[List[str]] = None,
    layout: str = "qwerty",
    min_length: int = 3,
    seed: int = 0,
) -> CharNoise:
    """Registered as `spacy-ctxtag.CharNoise.v1`; settings as in `CharNoise`."""
    return CharNoise(level=level, rate=rate, kinds=kinds, layout=layout, min_length=min_length, seed=seed)
