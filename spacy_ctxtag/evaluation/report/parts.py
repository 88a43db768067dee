"""The same figures for parts of the data: by domain, by lengths, by what training has seen."""

from typing import Any, Dict, List, Mapping, Optional, Sequence

from ..mentions import hash_mention
from .known import Known
from .matching import CORRECT, Judged, overlap
from .records import Frame, Mention, SpanRecord, TagRecord
from .scores import row

REST, MOST = "…", 200  # parts of one kind; those that come later are counted together
UNKNOWN = "(unknown)"


class Buckets:
    """Names of ranges of numbers: from each of some lowest numbers to below the next."""

    def __init__(self, *lowest: int) -> None:
        self.lowest = lowest
        ends = [following - 1 for following in lowest[1:]]
        self.names = [str(low) if low == end else f"{low} to {end}" for low, end in zip(lowest, ends, strict=False)]
        self.names.append(f"{lowest[-1]} or more")

    def __call__(self, n: int) -> str:
        return self.names[max(0, sum(n >= low for low in self.lowest) - 1)]


MENTION_LENGTHS, SENTENCE_LENGTHS = Buckets(1, 2, 3, 4, 5), Buckets(1, 11, 21, 41, 81)
FREQUENCIES = Buckets(0, 1, 2, 5, 10)
WORDS, SEEN, KNOWN_WORD = ("one token", "several tokens"), ("seen", "unseen"), ("known", "unknown")
NESTING = ("overlaps another", "overlaps no other")
ORDERS: Dict[str, Sequence[str]] = {
    "domain": (),
    "mention_length": MENTION_LENGTHS.names,
    "multiword": WORDS,
    "nesting": NESTING,
    "sentence_length": SENTENCE_LENGTHS.names,
    "seen": SEEN,
    "train_frequency": FREQUENCIES.names,
    "known_word": KNOWN_WORD,
    "word_frequency": FREQUENCIES.names,
}
UNITS = {
    "mention_length": "tokens",
    "sentence_length": "tokens",
    "train_frequency": "occurrences",
    "word_frequency": "occurrences",
}


class Parts:
    """Counts of parts, by what they are parts by."""

    def __init__(self) -> None:
        self._rows: Dict[str, Dict[str, List[int]]] = {}  # hits, predicted, gold

    def add(self, parts: Mapping[str, str], *, hits: int = 0, predicted: int = 0, gold: int = 0) -> None:
        """Count what is in these parts, by what they are parts by."""
        for by, name in parts.items():
            rows = self._rows.setdefault(by, {})
            counts = rows.setdefault(name if name in rows or len(rows) < MOST else REST, [0, 0, 0])
            counts[0] += hits
            counts[1] += predicted
            counts[2] += gold

    def result(self) -> List[Dict[str, Any]]:
        """RETURNS (List[Dict]): `breakdowns` of the schema."""
        kinds = [by for by in ORDERS if by in self._rows and (by != "nesting" or NESTING[0] in self._rows[by])]
        return [{"by": by, "unit": UNITS.get(by, ""), "rows": self._sorted(by)} for by in kinds]

    def _sorted(self, by: str) -> List[Dict[str, Any]]:
        order, rows = list(ORDERS[by]), self._rows[by]
        names = sorted(rows, key=lambda name: (order.index(name) if name in order else -rows[name][2], name))
        return [
            row(name, gold, None if by == "nesting" else predicted, hits)
            for name in names
            for hits, predicted, gold in [rows[name]]
        ]


def frame_parts(frame: Frame, token: int) -> Dict[str, str]:
    """RETURNS (Dict[str, str]): What a token says of its parts, whatever the layer."""
    parts = {"domain": UNKNOWN if frame.domain is None else frame.domain}
    if frame.has_sentences:
        parts["sentence_length"] = SENTENCE_LENGTHS(frame.lengths[frame.sequence_at(token)])
    return parts


def add_spans(parts: Parts, record: SpanRecord, judged: Judged, known: Known, layer: str) -> None:
    """Count the spans of a document."""
    mentions = known.mentions.get(layer)

    def of(mention: Mention) -> Dict[str, str]:
        length = mention.end - mention.start
        found = frame_parts(record.frame, mention.start)
        found.update(mention_length=MENTION_LENGTHS(length), multiword=WORDS[length > 1])
        if mentions is not None:
            times = mentions.get(hash_mention(record.frame.words(mention.start, mention.end), mention.label), 0)
            found["seen"] = SEEN[not times]
            if known.has_counts:
                found["train_frequency"] = FREQUENCIES(times)
        return found

    for mention, name in zip(record.gold, judged.gold, strict=True):
        parts.add(of(mention), gold=1, hits=int(name == CORRECT))
    for mention in record.predicted:
        parts.add(of(mention), predicted=1)
    for name, is_nested in zip(judged.gold, find_nested(record.gold), strict=True):
        parts.add({"nesting": NESTING[not is_nested]}, gold=1, hits=int(name == CORRECT))


def find_nested(mentions: Sequence[Mention]) -> List[bool]:
    """RETURNS (List[bool]): For each of spans that are sorted by their start, whether it overlaps another."""
    nested = [False] * len(mentions)
    furthest: Optional[int] = None  # of those before, the one that reaches furthest
    for i, mention in enumerate(mentions):
        if furthest is not None and overlap(mentions[furthest], mention):
            nested[i] = nested[furthest] = True
        if furthest is None or mention.end > mentions[furthest].end:
            furthest = i
    return nested


def add_tags(parts: Parts, record: TagRecord, known: Known) -> None:
    """Count the tags of a document. A predicted tag is in the parts of its token."""
    frame = record.frame
    guessed: Dict[int, List[str]] = {}
    for guess in record.guesses:
        guessed.setdefault(guess.token, []).append(guess.tag)
    for at, tag in enumerate(record.gold):
        if not tag:
            continue
        found = frame_parts(frame, at)
        if known.words is not None and not frame.is_space[at]:
            times = known.words.get(frame.words(at, at + 1), 0)
            found.update(known_word=KNOWN_WORD[not times], word_frequency=FREQUENCIES(times))
        tags = guessed.get(at, [])
        parts.add(found, gold=1, predicted=len(tags), hits=int(tag in tags))
