"""Both passes in scaled probability space (Rabiner 1989, section V.A), and the test that finds what it may get wrong.

``a_t = (a_{t-1} A) ∘ E_t / c_t`` and, from the other end, ``b_t = A (E_{t+1} ∘ b_{t+1}) / d_{t+1}`` with
``A = exp(transition)`` and ``E = exp(potentials)``, both divided by their largest value (E at each token). c and d make
the products with E sum to 1; ``log Z = Σ log c_t``, plus what was divided out. Both passes run in one loop, the
backward one over mirrored rows. A row that may have lost mass to underflow is done again in `log_space`.
"""

from dataclasses import dataclass
from typing import Optional

import numpy as np

from .chains import Bools, Floats, Ints, Lattice, subset
from .log_space import LogPass, log_space_pass

TINY = 1e-280  # a possible tag below this has lost digits, or a neighbour: the smallest normal number is 2e-308
TINY_MASS = 1e-100  # below this, the factors of the pair marginals could overflow
LOWEST = np.finfo(np.float64).min


@dataclass(frozen=True, eq=False)
class Pass:
    """The result of both passes over a lattice of N tokens and B rows.

    log_z (ndarray): (B,) in nats.
    tag_probs (ndarray): (N, K).
    alpha, beta (ndarray): (N, K) scaled forward and backward values. Zero, as is `right`, in rows that were redone.
    alpha_scale, beta_scale (ndarray): (N,) log of the factor taken out at each token.
    right (ndarray): (N, K) factor of the moves: P(move i, j into a token) is alpha[i] of the token before it ·
        weight[i, j] · right[j].
    weight (ndarray): (K, K) exp(transition), largest value 1.
    redone (ndarray): (B,) bool, rows done in log space.
    log_pass (Optional[LogPass]): Their result, with `redone_tokens` (N',) their places.
    """

    log_z: Floats
    tag_probs: Floats
    alpha: Floats
    beta: Floats
    alpha_scale: Floats
    beta_scale: Floats
    right: Floats
    weight: Floats
    redone: Bools
    redone_tokens: Ints
    log_pass: Optional[LogPass]

    def transition_counts(self, lattice: Lattice, row_weights: Floats) -> Floats:
        """Expected moves (K, K), summed over the rows with weights (B,)."""
        size = len(lattice.rows)
        left = self.alpha.take(lattice.previous(), axis=0)  # (N - B, K)
        left *= row_weights[lattice.row[size:], None]
        counts = (left.T @ self.right[size:]) * self.weight  # (K, K)
        if self.log_pass is not None:
            part, _ = subset(lattice, self.redone)
            counts += self.log_pass.transition_counts(part, row_weights[self.redone])
        return counts


def sum_product(lattice: Lattice) -> Pass:
    """Run both passes over a pruned lattice. Large arrays are filled in place: fresh memory costs more than the sums.

    lattice (Lattice): From `prune`.
    RETURNS (Pass): log Z, marginals and what they were made of.
    """
    active, offsets, size = lattice.active.tolist(), lattice.offsets.tolist(), len(lattice.rows)
    mirror, ones = lattice.mirror(), np.ones(len(lattice.transition))
    with np.errstate(all="ignore"):  # what goes wrong here is found by `_lost_mass`, and done again
        top = lattice.potentials.max(axis=1)  # (N,)
        top_move = max(lattice.transition.max(), LOWEST)  # LOWEST if all moves are forbidden
        weight = np.exp(lattice.transition - top_move)  # (K, K) in [0, 1]
        emit, before, scaled = (np.empty((2, *lattice.potentials.shape)) for _ in range(3))  # (2, N, K) in [0, 1]
        np.exp(np.subtract(lattice.potentials, top[:, None], out=emit[0]), out=emit[0])
        np.take(emit[0], mirror, axis=0, out=emit[1], mode="clip")
        weights, scale = np.stack([weight, weight.T]), np.empty((2, len(top)))  # (2, K, K), (2, N)
        before[:, :size] = 1.0
        for t in range(len(active)):
            now = slice(offsets[t], offsets[t + 1])
            if t:
                np.matmul(scaled[:, offsets[t - 1] : offsets[t - 1] + active[t]], weights, out=before[:, now])
            here, total = scaled[:, now], scale[:, now]
            np.multiply(before[:, now], emit[:, now], out=here)
            np.matmul(here, ones, out=total)
            np.divide(here, total[:, :, None], out=here)
        alpha, beta = scaled[0], np.take(before[1], mirror, axis=0, out=emit[1], mode="clip")
        tag_probs = np.multiply(alpha, beta, out=before[0])  # (N, K)
        mass = tag_probs @ ones  # (N,)
        redone = _lost_mass(lattice, scaled, scale, mirror, mass)  # (B,)
        tag_probs /= mass[:, None]
        np.minimum(tag_probs, 1.0, out=tag_probs)
        right = np.multiply(emit[0], beta, out=emit[0])
        right /= (scale[0] * mass)[:, None]
        right[:size] = 0.0
        log_c, log_d = np.log(scale[0]) + top, np.zeros(len(top))  # (N,)
        log_c[size:] += top_move
        log_d[lattice.previous()] = np.log(scale[1])[mirror][size:] + top[size:] + top_move
        log_z = np.bincount(lattice.row, log_c, minlength=size).astype(np.float64)  # the last alpha sums to 1
    tokens, log_pass = np.zeros(0, dtype=np.intp), None
    if redone.any():
        part, tokens = subset(lattice, redone)
        log_pass = log_space_pass(part)
        log_z[redone], tag_probs[tokens] = log_pass.log_z, log_pass.tag_probs
        alpha[tokens] = beta[tokens] = right[tokens] = 0.0
    return Pass(log_z, tag_probs, alpha, beta, log_c, log_d, right, weight, redone, tokens, log_pass)


def _lost_mass(lattice: Lattice, scaled: Floats, scale: Floats, mirror: Ints, mass: Floats) -> Bools:
    """Find the rows (B,) bool in which a possible tag is, before scaling, not above TINY, or which hold NaN.

    Above TINY nothing that is lost in a sum (below 1e-308) matters to it. All sums are at most K², so that scaling does
    not take a value much lower.
    """
    lost = np.zeros(len(lattice.rows), dtype=np.bool_)
    lost[lattice.row[~(scale[0] * mass > TINY_MASS)]] = True  # NaN compares as False
    for values, factor, at in zip(scaled, scale, (slice(None), mirror), strict=True):
        low = (~(values.min(axis=1) * factor > TINY)).nonzero()[0]  # of all tags: it may be one that is forbidden
        if len(low):
            forbidden = (lattice.potentials == -np.inf)[at][low]
            unscaled = np.where(forbidden, 1.0, values[low] * factor[low, None])
            lost[lattice.row[low[~(unscaled.min(axis=1) > TINY)]]] = True
    return lost
