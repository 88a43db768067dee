"""Linear chains, and the lattice that every algorithm of this package runs on.

A path y of T tags scores ``start[y_0] + Σ_t emissions[t, y_t] + Σ_t transition[y_{t-1}, y_t] + end[y_{T-1}]``
(Lafferty, McCallum & Pereira 2001). The grammar and the masks of allowed tags forbid paths; they are never stored in
the scores. A lattice holds the chains of a batch without padding, time step after time step.
"""

from dataclasses import dataclass, replace
from math import isfinite
from typing import Iterator, List, Optional, Sequence, Tuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import Errors
from ..tags import Grammar

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]
Mask = Optional[Bools]  # (T, K), None allows every tag
_Item = TypeVar("_Item", bound=np.generic)

BLOCK = 1 << 16  # moves computed at a time, so that they stay in the cache


@dataclass(frozen=True, eq=False)
class Chains:
    """The scores of a batch of sequences, in nats, finite; or their gradient.

    emissions (List[ndarray]): B × (T, K) scores of tags.
    start (ndarray): (K,) scores of first tags.
    transition (ndarray): (K, K) scores of moves, [from, to].
    end (ndarray): (K,) scores of last tags.
    """

    emissions: List[Floats]
    start: Floats
    transition: Floats
    end: Floats

    def divided_by(self, temperature: float) -> "Chains":
        """Flatten (above 1) or sharpen the distribution over paths; the order of the paths stays as it is.

        Temperature scaling (Guo et al. 2017, section 4.2), here of the whole lattice and not of each token's logits.

        temperature (float): Above 0.
        RETURNS (Chains): New chains, all four parts divided; at 1 these.
        RAISES (ValueError): A temperature that is not above 0, or not finite (CT126).
        """
        if not (isfinite(temperature) and temperature > 0):
            raise ValueError(Errors.CT126.format(temperature=temperature))
        if temperature == 1:
            return self
        start, transition, end = (scores / temperature for scores in (self.start, self.transition, self.end))
        return Chains([scores / temperature for scores in self.emissions], start, transition, end)


