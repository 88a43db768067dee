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
    score, offsets, active = best_scores(lattice), lattice.offsets.tolist(), lattice.active.tolist()
    tags = np.empty(len(score), dtype=np.intp)  # (N,)
    tags[lattice.last()] = score[lattice.last()].argmax(axis=1)
    into = np.ascontiguousarray(lattice.transition.T)  # (K, K) [to, from]
    for t in range(len(active) - 1, 0, -1):
        start, stop = offsets[t - 1], offsets[t - 1] + active[t]
        tags[start:stop] = (score[start:stop] + into[tags[offsets[t] : offsets[t + 1]]]).argmax(axis=1)
    return lattice.unpack(tags)


def best_scores(lattice: Lattice) -> Floats:
    """RETURNS (ndarray): (N, K) scores of the best beginnings up to each tag; it overwrites the potentials.

    The moves are laid out [from, row, to], so that the maximum is taken over whole rows of memory, a block at a time.
    """
    score, k = lattice.potentials, lattice.transition.shape[0]
    offsets, active = lattice.offsets.tolist(), lattice.active.tolist()
    size = min(max(1, BLOCK // k**2), len(lattice.rows))
    room, best = np.empty(k * size * k), np.empty((size, k))
    transition = lattice.transition[:, None, :]  # [from, 1, to]
    for t in range(1, len(active)):
        before, now = offsets[t - 1], offsets[t]
        for low in range(0, active[t], size):
            n = min(size, active[t] - low)
            moves = room[: k * n * k].reshape(k, n, k)
            np.add(score[before + low : before + low + n].T[:, :, None], transition, out=moves)
            score[now + low : now + low + n] += np.maximum.reduce(moves, axis=0, out=best[:n])
    return score
