"""Paraphrases: a document gives way to another text that says the same, with its entities found again.

A source gets the text, and the text with the entities behind placeholders ("ENT0", "ENT1", …). What it answers may
have these, or the mentions themselves. An answer in which an entity is missing, or there twice, is dropped and counted.

A paraphrase carries entities, categories and the metadata of the document. Its tokens are those of the tokenizer;
tags, lemmas, heads, sentence starts and span groups are missing. Tokens outside of entities are known to be outside if
all of the document's were; else they are missing.
"""

import logging
import re
import warnings
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from ...warnings import Warnings
from .augmenter import Augmenter

ParaphraseSource = Callable[[str, str], Sequence[str]]  # the text, the text with placeholders → paraphrases of either
WARN_AT = 100  # so many dropped paraphrases, if they are most
_LOGGER = logging.getLogger("spacy")


class Masked(NamedTuple):
    """A text with placeholders: a prefix and the number of the entity. `pattern` matches one, and its number."""

    text: str
    pattern: str


class Paraphrase(Augmenter):
    """Replaces documents by paraphrases.

    level (float): The share of documents that are replaced, if there is a paraphrase of them.
    source (Callable[[str, str], Sequence[str]]): Gives paraphrases. It may be called again for the same text.
    seed (int): The seed.
    RAISES (ValueError): A wrong setting (CT390).

    made, dropped (int): How many paraphrases became an Example, and how many were dropped for a lost entity.
    """

    def __init__(self, *, level: float, source: ParaphraseSource, seed: int) -> None:
        super().__init__(level=level, seed=seed)
        self.source = source
        self.made = 0
        self.dropped = 0

    def change(self, nlp: Language, example: Example) -> Example:
        """RETURNS (Example): A paraphrase, or the given Example if there is none."""
        old = example.reference
        masked = mask_entities(old)
        answers = [each.strip() for each in self.source(old.text, masked.text)]
        for answer in self.rng.sample(answers, len(answers)):
            found = find_entities(answer, old.ents, masked)
            doc = None if found is None else _make_doc(nlp, old, *found)
            if doc is None:
                self._drop()
            elif doc.text != old.text:
                self.made += 1
                return Example(nlp.make_doc(doc.text), doc)
        return example

    def _drop(self) -> None:
        self.dropped += 1
        if str(self.dropped).strip("0") == "1":  # 1, 10, 100, …
            _LOGGER.info("Paraphrases that lost an entity: %d, that did not: %d", self.dropped, self.made)
        if self.dropped == WARN_AT and self.made < WARN_AT:
            warnings.warn(Warnings.CW390.format(dropped=self.dropped, made=self.made), stacklevel=2)


def mask_entities(doc: Doc) -> Masked:
    """RETURNS (Masked): The text of a Doc, with placeholders for its entities that it does not hold itself. Where an
    entity is followed by a digit ("EUR100"), all numbers have as many digits, so that they can be told from it.
    """
    prefix = "ENT"
    while re.search(rf"{prefix}\d", doc.text, re.IGNORECASE):
        prefix += "X"
    is_followed = any(doc.text[ent.end_char : ent.end_char + 1].isdecimal() for ent in doc.ents)
    width = len(str(len(doc.ents) - 1)) if is_followed else 0
    parts, at = [], 0
    for i, ent in enumerate(doc.ents):
        parts += [doc.text[at : ent.start_char], f"{prefix}{i:0{width}}"]
        at = ent.end_char
    digits = rf"\d{{{width}}}" if width else r"\d+"
    return Masked("".join([*parts, doc.text[at:]]), rf"{prefix}({digits})")


def find_entities(
    answer: str, ents: Sequence[Span], masked: Masked
) -> Optional[Tuple[str, List[Tuple[int, int, Span]]]]:
    """Find the entities of a text in a paraphrase.

    answer (str): The paraphrase, with placeholders or mentions. Where it has a placeholder, only these are entities.
    ents (Sequence[Span]): The entities of the text.
    masked (Masked): The text with placeholders.
    RETURNS (Optional[Tuple]): The paraphrase with all mentions, and where each is; None if one is lost or ambiguous,
        or stands there once more beside the placeholders.
    """
    matches = list(re.finditer(masked.pattern, answer, re.IGNORECASE))
    if matches:
        order = [int(match[1]) for match in matches]
        beside, before = (Counter(each[0] for each in _find_mentions(text, ents)[0]) for text in (answer, masked.text))
        if beside - before:
            return None
    else:
        matches, order = _find_mentions(answer, ents)
    if sorted(order) != list(range(len(ents))):
        return None
    parts: List[str] = []
    found: List[Tuple[int, int, Span]] = []
    at = length = 0
    for match, number in zip(matches, order, strict=True):
        ent = ents[number]
        parts += [answer[at : match.start()], ent.text]
        start = length + match.start() - at
        length = start + len(ent.text)
        found.append((start, length, ent))
        at = match.end()
    return "".join([*parts, answer[at:]]), found


