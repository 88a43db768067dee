"""Tag schemes: spans to tags and back, the moves a scheme allows, and masks of allowed tags.

A tag is ``prefix-label``; ``O`` is outside. Tag 0 is ``O``, then every label in its order has ``B I L U`` (BILUO) or
``B I`` (BIO), so a new label appends tags and moves none. Spans are ``(start, end, label)`` in tokens, end exclusive.
This module does not look at Docs, scores nothing, and never splits a label: labels may hold hyphens.
"""

from dataclasses import dataclass, field
from typing import Dict, List, Literal, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from .errors import Errors

Scheme = Literal["BIO", "BILUO"]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]
LabelSpan = Tuple[int, int, int]
Spans = Union[Sequence[LabelSpan], Ints]

_PREFIXES: Dict[str, str] = {"BIO": "BI", "BILUO": "BILU"}
_LETTERS: Dict[str, str] = {"IOB1": "BI", "BIO": "BI", "BILUO": "BILU", "BIOES": "BIES"}


@dataclass(frozen=True)
class Grammar:
    """The tags of a scheme and the moves it allows. Two grammars are equal if scheme and labels are.

    scheme (str): "BIO" or "BILUO".
    labels (Tuple[str, ...]): The labels, in order.
    tags (Tuple[str, ...]): The K tags, "O" first.
    start (ndarray): (K,) bool, tags that may come first.
    transition (ndarray): (K, K) bool, [from, to], moves that are allowed.
    end (ndarray): (K,) bool, tags that may come last.
    """

    scheme: str
    labels: Tuple[str, ...]
    tags: Tuple[str, ...]
    start: Bools = field(compare=False, repr=False)
    transition: Bools = field(compare=False, repr=False)
    end: Bools = field(compare=False, repr=False)

    @property
    def prefixes(self) -> str:
        """The prefixes of one label, in tag order: "BI" or "BILU"."""
        return _PREFIXES[self.scheme]

    def tag_index(self, prefix: str, label_index: int = 0) -> int:
        """The tag of a prefix (one of `prefixes`, or "O", for which the label is ignored) and a label."""
        return 0 if prefix == "O" else 1 + len(self.prefixes) * label_index + self.prefixes.index(prefix)

    def label_of(self, tag_index: int) -> Optional[int]:
        """The label of a tag, None for "O"."""
        return None if tag_index == 0 else (tag_index - 1) // len(self.prefixes)

    def prefix_of(self, tag_index: int) -> str:
        """The prefix of a tag, "O" for tag 0."""
        return "O" if tag_index == 0 else self.prefixes[(tag_index - 1) % len(self.prefixes)]


@dataclass(frozen=True)
class TagProblem:
    """One ill-formed move in a sequence of tag strings: the token's index, and what was met and expected."""

    index: int
    message: str


def make_grammar(labels: Sequence[str], scheme: str = "BILUO") -> Grammar:
    """Build the grammar of a scheme; without labels it has the one tag "O".

    labels (Sequence[str]): The labels, in order; any non-empty strings, each once.
    scheme (str): "BILUO" or "BIO".
    RETURNS (Grammar): The grammar, its arrays read-only.
    RAISES (ValueError): Unknown scheme (CT100); empty (CT101) or repeated (CT102) label.
    """
    if scheme not in _PREFIXES:
        raise ValueError(Errors.CT100.format(scheme=scheme, expected="BIO or BILUO (BIOES is BILUO)"))
    for i, label in enumerate(labels):
        if not isinstance(label, str) or not label:
            raise ValueError(Errors.CT101.format(index=i, label=label))
        if label in labels[:i]:
            raise ValueError(Errors.CT102.format(index=i, label=label))
    prefixes = _PREFIXES[scheme]
    tags = ("O", *(f"{prefix}-{label}" for label in labels for prefix in prefixes))
    prefix = np.array(["O", *(prefix for _ in labels for prefix in prefixes)])  # (K,)
    owner = np.array([-1, *(i for i in range(len(labels)) for _ in prefixes)])  # (K,)
    fresh = np.isin(prefix, ["O", "B", "U"])  # begins something new
    closed = np.isin(prefix, ["O", "L", "U"]) | (scheme == "BIO")  # nothing is left open
    opened = np.isin(prefix, ["B", "I"])
    inner = np.isin(prefix, ["I", "L"])
    transition = np.outer(closed, fresh) | (np.outer(opened, inner) & (owner[:, None] == owner))  # (K, K)
    for array in (fresh, transition, closed):
        array.setflags(write=False)
    return Grammar(scheme, tuple(labels), tags, start=fresh, transition=transition, end=closed)


