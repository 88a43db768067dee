"""Which predicted span belongs to which annotated one, and what is wrong with it.

Every annotated and every predicted span gets exactly one class, in this order:

1. `correct`: the same borders and label. 2. `type`: the same borders, another label. Of two spans of one side with the
same borders, the first is taken.
3. What is left is taken apart into groups of spans that overlap, directly or through others. In a group of
   one on each side, the predicted span is `too_short` (inside the annotated one), `too_long` (around it) or `shifted`
   (neither), or with another label, `boundary_type`. One annotated span and several predicted ones: `split`. Several
   annotated ones and one predicted: `merged`. Alone: `missed`, or `spurious`. Several on both sides: pairs are taken
   out, those that share most tokens first, of equal ones those of one label, then the leftmost; each is classed as a
   group of one on each side; what remains is `missed` or `spurious`.
"""

from collections import Counter
from itertools import chain
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .records import Mention

CORRECT, TYPE, TOO_SHORT, TOO_LONG, SHIFTED = "correct", "type", "too_short", "too_long", "shifted"
BOUNDARY_TYPE, SPLIT, MERGED, MISSED, SPURIOUS = "boundary_type", "split", "merged", "missed", "spurious"
CLASSES = (CORRECT, TYPE, TOO_SHORT, TOO_LONG, SHIFTED, BOUNDARY_TYPE, SPLIT, MERGED, MISSED, SPURIOUS)

Pair = Tuple[Optional[int], Optional[int]]


class Judged(NamedTuple):
    """What became of the spans of a document.

    gold, predicted (List[str]): The class of each span.
    pairs (List[Tuple]): An annotated and a predicted span, by their places, that stand for each other; or one and
        None. Every span is in one pair; a split or merged one in the pair that shares most tokens.
    cases (Counter): How often each class happened: a split or merged span is one case.
    """

    gold: List[str]
    predicted: List[str]
    pairs: List[Pair]
    cases: Counter[str]


def judge(gold: Sequence[Mention], predicted: Sequence[Mention]) -> Judged:
    """RETURNS (Judged): The classes of all spans, as the module says."""
    judged = Judged([""] * len(gold), [""] * len(predicted), [], Counter())

    def put(name: str, golds: Sequence[int], guesses: Sequence[int], pair: Optional[Pair] = None) -> None:
        for i in golds:
            judged.gold[i] = name
        for j in guesses:
            judged.predicted[j] = name
        best = pair or (golds[0] if golds else None, guesses[0] if guesses else None)
        alone: Iterator[Pair] = chain(
            ((i, None) for i in golds if i != best[0]), ((None, j) for j in guesses if j != best[1])
        )
        judged.pairs.extend([best, *alone])
        judged.cases[name] += 1

    for name, width in ((CORRECT, 3), (TYPE, 2)):  # how much of a mention has to be the same
        places: Dict[Tuple[object, ...], List[int]] = {}
        for i, mention in enumerate(gold):
            if not judged.gold[i]:
                places.setdefault(mention[:width], []).append(i)
        for j, mention in enumerate(predicted):
            if not judged.predicted[j] and places.get(mention[:width]):
                put(name, [places[mention[:width]].pop(0)], [j])
    left = [[i for i, name in enumerate(side) if not name] for side in (judged.gold, judged.predicted)]
    for golds, guesses in _groups(gold, predicted, *left):
        if not guesses:
            put(MISSED, golds, [])
        elif not golds:
            put(SPURIOUS, [], guesses)
        elif len(golds) == len(guesses) == 1:
            put(_border(gold[golds[0]], predicted[guesses[0]]), golds, guesses)
        elif len(golds) == 1 or len(guesses) == 1:
            put(SPLIT if len(golds) == 1 else MERGED, golds, guesses, _closest(gold, predicted, golds, guesses)[0])
        else:
            taken_golds, taken_guesses = set(), set()
            for i, j in _closest(gold, predicted, golds, guesses):
                if i not in taken_golds and j not in taken_guesses:
                    taken_golds.add(i)
                    taken_guesses.add(j)
                    put(_border(gold[i], predicted[j]), [i], [j])
            for i in golds:
                if i not in taken_golds:
                    put(MISSED, [i], [])
            for j in guesses:
                if j not in taken_guesses:
                    put(SPURIOUS, [], [j])
    return judged


def clusters(gold: Sequence[Mention], predicted: Sequence[Mention]) -> Iterator[Tuple[List[int], List[int]]]:
    """YIELDS (Tuple[List[int], List[int]]): The places of annotated and of predicted spans that overlap, directly or
    through others of either side, in the order of the text."""
    sides = sorted(
        [(mention.start, mention.end, 0, i) for i, mention in enumerate(gold)]
        + [(mention.start, mention.end, 1, j) for j, mention in enumerate(predicted)]
    )
    found: Tuple[List[int], List[int]] = ([], [])
    reach = 0
    for start, end, side, at in sides:
        if start >= reach and (found[0] or found[1]):
            yield sorted(found[0]), sorted(found[1])
            found = ([], [])
        found[side].append(at)
        reach = max(reach, end)
    if found[0] or found[1]:
        yield sorted(found[0]), sorted(found[1])


def _groups(
    gold: Sequence[Mention], predicted: Sequence[Mention], golds: Sequence[int], guesses: Sequence[int]
) -> Iterator[Tuple[List[int], List[int]]]:
    """YIELDS (Tuple[List[int], List[int]]): Of some spans, those that an overlap of an annotated with a predicted one
    joins. Unlike `clusters`, spans of one side do not join."""
    wanted, found = [gold[i] for i in golds], [predicted[j] for j in guesses]
    for some_golds, some_guesses in clusters(wanted, found):
        rest = {(0, i) for i in some_golds} | {(1, j) for j in some_guesses}
        while rest:
            open_ = [min(rest)]
            rest.discard(open_[0])
            joined: Tuple[List[int], List[int]] = ([], [])
            while open_:
                side, at = open_.pop()
                joined[side].append((golds, guesses)[side][at])
                mention = (wanted, found)[side][at]
                near = [each for each in rest if each[0] != side and overlap(mention, (found, wanted)[side][each[1]])]
                rest.difference_update(near)
                open_.extend(near)
            yield sorted(joined[0]), sorted(joined[1])


def overlap(a: Mention, b: Mention) -> int:
    """RETURNS (int): How many tokens two spans share."""
    return max(0, min(a.end, b.end) - max(a.start, b.start))


def _closest(
    gold: Sequence[Mention], predicted: Sequence[Mention], golds: Sequence[int], guesses: Sequence[int]
) -> List[Tuple[int, int]]:
    """RETURNS (List[Tuple[int, int]]): Pairs that overlap, the closest first."""
    pairs = [(i, j) for i in golds for j in guesses if overlap(gold[i], predicted[j])]
    return sorted(
        pairs, key=lambda p: (-overlap(gold[p[0]], predicted[p[1]]), gold[p[0]].label != predicted[p[1]].label, p)
    )


def _border(gold: Mention, guess: Mention) -> str:
    if gold.label != guess.label:
        return BOUNDARY_TYPE
    if gold.start <= guess.start and guess.end <= gold.end:
        return TOO_SHORT
    return TOO_LONG if guess.start <= gold.start and gold.end <= guess.end else SHIFTED
