"""Viterbi: the path with the highest score, ``argmax_y score(y)``, for a batch of chains.

``s_t = max_i (s_{t-1}[i] + transition[i]) + emissions_t`` (Rabiner 1989, section III.B). No back-pointers are kept: on
the way back only the moves into the tag that was chosen are compared again. One path; n-best is not here.
"""

from typing import List, Optional, Sequence

import numpy as np

from ..tags import Grammar
from .chains import BLOCK, Chains, Floats, Ints, Lattice, Mask, as_masks, build_lattice, prune


def viterbi(chains: Chains, grammar: Grammar, allowed: Optional[Sequence[Mask]] = None) -> List[Ints]:
    """Find the best path of each sequence. Of equal paths, the one with the lower tag index at its last difference.

    chains (Chains): B sequences of any lengths, 0 included.
    grammar (Grammar): The K tags and their moves.
    allowed (Optional[Sequence[Optional[ndarray]]]): B masks (T, K) of allowed tags; None allows all.
    RETURNS (List[ndarray]): B × (T,) intp tag indices, in the order given.
    RAISES (ValueError): Shapes (CT120), scores that are not finite (CT121, CT123), a sequence without a path (CT122).
    """
    lattice = build_lattice(chains, grammar, as_masks(allowed, chains))
    if allowed is not None:
        prune(lattice, grammar)  # only to refuse a sequence without a path
    score = best_scores(lattice)
    return lattice.unpack(_trace_one(lattice, score) if len(lattice.rows) == 1 else _trace(lattice, score))


def best_scores(lattice: Lattice) -> Floats:
    """Find how well the paths up to each tag can begin.

    The moves are laid out [from, row, to], so that the maximum is taken over whole rows of memory, a block at a time.

    RETURNS (ndarray): (N, K) scores of the best beginnings up to and with each tag; it overwrites the potentials.
    """
    if len(lattice.rows) == 1:
        return _best_scores_one(lattice)
    score, k = lattice.potentials, len(lattice.transition)
    sources, transition = score.T[:, :, None], lattice.transition[:, None, :]  # (K, N, 1), (K, 1, K)
    offsets, active = lattice.offsets.tolist(), lattice.active.tolist()
    size, rows = max(1, min(BLOCK // k**2, len(lattice.rows))), 0
    room = np.empty(k * size * k)
    for t in range(1, len(active)):
        for low in range(0, active[t], size):
            before, now, n = offsets[t - 1] + low, offsets[t] + low, min(size, active[t] - low)
            if n != rows:
                moves, best, rows = room[: k * n * k].reshape(k, n, k), np.empty((n, k)), n
            np.maximum.reduce(np.add(sources[:, before : before + n], transition, out=moves), axis=0, out=best)
            score[now : now + n] += best
    return score


def _best_scores_one(lattice: Lattice) -> Floats:
    """The same for one row, where each step is so short that calls count."""
    score, transition = lattice.potentials, lattice.transition
    moves, best, before = np.empty(transition.shape), np.empty(len(transition)), score[0, :, None]
    for now in list(score[1:]):
        np.maximum.reduce(np.add(before, transition, out=moves), axis=0, out=best)
        before = np.add(now, best, out=now)[:, None]
    return score


def _trace(lattice: Lattice, score: Floats) -> Ints:
    """Walk back from the best last tags. RETURNS (ndarray): (N,) tags."""
    offsets, active = lattice.offsets.tolist(), lattice.active.tolist()
    tags, last = np.empty(len(score), dtype=np.intp), lattice.last()
    tags[last] = score[last].argmax(axis=1)
    into, room = np.ascontiguousarray(lattice.transition.T), np.empty((len(lattice.rows), score.shape[1]))
    for t in range(len(active) - 1, 0, -1):
        n, before = active[t], slice(offsets[t - 1], offsets[t - 1] + active[t])
        moves = into.take(tags[offsets[t] : offsets[t + 1]], axis=0, out=room[:n], mode="clip")
        np.add(moves, score[before], out=moves).argmax(axis=1, out=tags[before])
    return tags


def _trace_one(lattice: Lattice, score: Floats) -> Ints:
    """The same for one row, where each step is so short that calls count."""
    into, tag = list(np.ascontiguousarray(lattice.transition.T)), int(score[-1].argmax())
    tags, moves = [tag], np.empty(score.shape[1])
    for row in list(score[-2::-1]):
        tag = int(np.add(row, into[tag], out=moves).argmax())
        tags.append(tag)
    return np.array(tags[::-1])