@dataclass(frozen=True, eq=False)
class Lattice:
    """Chains of T > 0 tokens, sorted by falling length and packed by time: N tokens in all, step t before step t + 1.

    rows (ndarray): (B,) which chain, of those given, each row of the lattice is.
    active (ndarray): (T,) rows that have a token t: the first ones.
    offsets (ndarray): (T + 1,) where the tokens of step t begin.
    row (ndarray): (N,) the row of each token.
    potentials (ndarray): (N, K) emissions, with `start` and `end` added to first and last tokens; -inf where forbidden.
    transition (ndarray): (K, K) scores of moves, -inf where forbidden.
    slot (ndarray): (N,) where the tokens, taken chain after chain as they were given, stand in the lattice.
    lengths (ndarray): (chains given,) their T.
    masked (bool): Whether there are masks, so that moves alone do not tell which tags are possible.
    """

    rows: Ints
    active: Ints
    offsets: Ints
    row: Ints
    potentials: Floats
    transition: Floats
    slot: Ints
    lengths: Ints
    masked: bool

    def previous(self) -> Ints:
        """RETURNS (ndarray): (N - B,) where the token before each token of step 1 and later stands."""
        tail = slice(self.active[0], None) if len(self.active) else slice(0, 0)
        return np.arange(len(self.row))[tail] - np.repeat(self.active[:-1], self.active[1:])

    def mirror(self) -> Ints:
        """RETURNS (ndarray): (N,) the token of the same row that is as far from its end as this one from its start."""
        step = np.repeat(np.arange(len(self.active)), self.active)
        mirrored: Ints = self.offsets[self.lengths[self.rows][self.row] - 1 - step] + self.row
        return mirrored

    def last(self) -> Ints:
        """RETURNS (ndarray): (B,) where the last token of each row stands."""
        return self.offsets[self.lengths[self.rows] - 1] + np.arange(len(self.rows))

    def moves_into(self, step: int) -> Iterator[Tuple[slice, slice]]:
        """YIELDS (Tuple[slice, slice]): Where the tokens before those of a step stand, and these; a block of rows."""
        rows = max(1, BLOCK // self.transition.size)
        before, now, active = int(self.offsets[step - 1]), int(self.offsets[step]), int(self.active[step])
        for low in range(0, active, rows):
            high = min(low + rows, active)
            yield slice(before + low, before + high), slice(now + low, now + high)

    def unpack(self, array: NDArray[_Item]) -> List[NDArray[_Item]]:
        """Split an array (N, ...) into one (T, ...) for each chain given, in the order given."""
        ends = np.cumsum(self.lengths)
        spans = zip((ends - self.lengths).tolist(), ends.tolist(), strict=True)
        in_order = array if len(self.rows) == 1 else array.take(self.slot, axis=0)  # one chain is in order
        return [in_order[start:end] for start, end in spans]


def check_chains(chains: Chains, grammar: Grammar) -> None:
    """Raise a ValueError unless all shapes fit the grammar (CT120) and start, transition and end are finite (CT123)."""
    k = len(grammar.tags)
    for name, array, shape in (
        ("start", chains.start, (k,)),
        ("transition", chains.transition, (k, k)),
        ("end", chains.end, (k,)),
    ):
        if array.shape != shape:
            raise ValueError(Errors.CT120.format(name=name, shape=array.shape, expected=shape))
        if not np.isfinite(array).all():
            raise ValueError(Errors.CT123.format(name=name))
    for i, array in enumerate(chains.emissions):
        if array.ndim != 2 or array.shape[1] != k:
            raise ValueError(Errors.CT120.format(name=f"emissions[{i}]", shape=array.shape, expected=("T", k)))


def as_masks(masks: Optional[Sequence[Mask]], chains: Chains) -> List[Mask]:
    """RETURNS (List[Optional[ndarray]]): One mask for each sequence. RAISES (ValueError): Not as many (CT120)."""
    size = len(chains.emissions)
    if masks is not None and len(masks) != size:
        raise ValueError(Errors.CT120.format(name="the list of masks", shape=(len(masks),), expected=(size,)))
    return [None] * size if masks is None else list(masks)


def build_lattice(chains: Chains, grammar: Grammar, masks: Sequence[Mask]) -> Lattice:
    """Pack chains under the grammar and the masks.

    chains (Chains): B sequences.
    grammar (Grammar): The K tags and their moves.
    masks (Sequence[Optional[ndarray]]): B × (T, K) bool, None allows all.
    RETURNS (Lattice): The lattice. Tags without a complete path through them are still in it (see `prune`).
    RAISES (ValueError): Shapes (CT120), or scores that are not finite (CT121, CT123).
    """
    check_chains(chains, grammar)
    lengths = np.array([len(e) for e in chains.emissions], dtype=np.intp)
    k = len(grammar.tags)
    values = np.concatenate([np.zeros((0, k)), *chains.emissions]).astype(np.float64, copy=False)  # chain after chain
    if not isfinite(values.sum()) and not np.isfinite(values).all():  # a sum is quicker, but may overflow
        raise ValueError(_not_finite(chains))
    masked = any(mask is not None for mask in masks)
    if masked:
        values = np.where(np.concatenate(_filled(masks, lengths, k)), values, -np.inf)
    rows = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
    active = np.searchsorted(-lengths[rows], -np.arange(lengths.max(initial=0)), side="left")
    offsets = np.concatenate(([0], np.cumsum(active)))
    rank = np.zeros(len(lengths), dtype=np.intp)
    rank[rows] = np.arange(len(rows))
    first = np.cumsum(lengths) - lengths  # where each chain begins among the values
    step = np.arange(len(values)) - np.repeat(first, lengths)
    slot = offsets[step] + np.repeat(rank, lengths)
    potentials = np.empty_like(values)
    potentials[slot] = values
    potentials[: len(rows)] += np.where(grammar.start, chains.start, -np.inf)
    row = np.arange(len(values)) - np.repeat(offsets[:-1], active)
    transition = np.where(grammar.transition, chains.transition, -np.inf)
    lattice = Lattice(rows, active, offsets, row, potentials, transition, slot, lengths, masked)
    potentials[lattice.last()] += np.where(grammar.end, chains.end, -np.inf)
    return lattice


def prune(
    lattice: Lattice, grammar: Grammar, what: str = "the allowed tags", names: Optional[Sequence[int]] = None
) -> Lattice:
    """Forbid every tag that no complete path passes through.

    lattice (Lattice): The lattice.
    grammar (Grammar): The moves.
    what (str): What to name in an error.
    names (Optional[Sequence[int]]): The number of each sequence in an error, if it is not its place.
    RETURNS (Lattice): The same with -inf where a tag is not both reachable from the start and able to reach the end.
    RAISES (ValueError): A sequence without a path (CT122).
    """
    moves = grammar.transition.astype(np.float32)
    enters, leaves = (grammar.start @ moves).all(), (moves @ grammar.end).all()  # every tag, with one move
    if enters and leaves and (grammar.start & grammar.end).any() and not lattice.masked:
        return lattice
    allowed = (lattice.potentials > -np.inf).astype(np.float32)  # (N, K) of 0 and 1
    reach, active, offsets = allowed.copy(), lattice.active, lattice.offsets
    for t in range(1, len(active)):
        n, before, now = active[t], offsets[t - 1], offsets[t]
        np.minimum(reach[before : before + n] @ moves, allowed[now : now + n], out=reach[now : now + n])
    dead = ~reach.any(axis=1)  # (N,)
    if dead.any():
        sequence = int(lattice.rows[lattice.row[dead.argmax()]])
        name = sequence if names is None else names[sequence]
        token = int(np.searchsorted(offsets, dead.argmax(), side="right")) - 1
        raise ValueError(Errors.CT122.format(sequence=name, token=token, what=what, scheme=grammar.scheme))
    for t in range(len(active) - 1, 0, -1):
        n, before, now = active[t], offsets[t - 1], offsets[t]
        np.minimum(reach[now : now + n] @ moves.T, reach[before : before + n], out=reach[before : before + n])
    return replace(lattice, potentials=np.where(reach > 0, lattice.potentials, -np.inf))


def subset(lattice: Lattice, keep: Bools) -> Tuple[Lattice, Ints]:
    """Take some rows out of a lattice.

    keep (ndarray): (B,) bool.
    RETURNS (Tuple[Lattice, ndarray]): A lattice of them (its `slot` and `lengths` are those of its own rows), and
        (N',) where its tokens stand in the lattice given.
    """
    tokens = keep[lattice.row].nonzero()[0]  # (N',)
    active = np.add.reduceat(keep[lattice.row].astype(np.intp), lattice.offsets[:-1]) if len(tokens) else tokens
    active = active[active > 0]
    offsets = np.concatenate(([0], np.cumsum(active)))
    row = np.arange(len(tokens)) - np.repeat(offsets[:-1], active)
    lengths = lattice.lengths[lattice.rows[keep]]
    slot = np.lexsort((np.arange(len(tokens)), row))
    rows, potentials = np.arange(len(lengths)), lattice.potentials[tokens]
    part = Lattice(rows, active, offsets, row, potentials, lattice.transition, slot, lengths, lattice.masked)
    return part, tokens


def _filled(masks: Sequence[Mask], lengths: Ints, k: int) -> List[Bools]:
    """The masks, with all True for None. RAISES (ValueError): Wrong shape (CT120)."""
    for i, (mask, length) in enumerate(zip(masks, lengths, strict=True)):
        if mask is not None and mask.shape != (length, k):
            raise ValueError(Errors.CT120.format(name=f"mask {i}", shape=mask.shape, expected=(int(length), k)))
    return [np.ones((length, k), np.bool_) if m is None else m for m, length in zip(masks, lengths, strict=True)]


def _not_finite(chains: Chains) -> str:
    """The message for the first token whose emissions are not finite."""
    for i, emissions in enumerate(chains.emissions):
        bad = ~np.isfinite(emissions).all(axis=1)
        if bad.any():
            return Errors.CT121.format(sequence=i, token=int(bad.argmax()))
    return Errors.CT121.format(sequence="?", token="?")
