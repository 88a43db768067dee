"""Both passes in scaled probability space (Rabiner 1989, section V.A), and the test that finds what it may get wrong.

``a_t = (a_{t-1} A) ∘ E_t / c_t`` and ``b_t = A (E_{t+1} ∘ b_{t+1}) / d_t`` with ``A = exp(transition)`` and
``E = exp(potentials)``, both divided by their largest value (E at each token). ``log Z = Σ log c_t``, plus what was
divided out. A row that may have lost mass to underflow is done again in `log_space`.
"""

from dataclasses import dataclass
from typing import Optional

import numpy as np

from .chains import Bools, Floats, Ints, Lattice, subset
from .log_space import LogPass, log_space_pass

TINY = 1e-280  # a possible tag below this has lost digits, or a neighbour: the smallest normal number is 2e-308
TINY_MASS = 1e-100  # below this, the factors of the pair marginals could overflow


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
    active, offsets, size = lattice.active, lattice.offsets, len(lattice.rows)
    with np.errstate(all="ignore"):  # what goes wrong here is found by `_lost_mass`, and done again
        top, top_move = lattice.potentials.max(axis=1), lattice.transition.max()  # (N,), ()
        emit, weight = lattice.potentials - top[:, None], np.exp(lattice.transition - top_move)  # (K, K) in [0, 1]
        np.exp(emit, out=emit)  # (N, K) in [0, 1]
        alpha, beta, right = np.empty_like(emit), np.empty_like(emit), np.empty_like(emit)  # (N, K)
        c, d, ones = np.empty(len(emit)), np.ones(len(emit)), np.ones(len(weight))
        alpha[:size], beta[lattice.last()], right[:size] = emit[:size], 1.0, 0.0
        for t in range(len(active)):
            now = slice(offsets[t], offsets[t + 1])
            if t:
                np.matmul(alpha[offsets[t - 1] : offsets[t - 1] + active[t]], weight, out=alpha[now])
                alpha[now] *= emit[now]
            np.matmul(alpha[now], ones, out=c[now])
            alpha[now] /= c[now, None]
        for t in range(len(active) - 1, 0, -1):
            now, before = slice(offsets[t], offsets[t + 1]), slice(offsets[t - 1], offsets[t - 1] + active[t])
            np.multiply(emit[now], beta[now], out=right[now])
            np.matmul(right[now], weight.T, out=beta[before])
            np.matmul(beta[before], ones, out=d[before])
            beta[before] /= d[before, None]
        tag_probs = np.multiply(alpha, beta, out=emit)  # (N, K)
        mass = tag_probs @ ones  # (N,)
        redone = _lost_mass(lattice, alpha, beta, c, d, mass)  # (B,)
        tag_probs /= mass[:, None]
        np.minimum(tag_probs, 1.0, out=tag_probs)
        right /= (c * mass)[:, None]
        log_c, log_d = np.log(c) + top, np.log(d)  # (N,)
        log_c[size:] += top_move
        log_d[lattice.previous()] += top[size:] + top_move
        log_z = np.bincount(lattice.row, log_c, minlength=size).astype(np.float64)  # the last alpha sums to 1
    tokens, log_pass = np.zeros(0, dtype=np.intp), None
    if redone.any():
        part, tokens = subset(lattice, redone)
        log_pass = log_space_pass(part)
        log_z[redone], tag_probs[tokens] = log_pass.log_z, log_pass.tag_probs
        alpha[tokens] = beta[tokens] = right[tokens] = 0.0
    return Pass(log_z, tag_probs, alpha, beta, log_c, log_d, right, weight, redone, tokens, log_pass)


def _lost_mass(lattice: Lattice, alpha: Floats, beta: Floats, c: Floats, d: Floats, mass: Floats) -> Bools:
    """Find the rows (B,) bool in which a possible tag is, before scaling, not above TINY, or which hold NaN.

    Above TINY nothing that is lost in a sum (below 1e-308) matters to it. All sums are at most K², so that scaling does
    not take a value much lower.
    """
    scratch = np.empty_like(alpha)
    sound = c * mass > TINY_MASS  # (N,); NaN compares as False
    impossible = lattice.potentials == -np.inf
    for values, scale in ((alpha, c), (beta, d)):
        np.multiply(values, scale[:, None], out=scratch)
        np.copyto(scratch, 1.0, where=impossible)
        if not scratch.min(initial=1.0) > TINY:
            sound &= scratch.min(axis=1) > TINY
    lost = np.zeros(len(lattice.rows), dtype=np.bool_)
    lost[lattice.row[~sound]] = True
    return lost