def spans_to_tags(grammar: Grammar, spans: Spans, length: int) -> Ints:
    """Write spans as tags.

    grammar (Grammar): The tags.
    spans (Sequence[Tuple[int, int, int]]): (start, end exclusive, label index), in any order, not overlapping.
    length (int): Tokens.
    RETURNS (ndarray): (T,) intp tag indices.
    RAISES (ValueError): A span out of range (CT103) or overlapping another (CT104).
    """
    tags = np.zeros(length, dtype=np.intp)  # (T,)
    width = len(grammar.prefixes)
    for start, end, label in spans:
        if not (0 <= start < end <= length and 0 <= label < len(grammar.labels)):
            raise ValueError(
                Errors.CT103.format(start=start, end=end, label=label, length=length, labels=len(grammar.labels))
            )
        if tags[start:end].any():
            token = int(start + tags[start:end].nonzero()[0][0])
            raise ValueError(Errors.CT104.format(start=start, end=end, token=token, tag=grammar.tags[tags[token]]))
        begin = 1 + width * label
        tags[start], tags[start + 1 : end] = begin, begin + 1
        if grammar.scheme == "BILUO":
            tags[end - 1] = begin + (3 if end - start == 1 else 2)
    return tags


def tags_to_spans(grammar: Grammar, tags: Union[Sequence[int], Ints]) -> List[LabelSpan]:
    """Read the spans of a well-formed path.

    grammar (Grammar): The tags.
    tags (Sequence[int]): (T,) tag indices.
    RETURNS (List[Tuple[int, int, int]]): (start, end exclusive, label index), in order.
    RAISES (ValueError): No such tag (CT105), or a move the scheme forbids (CT106); both name the token.
    """
    path = np.asarray(tags, dtype=np.intp)  # (T,)
    if not len(path):
        return []
    unknown = (path < 0) | (path >= len(grammar.tags))
    if unknown.any():
        token = int(unknown.argmax())
        raise ValueError(Errors.CT105.format(token=token, tag=int(path[token]), tags=len(grammar.tags)))
    legal = np.append(grammar.start[path[0]], grammar.transition[path[:-1], path[1:]])  # (T,) the move into a token
    legal = np.append(legal, grammar.end[path[-1]])  # (T + 1,)
    if not legal.all():
        token = int(legal.argmin())
        names = ["the start", *(grammar.tags[tag] for tag in path), "the end"]
        raise ValueError(
            Errors.CT106.format(token=token, before=names[token], after=names[token + 1], scheme=grammar.scheme)
        )
    kind = np.where(path == 0, -1, (path - 1) % len(grammar.prefixes))  # (T,) index into prefixes
    if grammar.scheme == "BILUO":
        begins, ends = (kind == 0) | (kind == 3), kind >= 2
    else:
        begins, ends = kind == 0, (kind >= 0) & (np.append(kind[1:], -1) != 1)
    starts = begins.nonzero()[0]  # (N,)
    labels = (path[starts] - 1) // len(grammar.prefixes)
    return list(zip(starts.tolist(), (ends.nonzero()[0] + 1).tolist(), labels.tolist(), strict=True))


