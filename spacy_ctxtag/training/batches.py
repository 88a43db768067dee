"""The batches of a run, in an order that can be gone through again up to any place.

Corpus, augmenters and batcher draw from the same random numbers as the rest of training. Where a batch was drawn after
others had drawn, the state of the generators is noted; from these notes the same batches come again without training.
"""

import hashlib
from typing import Any, Dict, Iterator, List, Tuple

from spacy.training import Example

from ..errors import Errors
from ..exceptions import TrainingError
from .random_state import State, decode, encode, put_back, read_host

Item = Tuple[int, List[Example]]  # epoch, batch


class Batches:
    """Iterates over epochs and batches.

    batches (Iterator[Item]): As spaCy's `create_train_batches` makes them.
    """

    def __init__(self, batches: Iterator[Item]) -> None:
        self._batches = batches
        self._drawn: State = {}  # of each generator, after the last batch that drew from it
        self._notes: List[Tuple[int, State]] = []
        self._count = 0
        self._digest = ""

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> Item:
        before = read_host()
        epoch, batch = next(self._batches)
        after = read_host()
        drew = [kind for kind in before if before[kind] != after[kind]]
        others_drew = {kind: before[kind] for kind in drew if before[kind] != self._drawn.get(kind)}
        if others_drew:
            self._notes.append((self._count, others_drew))
        self._drawn.update((kind, after[kind]) for kind in drew)
        self._count += 1
        self._digest = _chain(self._digest, batch)
        return epoch, batch

    def training_state(self) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): How many batches were taken, a hash of their texts, and the notes."""
        notes = [[at, encode(state)] for at, state in self._notes]
        return {"count": self._count, "digest": self._digest, "notes": notes}

    def set_training_state(self, state: Dict[str, Any]) -> None:
        """Go through the batches that were taken before this state was read, from the first.

        RAISES (TrainingError): CT604 when others come than then.
        """
        notes = {at: decode(each) for at, each in state["notes"]}
        for at in range(state["count"]):
            put_back(notes.get(at, {}))
            if next(self, None) is None:
                break
        if self._digest != state["digest"]:
            raise TrainingError(Errors.CT604.format(count=state["count"]))


def _chain(digest: str, batch: List[Example]) -> str:
    hashed = hashlib.sha256(digest.encode("ascii"))
    for example in batch:
        hashed.update(example.reference.text.encode("utf8", "surrogatepass") + b"\0")
    return hashed.hexdigest()
