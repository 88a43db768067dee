"""N-best: the k paths with the highest scores, for a batch of chains.

Tree-trellis search (Soong & Huang 1991): the forward pass of `viterbi` tells how well any path can begin, so on the
way back the k best endings, each with its best beginning, hold those of the k best paths. It goes back step by step
and keeps, of each ending, its deficit: what its best path scores below the best path. A move adds to it by how much
it is worse than the best move into the same tag, so the best path has a deficit of exactly 0. No probabilities.
"""

from typing import List, Optional, Sequence, Tuple

import numpy as np

from ..errors import Errors
from ..tags import Grammar
from .chains import Chains, Floats, Ints, Mask, as_masks, build_lattice, prune
from .viterbi import best_scores


def n_best(
    chains: Chains, grammar: Grammar, k: int, allowed: Optional[Sequence[Mask]] = None
) -> List[List[Tuple[Ints, float]]]:
    """Find the k best paths of each sequence, all of them if there are fewer. The first is that of `viterbi`.

    Of equal paths, the one whose ending has the smaller deficit at their last difference comes first, then the one
    with the lower tag index there.

    chains (Chains): B sequences of any lengths, 0 included.
    grammar (Grammar): The K tags and their moves.
    k (int): How many paths, at least 1.
    allowed (Optional[Sequence[Optional[ndarray]]]): B masks (T, K) of allowed tags; None allows all.
    RETURNS (List[List[Tuple[ndarray, float]]]): For each sequence, in the order given, at most k distinct paths, best
        first: (T,) intp tag indices, and the score in nats, so that log P = score - log Z. If T = 0, the empty path
        with the score 0.
    RAISES (ValueError): k below 1 (CT124), shapes (CT120), scores that are not finite (CT121, CT123), a sequence
        without a path (CT122).
    """
    if k < 1:
        raise ValueError(Errors.CT124.format(k=k))
    lattice = build_lattice(chains, grammar, as_masks(allowed, chains))
    if allowed is not None:
        prune(lattice, grammar)  # only to refuse a sequence without a path
    score, offsets, active = best_scores(lattice), lattice.offsets, lattice.active
    into = np.ascontiguousarray(lattice.transition.T)  # (K, K) [to, from]
    deficit = np.full((len(lattice.rows), k), np.inf)  # (B, k) of the endings, rising; inf: there is none
    deficit[:, 0] = 0.0  # the empty ending
    tags, onward = np.zeros((2, len(score), k), dtype=np.intp)  # (N, k) first tag of an ending; which one it prolongs
    n = 0  # rows with a token t + 1
    for t in range(len(active) - 1, -1, -1):
        now = slice(offsets[t], offsets[t + 1])
        values = np.repeat(score[now, None], k, axis=1)  # (n, k, K) of the best beginnings, with the move
        values[:n] += into[tags[offsets[t + 1] : offsets[t + 1] + n]]
        best = values.max(axis=2, keepdims=True)
        best[best == -np.inf] = 0.0
        n = active[t]
        losses = deficit[:n, :, None] + (best - values)  # (n, k, K)
        deficit[:n], picked = _smallest(losses.reshape(n, -1), k)
        onward[now], tags[now] = np.divmod(picked, score.shape[1])
    top = score[lattice.last()].max(axis=1)[:, None]  # (B, 1)
    paths = np.empty_like(tags)  # (N, k)
    slot = np.tile(np.arange(k), (len(deficit), 1))  # (B, k) which ending each path follows
    for t in range(len(active)):
        now, slot = slice(offsets[t], offsets[t + 1]), slot[: active[t]]
        paths[now] = np.take_along_axis(tags[now], slot, axis=1)
        slot = np.take_along_axis(onward[now], slot, axis=1)
    found = np.zeros((len(lattice.lengths), k))  # (B, k), those of no tokens too
    found[:, 1:] = -np.inf
    found[lattice.rows] = top - deficit
    return [
        [(path, value) for path, value in zip(np.ascontiguousarray(array.T), values, strict=True) if value > -np.inf]
        for array, values in zip(lattice.unpack(paths), found.tolist(), strict=True)
    ]


def _smallest(values: Floats, k: int) -> Tuple[Floats, Ints]:
    """The k smallest values of each row, rising, and their places, both (n, k). Overwrites them; of equals the first.

    k passes: faster than a sort or a partition for the k that n-best lists have.
    """
    rows = np.arange(len(values))
    least, places = np.empty((len(values), k)), np.empty((len(values), k), dtype=np.intp)
    for i in range(k):
        places[:, i] = values.argmin(axis=1)
        least[:, i] = values[rows, places[:, i]]
        values[rows, places[:, i]] = np.inf
    return least, places
