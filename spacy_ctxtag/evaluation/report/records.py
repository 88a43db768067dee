"""One document as the accumulators see it: plain lists, no Docs, tokens those of the annotation."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import List, NamedTuple, Optional, Sequence, Tuple

NO_TAG = "(none)"  # what a token has that the pipeline gave no tag


class Mention(NamedTuple):
    """A span: first token, one after the last, label, and its probability where one is predicted and reported."""

    start: int
    end: int
    label: str
    probability: Optional[float] = None


class Guess(NamedTuple):
    """A predicted tag of a token, and its probability where one is reported."""

    token: int
    tag: str
    probability: Optional[float] = None


@dataclass(frozen=True)
class Frame:
    """What the layers of a document share.

    number (int): It is the n-th, from 1.
    name (str): The name of the document.
    source, line, domain: Where it comes from, if known.
    starts, ends (Sequence[int]): (T,) characters of the tokens.
    is_space (Sequence[bool]): (T,) whether a token is white space.
    sequences (Sequence[Tuple[int, int]]): The tokens of sentences; where there are none, one of all tokens.
    has_sentences (bool): Whether sentences are annotated.
    """

    number: int
    name: str
    source: Optional[str]
    line: Optional[int]
    domain: Optional[str]
    text: str
    starts: Sequence[int]
    ends: Sequence[int]
    is_space: Sequence[bool]
    sequences: Sequence[Tuple[int, int]]
    has_sentences: bool

    def sequence_at(self, token: int) -> int:
        """RETURNS (int): The index of the sequence that a token is in."""
        return bisect_right(self.sequences, token, key=lambda sequence: sequence[0]) - 1

    @cached_property
    def lengths(self) -> List[int]:
        """RETURNS (List[int]): The tokens of each sequence, white space left out."""
        return [end - start - sum(self.is_space[start:end]) for start, end in self.sequences]

    def words(self, start: int, end: int) -> str:
        """RETURNS (str): The text of tokens."""
        return self.text[self.starts[start] : self.ends[end - 1]]


@dataclass(frozen=True)
class SpanRecord:
    """The spans of one layer in one document, sorted by where they stand.

    predicted: Those over tokens whose annotation is known.
    known (Sequence[bool]): (T,) of which tokens the annotation is known.
    judged (Sequence[bool]): (T,) those of them that are in no predicted span that was left out.
    """

    frame: Frame
    gold: List[Mention]
    predicted: List[Mention]
    known: Sequence[bool]
    judged: Sequence[bool]


@dataclass(frozen=True)
class TagRecord:
    """The tags of one document.

    gold (Sequence[str]): (T,) tags; "" where the annotation is not known.
    guesses (List[Guess]): Predicted tags of tokens whose annotation is known, by token. A token can have none, and
        several if the pipeline cuts it up.
    """

    frame: Frame
    gold: Sequence[str]
    guesses: List[Guess]
