"""The worst of many: a bounded heap, and excerpts of documents that can be shown."""

from heapq import heappush, heapreplace
from itertools import accumulate
from typing import Any, Callable, Dict, List, Sequence, Tuple

from .matching import Judged
from .records import NO_TAG, Frame, Guess, Mention, SpanRecord, TagRecord

SIZE = 50
MOST_TOKENS, MOST_TOKENS_OF_A_DOCUMENT = 100, 300  # of an excerpt


class Worst:
    """Keeps the worst; of equal ones those that came first."""

    def __init__(self, size: int = SIZE) -> None:
        self.size = size
        self._heap: List[Tuple[float, int, Any]] = []
        self._n = 0

    def offer(self, badness: float, make: Callable[[], Any]) -> None:
        """Offer something; it is made only if it is kept."""
        self._n += 1
        if len(self._heap) < self.size:
            heappush(self._heap, (badness, -self._n, make()))
        elif (badness, -self._n) > self._heap[0][:2]:
            heapreplace(self._heap, (badness, -self._n, make()))

    def result(self) -> List[Any]:
        """RETURNS (List[Any]): What was kept, the worst first."""
        return [each for *_, each in sorted(self._heap, key=lambda kept: kept[:2], reverse=True)]


def context(frame: Frame, start: int, end: int, near: Sequence[Mention] = ()) -> Tuple[int, int]:
    """Which tokens are shown around some.

    start, end (int): The tokens that it is about; of many, the first MOST_TOKENS_OF_A_DOCUMENT are shown.
    near (Sequence[Mention]): Spans that should be seen with them.
    RETURNS (Tuple[int, int]): From the beginning of the sentence in which the first of all these begins to the end of
        that in which the last ends, but at most MOST_TOKENS // 2 before the tokens, and as many behind.
    """
    first, _ = frame.sequences[frame.sequence_at(min([start, *(each.start for each in near)]))]
    _, last = frame.sequences[frame.sequence_at(max([end, *(each.end for each in near)]) - 1)]
    end = min(end, start + MOST_TOKENS_OF_A_DOCUMENT)
    return max(first, start - MOST_TOKENS // 2), min(last, end + MOST_TOKENS // 2)


def part_of_document(frame: Frame, first_error: int) -> Tuple[int, int]:
    """RETURNS (Tuple[int, int]): The tokens of the document; of a long one those from the sentence with the first error
    on."""
    n = len(frame.starts)
    if n <= MOST_TOKENS_OF_A_DOCUMENT:
        return 0, n
    start, _ = context(frame, first_error, first_error + 1)
    return start, min(n, start + MOST_TOKENS_OF_A_DOCUMENT)


def excerpt_spans(record: SpanRecord, judged: Judged, start: int, end: int) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): A `span_excerpt` of the schema: some tokens, and the spans in them, cut where these
    tokens end."""
    place = _places(record.frame, start, end)

    def marked(mentions: Sequence[Mention], names: Sequence[str]) -> List[Dict[str, Any]]:
        return [
            {
                "start": record.frame.starts[max(each.start, start)] - record.frame.starts[start],
                "end": record.frame.ends[min(each.end, end) - 1] - record.frame.starts[start],
                "start_token": place[max(each.start, start) - start],
                "end_token": place[min(each.end, end) - start],
                "label": each.label,
                "class": name,
                "probability": each.probability,
            }
            for each, name in zip(mentions, names, strict=True)
            if each.start < end and start < each.end
        ]

    spans = {"gold": marked(record.gold, judged.gold), "predicted": marked(record.predicted, judged.predicted)}
    return {**_text(record.frame, start, end), **spans}


def excerpt_tags(record: TagRecord, start: int, end: int) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): A `tag_excerpt` of the schema: some tokens, and which of them have a wrong tag."""
    frame, place = record.frame, _places(record.frame, start, end)
    guesses = telling_guesses(record)
    wrong = []
    for at in wrong_tokens(record):
        if start <= at < end:
            guess = guesses.get(at)
            wrong.append(
                {
                    "token": place[at - start],
                    "start": frame.starts[at] - frame.starts[start],
                    "end": frame.ends[at] - frame.starts[start],
                    "gold": record.gold[at],
                    "predicted": guess.tag if guess and guess.tag != NO_TAG else "",
                    "probability": guess.probability if guess else None,
                }
            )
    return {**_text(frame, start, end), "wrong": wrong}


def telling_guesses(record: TagRecord) -> Dict[int, Guess]:
    """RETURNS (Dict[int, Guess]): For each token that got a tag, that tag; of several the first that is wrong."""
    found: Dict[int, Guess] = {}
    for guess in record.guesses:
        gold = record.gold[guess.token]
        if guess.token not in found or (found[guess.token].tag == gold != guess.tag):
            found[guess.token] = guess
    return found


def wrong_tokens(record: TagRecord) -> List[int]:
    """RETURNS (List[int]): Annotated tokens, white space aside, that did not get their tag, and no other."""
    tags: Dict[int, List[str]] = {}
    for guess in record.guesses:
        tags.setdefault(guess.token, []).append(guess.tag)
    annotated = (at for at, tag in enumerate(record.gold) if tag and not record.frame.is_space[at])
    return [at for at in annotated if tags.get(at) != [record.gold[at]]]


def _places(frame: Frame, start: int, end: int) -> List[int]:
    """RETURNS (List[int]): For each token of an excerpt, and the one behind, its place if white space is left out."""
    return [0, *accumulate(int(not is_space) for is_space in frame.is_space[start:end])]


def _text(frame: Frame, start: int, end: int) -> Dict[str, Any]:
    origin = frame.starts[start]
    place = {
        "document": frame.name,
        "number": frame.number,
        "source": frame.source,
        "line": frame.line,
        "domain": frame.domain,
        "start": origin,
        "is_whole": (start, end) == (0, len(frame.starts)),
    }
    tokens = [[frame.starts[i] - origin, frame.ends[i] - origin] for i in range(start, end) if not frame.is_space[i]]
    return {"place": place, "text": frame.words(start, end), "tokens": tokens}
