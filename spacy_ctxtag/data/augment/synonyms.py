"""Synonyms: words outside of entities give way to others of a lexicon that mean the same.

A synonym of one word takes over everything but the lemma, so the lexicon has to give it in the form that fits. One of
several words has no annotation of its own. Words of which it is not known whether they belong to an entity stay.
"""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from spacy.language import Language
from spacy.tokens import Token
from spacy.training import Example

from .augmenter import Augmenter
from .entries import read_entries, text_of, texts_of
from .reproject import LEMMA_, NORM_, Edit, Rows, read_rows, reproject


class Entry(NamedTuple):
    """A word, what can stand for it, and the part of speech that it must have; None: any."""

    word: str
    synonyms: List[str]
    pos: Optional[str]


class Synonyms(Augmenter):
    """Puts synonyms in the place of words.

    level (float): The share of documents that are changed.
    rate (float): The share of words with synonyms that are replaced in these.
    path (Path): The lexicon, one entry a line: one word, tab, synonym, perhaps a tab and the part of speech (`pos_`)
        that the word must have; or .jsonl, objects with "word", "synonyms", perhaps "pos". Capitals are those of the
        word.
    seed (int): The seed.
    RAISES (ValueError): A wrong setting (CT390). DataError: A lexicon that cannot be read.
    """

    def __init__(self, *, level: float, rate: float, path: Path, seed: int) -> None:
        super().__init__(level=level, seed=seed)
        self.rate = self.share("rate", rate)
        self.lexicon: Dict[str, List[Entry]] = {}
        for entry in read_lexicon(Path(path)):
            self.lexicon.setdefault(entry.word.lower(), []).append(entry)

    def change(self, nlp: Language, example: Example) -> Example:
        """RETURNS (Example): A copy with synonyms."""
        doc = example.reference
        has_ents = doc.has_annotation("ENT_IOB")
        rows: Optional[Rows] = None
        edits = []
        for token in doc:
            if token.lower_ not in self.lexicon or token.ent_type or (has_ents and not token.ent_iob):
                continue
            synonyms = self._synonyms(token)
            if synonyms and self.rng.random() < self.rate:
                words = _capitalize(self.rng.choice(synonyms), token.text).split()
                rows = read_rows(doc) if rows is None else rows
                donor = rows[token.i : token.i + 1].copy() if len(words) == 1 else None
                if donor is not None:
                    donor[:, [LEMMA_, NORM_]] = 0
                edits.append(Edit(token.i, token.i + 1, words, None, donor))
        return reproject(nlp, example, edits) if edits else example

    def _synonyms(self, token: Token) -> List[str]:
        entries = [entry for entry in self.lexicon[token.lower_] if entry.pos in (None, token.pos_)]
        return [synonym for entry in entries for synonym in entry.synonyms if synonym.lower() != token.lower_]


def read_lexicon(path: Path) -> List[Entry]:
    """Read a lexicon. RETURNS (List[Entry]): Its entries. RAISES (DataError): As `read_entries`."""

    def parse(data: Dict[str, Any]) -> Optional[Entry]:
        word, synonyms, pos = text_of(data, "word"), texts_of(data, "synonyms"), data.get("pos")
        fits = pos is None or (isinstance(pos, str) and pos)
        return Entry(word, synonyms, pos) if fits and word and len(word.split()) == 1 and synonyms else None

    expected = (
        "one word, a tab and a synonym, and perhaps a tab and a part of speech; or, in a .jsonl file, "
        '{"word": "bought", "synonyms": ["acquired"], "pos": "VERB"}'
    )
    return read_entries(path, ("word", "synonyms", "pos"), parse, expected)


def _capitalize(synonym: str, word: str) -> str:
    if len(word) > 1 and word.isupper():
        return synonym.upper()
    return synonym[:1].upper() + synonym[1:] if word[:1].isupper() else synonym


def create_synonyms_v1(path: Path, level: float = 0.5, rate: float = 0.3, seed: int = 0) -> Synonyms:
    """Registered as `spacy-ctxtag.Synonyms.v1`; settings as in `Synonyms`."""
    return Synonyms(level=level, rate=rate, path=path, seed=seed)