def constraint_mask(grammar: Grammar, spans: Spans, free: Bools, open_tags: Optional[Bools] = None) -> Bools:
    """The tags each token may take, for a partial annotation and for preset entities alike.

    Tokens of a span admit exactly their tag, `free` tokens (missing annotation; not preset) any tag, all others only
    "O". In BIO the token after a span may not continue it.

    grammar (Grammar): The tags.
    spans (Sequence[Tuple[int, int, int]]): Known entities; they win over `free`.
    free (ndarray): (T,) bool.
    open_tags (Optional[ndarray]): (K,) bool, further tags that tokens outside all spans admit: those of labels that
        were not annotated.
    RETURNS (ndarray): (T, K) bool. Which moves are allowed is left to the grammar.
    RAISES (ValueError): As `spans_to_tags`.
    """
    free = np.asarray(free, dtype=np.bool_)
    tags = spans_to_tags(grammar, spans, len(free))  # (T,)
    mask: Bools = np.arange(len(grammar.tags)) == tags[:, None]  # (T, K)
    if open_tags is not None:
        mask[tags == 0] |= open_tags
    mask[free & (tags == 0)] = True
    if grammar.scheme == "BIO":
        for _, end, label in spans:
            if end < len(free):
                mask[end, grammar.tag_index("I", label)] = False
    return mask


def read_tags(tags: Sequence[str], scheme: str) -> Tuple[List[Tuple[int, int, str]], List[TagProblem]]:
    """Read the spans of tag strings, and report every ill-formed move, at most one per token.

    Recovery: an unknown prefix or empty label is read as "O"; an entity that is not closed ends before the tag that
    does not continue it; an I- or L- that continues nothing begins an entity.

    tags (Sequence[str]): (T,) tags, such as "B-PER".
    scheme (str): "IOB1", "BIO", "BILUO" or "BIOES".
    RETURNS (Tuple[List[Tuple[int, int, str]], List[TagProblem]]): (start, end exclusive, label) in order; problems.
    RAISES (ValueError): Unknown scheme (CT100).
    """
    if scheme not in _LETTERS:
        raise ValueError(Errors.CT100.format(scheme=scheme, expected=", ".join(_LETTERS)))
    letters, marks_end = _LETTERS[scheme], len(_LETTERS[scheme]) == 4
    spans: List[Tuple[int, int, str]] = []
    problems: List[TagProblem] = []
    start, current = 0, ""  # the open entity; no label: none is open
    for i, tag in enumerate([*tags, "O"]):
        at_end, message = i == len(tags), ""
        prefix, label = tag[:1], tag[2:]
        if tag == "O":
            label = ""
        elif prefix not in letters or tag[1:2] not in ("", "-") or not prefix:
            message = Errors.CT110.format(tag=tag, expected="O, " + ", ".join(f"{letter}-" for letter in letters))
            prefix, label = "O", ""
        elif not label:
            message = Errors.CT111.format(tag=tag)
            prefix = "O"
        prefix = "BILU"[letters.index(prefix)] if prefix != "O" else "O"
        continues = prefix in "IL" and label == current
        if not message and not continues:
            if marks_end and current:
                met = "the end" if at_end else tag
                message = Errors.CT112.format(
                    tag=met, start=start, label=current, expected=f"I-{current} or {letters[2]}-{current}"
                )
            elif prefix in "IL" and scheme != "IOB1":
                message = Errors.CT113.format(tag=tag, label=label, scheme=scheme)
            elif prefix == "B" and scheme == "IOB1" and label != current:
                message = Errors.CT114.format(tag=tag, label=label)
        if message:
            problems.append(TagProblem(min(i, len(tags) - 1), message))
        if not continues:
            if current:
                spans.append((start, i, current))
            start, current = i, label
        if prefix in "LU":
            spans.append((start, i + 1, label))
            current = ""
    return spans, problems
