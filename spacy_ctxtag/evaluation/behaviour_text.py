r"""Texts of behaviour tests: what is expected stands in them as marks, and slots are filled from lists.

    {person} lives in [Paris](LOC).

`[mention](LABEL)` marks a mention, which may hold slots. `{person}` is filled from the slot `person`; where that has a
label, what is filled in is a mention. `{person}` twice is twice the same value, `{person}` and `{person2}` are two
different ones. A backslash before one of [ ] { } ( ) \ takes its meaning away.
"""

import random
import re
from itertools import permutations, product
from math import perm, prod
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

Item = Tuple[int, int, str]  # offsets in characters, label

_PIECE = re.compile(
    r"\\(?P<escaped>[\\{}\[\]()])"
    r"|\{(?P<slot>[^{}]*)\}"
    r"|\[(?P<mention>(?:[^\[\]\\]|\\.)*)\]\((?P<label>[^()]*)\)"
    r"|(?P<lone>[{}])",
    flags=re.DOTALL,
)
ENUMERATED = 20_000  # so many fillings of a text are all made before some of them are drawn


class BehaviourError(ValueError):
    """What was met in a file of tests, and what was expected there."""

    def __init__(self, met: str, expected: str) -> None:
        super().__init__(met, expected)
        self.met, self.expected = met, expected


class Slot(NamedTuple):
    """A list of values, and the label of the mentions that they are; None: they are none."""

    values: Sequence[str]
    label: Optional[str]


class Filled(NamedTuple):
    """A text, and the mentions that are marked in it."""

    text: str
    marks: Set[Item]


class Template(NamedTuple):
    """A text in pieces.

    pieces (List): Pairs: "text" and a text, "slot" and a name, "open" and "", "close" and the label of the mark.
    slots (Dict[str, Slot]): The slot of each name.
    """

    pieces: List[Tuple[str, str]]
    slots: Dict[str, Slot]

    @property
    def labels(self) -> Set[str]:
        """All labels that are expected."""
        marks = {label for kind, label in self.pieces if kind == "close"}
        return marks | {slot.label for slot in self.slots.values() if slot.label is not None}

    def fill(self, values: Mapping[str, str]) -> Filled:
        """RETURNS (Filled): The text with these values in its slots."""
        text, start = "", 0
        marks: Set[Item] = set()
        for kind, value in self.pieces:
            if kind == "open":
                start = len(text)
            elif kind == "close":
                marks.add((start, len(text), value))
            elif kind == "text":
                text += value
            else:
                filled, label = values[value], self.slots[value].label
                if label is not None:
                    marks.add((len(text), len(text) + len(filled), label))
                text += filled
        return Filled(text, marks)


def parse(source: str, slots: Mapping[str, Slot]) -> Template:
    """Read a text. RAISES (BehaviourError): A mark or a slot that cannot be used."""
    if not source.strip():
        raise BehaviourError("a blank text", "a text")
    used: Dict[str, Slot] = {}
    pieces = list(_split(source, slots, used, inside=False))
    return Template(pieces, used)


def _split(source: str, slots: Mapping[str, Slot], used: Dict[str, Slot], *, inside: bool) -> Iterator[Tuple[str, str]]:
    at = 0
    for match in _PIECE.finditer(source):
        yield "text", source[at : match.start()]
        at = match.end()
        if match["escaped"]:
            yield "text", match["escaped"]
        elif match["lone"]:
            raise BehaviourError(f"a lone {match['lone']}", "a slot such as {person}, or \\{ for the character itself")
        elif match["slot"] is not None:
            slot = used[match["slot"]] = find_slot(match["slot"], slots)
            if inside and slot.label is not None:
                raise BehaviourError(f"{match[0]} inside of a mark", f"a slot without a label, not of {slot.label}")
            yield "slot", match["slot"]
        else:
            mention, label = match["mention"], match["label"].strip()
            if not mention.strip() or mention != mention.strip() or not label:
                raise BehaviourError(repr(match[0]), "[mention](LABEL) without white space at the edges of the mention")
            yield "open", ""
            yield from _split(mention, slots, used, inside=True)
            yield "close", label
    yield "text", source[at:]


def find_slot(name: str, slots: Mapping[str, Slot]) -> Slot:
    """RETURNS (Slot): That of a name, or of the name without digits at its end. RAISES (BehaviourError): No such."""
    slot = slots.get(name, slots.get(name.rstrip("0123456789")))
    if slot is None:
        raise BehaviourError(f"{{{name}}}", f"one of the slots {', '.join(slots)}" if slots else "a slot of `slots`")
    return slot


def fillings(slots: Mapping[str, Slot], limit: int, rng: random.Random) -> List[Dict[str, str]]:
    """All ways to fill slots, or as many as the limit, drawn at random; names of one slot get different values.

    RETURNS (List[Dict[str, str]]): Values by name; none where a slot has fewer values than names.
    """
    groups: Dict[int, List[str]] = {}  # the names of each slot
    for name, slot in slots.items():
        groups.setdefault(id(slot), []).append(name)
    lists = [(slots[names[0]].values, len(names)) for names in groups.values()]
    order = [name for names in groups.values() for name in names]
    ways = prod(perm(len(values), n) for values, n in lists)
    if ways <= ENUMERATED:
        parts = product(*(permutations(values, n) for values, n in lists))
        found = [tuple(value for part in each for value in part) for each in parts]
        found = found if len(found) <= limit else rng.sample(found, limit)
    else:
        drawn = (tuple(value for values, n in lists for value in rng.sample(values, n)) for _ in range(10 * limit))
        found = list(dict.fromkeys(drawn))[:limit]
    return [dict(zip(order, values, strict=True)) for values in found]


def make_cases(group: Sequence[Template], limit: int, rng: random.Random) -> List[List[Filled]]:
    """RETURNS (List[List[Filled]]): Texts that belong together, filled with the same values; as `fillings`."""
    slots = {name: slot for text in group for name, slot in text.slots.items()}
    return [[text.fill(values) for text in group] for values in fillings(slots, limit, rng)]
