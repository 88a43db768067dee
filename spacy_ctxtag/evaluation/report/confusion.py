"""Which labels are taken for which. None stands for no label."""

from collections import Counter
from typing import Any, Dict, List, Optional, Tuple

NOTHING, REST = "O", "…"
MOST_LABELS, MOST_PAIRS = 30, 50

Label = Optional[str]


class Confusion:
    """Counts of pairs of an annotated and a predicted label.

    unit (str): What is counted: spans or tokens.
    has_none (bool): Whether there can be no label.
    """

    def __init__(self, unit: str, *, has_none: bool) -> None:
        self.unit = unit
        self.has_none = has_none
        self.pairs: Counter[Tuple[Label, Label]] = Counter()

    def result(self) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): `confusion` of the schema."""
        gold: Counter[str] = Counter()
        for (label, other), n in self.pairs.items():
            for each, times in ((label, n), (other, 0)):
                if each is not None:
                    gold[each] += times
        ranked = sorted(gold, key=lambda label: (-gold[label], label))
        labels: List[Label] = [*ranked[:MOST_LABELS], *([None] if self.has_none else [])]
        others = len(ranked) > MOST_LABELS
        place = {label: i for i, label in enumerate(labels)}
        size = len(labels) + others
        matrix = [[0] * size for _ in range(size)]
        for (label, other), n in self.pairs.items():
            matrix[place.get(label, size - 1)][place.get(other, size - 1)] += n
        wrong = [(n, *pair) for pair, n in self.pairs.items() if pair[0] != pair[1]]
        wrong.sort(key=lambda each: (-each[0], _show(each[1]), _show(each[2])))
        return {
            "unit": self.unit,
            "labels": [*map(_show, labels), *([REST] if others else [])],
            "none": place[None] if self.has_none else None,
            "others": others,
            "matrix": matrix,
            "pairs": [
                {"gold": _show(label), "predicted": _show(other), "count": n} for n, label, other in wrong[:MOST_PAIRS]
            ],
        }


def _show(label: Label) -> str:
    return NOTHING if label is None else label