def _find_mentions(answer: str, ents: Sequence[Span]) -> Tuple[List["re.Match[str]"], List[int]]:
    """The mentions in a paraphrase, and the number of the entity that each is; -1 where two labels are possible."""
    if not ents:
        return [], []
    numbers: Dict[str, List[int]] = defaultdict(list)
    for i, ent in enumerate(ents):
        numbers[ent.text].append(i)
    labels = {text: {ents[i].label for i in same} for text, same in numbers.items()}
    longest_first = sorted(numbers, key=len, reverse=True)
    pattern = "|".join(_as_word([ents[i] for i in numbers[text]]) for text in longest_first)
    matches = list(re.finditer(pattern, answer))
    met: Counter[str] = Counter()
    order = []
    for match in matches:
        text, n = match[0], met[match[0]]
        order.append(numbers[text][n] if n < len(numbers[text]) and len(labels[text]) == 1 else -1)
        met[text] += 1
    return matches, order


def _as_word(ents: Sequence[Span]) -> str:
    """A pattern for a mention that is a whole word; or one that may stand at a digit, as one of these entities does."""
    text = ents[0].text
    if not any(_is_glued(ent) for ent in ents):
        return rf"(?<!\w){re.escape(text)}(?!\w)"
    before, after = (r"\d" if char.isdecimal() else r"[^\W\d]" for char in (text[0], text[-1]))
    return rf"(?<!{before}){re.escape(text)}(?!{after})"


def _is_glued(ent: Span) -> bool:
    """Whether an entity is no whole word in its own text, because it meets a digit, or is a number that meets a letter
    ("EUR100", "€100")."""
    text, start, end = ent.doc.text, ent.start_char, ent.end_char
    borders = ((ent.text[0], text[:start][-1:]), (ent.text[-1], text[end : end + 1]))
    return any(re.match(r"\w", outer) and inner.isdecimal() != outer.isdecimal() for inner, outer in borders)


def _make_doc(nlp: Language, old: Doc, text: str, found: Sequence[Tuple[int, int, Span]]) -> Optional[Doc]:
    """The paraphrase with its entities; None if one does not lie on token borders, or there is no text. A token is cut
    where an entity ends at a digit, as it does in the text."""
    borders = {at for start, end, ent in found if _is_glued(ent) for at in (start, end) if 0 < at < len(text)}
    doc = _cut(nlp.make_doc(text), {at for at in borders if text[at - 1].isdecimal() != text[at].isdecimal()})
    ents = [doc.char_span(start, end, ent.label, ent.kb_id, span_id=ent.id) for start, end, ent in found]
    kept = [ent for ent in ents if ent is not None]
    if len(kept) < len(found) or not len(doc):
        return None
    if old.has_annotation("ENT_IOB"):
        is_complete = old.has_annotation("ENT_IOB", require_complete=True)
        doc.set_ents(kept, default="outside" if is_complete else "missing")
    doc.cats = dict(old.cats)
    data: Dict[Any, Any] = doc.user_data
    data.update({key: value for key, value in old.user_data.items() if _is_of_doc(key)})
    return doc


def _cut(doc: Doc, borders: Set[int]) -> Doc:
    """RETURNS (Doc): The Doc, with its tokens also cut at some characters of its text."""
    words: List[str] = []
    spaces: List[bool] = []
    for token in doc:
        inside = sorted(at - token.idx for at in borders if token.idx < at < token.idx + len(token))
        words += [token.text[start:end] for start, end in pairwise([0, *inside, len(token)])]
        spaces += [False] * len(inside) + [bool(token.whitespace_)]
    return Doc(doc.vocab, words=words, spaces=spaces) if len(words) > len(doc) else doc


def _is_of_doc(key: Any) -> bool:
    """Whether a key of `user_data` is not that of a custom attribute of a token or span."""
    return not isinstance(key, tuple) or len(key) != 4 or key[2] is None


def create_paraphrase_v1(source: Callable[[str, str], Sequence[str]], level: float = 0.5, seed: int = 0) -> Paraphrase:
    """Registered as `spacy-ctxtag.Paraphrase.v1`; settings as in `Paraphrase`."""
    return Paraphrase(level=level, source=source, seed=seed)
