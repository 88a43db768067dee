"""Forward–backward: log Z, and exact marginals of tags and moves, under any mask (Culotta & McCallum 2004).

Scaled probability space (Rabiner 1989, section V.A): ``a_t = (a_{t-1} A) ∘ E_t / c_t`` and ``b_t = A (E_{t+1} ∘ b_{t+1})
/ d_t`` with ``A = exp(transition)``, ``E = exp(potentials)``, both divided by their largest value. A row in which that
may have lost mass to underflow is done again in log space. No gradients here: they are in `loss`.
"""

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import numpy as np

from ..tags import Grammar
from .chains import Bools, Chains, Floats, Ints, Lattice, Mask, as_masks, build_lattice, prune, subset
from .log_space import LogPass, log_space_pass

TINY = 1e-280  # a possible tag below this has lost digits, or a neighbour: the smallest normal number is 2e-308
TINY_MASS = 1e-100  # below this, the factors of the pair marginals could overflow


@dataclass(frozen=True, eq=False)
class Posterior:
    """The distribution over the paths of one sequence. Probabilities are in [0, 1], logs in nats.

    log_z (float): Log of the sum over all admissible paths; 0 if T = 0.
    tag_probs (ndarray): (T, K) marginals; rows sum to 1.
    transition_counts (ndarray): (K, K) expected number of each move, [from, to].
    log_alpha (ndarray): (T, K) log-sum over all beginnings up to and with token t; -inf where impossible.
    log_beta (ndarray): (T, K) log-sum over all endings after token t; -inf where impossible.
    potentials (ndarray): (T, K) scores of tags, with `start` and `end` in the first and last row; -inf where impossible.
    transition (ndarray): (K, K) scores of moves, -inf where forbidden.
    grammar (Grammar): The tags.
    """

    log_z: float
    tag_probs: Floats
    transition_counts: Floats
    log_alpha: Floats
    log_beta: Floats
    potentials: Floats
    transition: Floats
    grammar: Grammar

    @property
    def start_counts(self) -> Floats:
        """(K,) Probability of each tag to come first; zeros if T = 0."""
        return self.tag_probs[:1].sum(axis=0)

    @property
    def end_counts(self) -> Floats:
        """(K,) Probability of each tag to come last; zeros if T = 0."""
        return self.tag_probs[-1:].sum(axis=0)


@dataclass(frozen=True, eq=False)
class Pass:
    """The result of both passes over a lattice of N tokens and B rows.

    log_z (ndarray): (B,) in nats.
    tag_probs (ndarray): (N, K).
    left, right (ndarray): (N, K) factors: P(move i, j into a token) = left[i] · weight[i, j] · right[j]. Zero at
        first tokens, and in rows that were redone.
    weight (ndarray): (K, K) exp(transition), largest value 1.
    alpha, beta (ndarray): (N, K) scaled forward and backward values; their logs are `log_alpha`, `log_beta`.
    alpha_scale, beta_scale (ndarray): (N,) log of the factor taken out at each token.
    redone (ndarray): (B,) bool, rows done in log space.
    log_pass (Optional[LogPass]): Their result, with `redone_tokens` (N',) their places.
    """

    log_z: Floats
    tag_probs: Floats
    left: Floats
    right: Floats
    weight: Floats
    alpha: Floats
    beta: Floats
    alpha_scale: Floats
    beta_scale: Floats
    redone: Bools
    redone_tokens: Ints
    log_pass: Optional[LogPass]

    def transition_counts(self, lattice: Lattice, row_weights: Floats) -> Floats:
        """Expected moves (K, K), summed over the rows with weights (B,)."""
        counts = ((self.left * row_weights[lattice.row, None]).T @ self.right) * self.weight  # (K, K)
        if self.log_pass is not None:
            counts += np.tensordot(row_weights[self.redone], self.log_pass.transition_counts, axes=1)
        return counts


def sum_product(lattice: Lattice) -> Pass:
    """Run both passes over a pruned lattice.

    lattice (Lattice): From `prune`.
    RETURNS (Pass): log Z, marginals and what they were made of.
    """
    active, offsets, row, phi = lattice.active, lattice.offsets, lattice.row, lattice.potentials
    size, (n_tokens, k) = len(lattice.rows), phi.shape
    with np.errstate(all="ignore"):  # what goes wrong here is found by `_lost_mass`, and done again
        top, top_move = phi.max(axis=1, initial=-np.inf), lattice.transition.max()
        emit, weight = np.exp(phi - top[:, None]), np.exp(lattice.transition - top_move)  # (N, K), (K, K) in [0, 1]
        alpha, beta, onward = np.empty_like(emit), np.ones_like(emit), np.empty_like(emit)  # (N, K)
        c, d, ones = np.ones(n_tokens), np.ones(n_tokens), np.ones(k)
        alpha[:size] = emit[:size]
        for t in range(len(active)):
            now = slice(offsets[t], offsets[t + 1])
            if t:
                np.matmul(alpha[offsets[t - 1] : offsets[t - 1] + active[t]], weight, out=alpha[now])
                alpha[now] *= emit[now]
            np.matmul(alpha[now], ones, out=c[now])
            alpha[now] /= c[now, None]
        for t in range(len(active) - 1, 0, -1):
            now, before = slice(offsets[t], offsets[t + 1]), slice(offsets[t - 1], offsets[t - 1] + active[t])
            np.multiply(emit[now], beta[now], out=onward[now])
            np.matmul(onward[now], weight.T, out=beta[before])
            np.matmul(beta[before], ones, out=d[before])
            beta[before] /= d[before, None]
        joint = alpha * beta  # (N, K)
        mass = joint @ ones  # (N,)
        redone = _lost_mass(lattice, alpha, beta, c, d, mass)  # (B,)
        tag_probs = np.minimum(joint / mass[:, None], 1.0)
        left, right, previous = np.zeros_like(emit), np.zeros_like(emit), lattice.previous()
        left[size:] = alpha[previous] / c[size:, None]
        right[size:] = onward[size:] / mass[size:, None]
        log_c, log_d = np.log(c) + top, np.log(d)
        log_c[size:] += top_move
        log_d[previous] += top[size:] + top_move
        log_z = np.bincount(row, log_c, minlength=size)  # at the last token alpha sums to 1 and beta is 1
    tokens, log_pass = np.zeros(0, dtype=np.intp), None
    if redone.any():
        part, tokens = subset(lattice, redone)
        log_pass = log_space_pass(part)
        log_z[redone], tag_probs[tokens] = log_pass.log_z, log_pass.tag_probs
        left[tokens] = right[tokens] = 0.0
    return Pass(log_z, tag_probs, left, right, weight, alpha, beta, log_c, log_d, redone, tokens, log_pass)


def posterior(
    chains: Chains, grammar: Grammar, allowed: Optional[Sequence[Mask]] = None
) -> List[Posterior]:
    """Compute log Z and the marginals of a batch, exactly.

    chains (Chains): B sequences of any lengths, 0 included.
    grammar (Grammar): The K tags and their moves.
    allowed (Optional[Sequence[Optional[ndarray]]]): B masks (T, K) of allowed tags; None allows all.
    RETURNS (List[Posterior]): One for each sequence, in the order given.
    RAISES (ValueError): Shapes (CT120), scores that are not finite (CT121, CT123), a sequence without a path (CT122).
    """
    lattice = prune(build_lattice(chains, grammar, as_masks(allowed, chains)), grammar)
    run = sum_product(lattice)
    log_z = np.zeros(len(lattice.lengths))
    log_z[lattice.rows] = run.log_z
    log_alpha, log_beta = _log_values(run, lattice)
    fields = (run.tag_probs, run.left, run.right, log_alpha, log_beta, lattice.potentials)
    counts = np.zeros((len(lattice.lengths), *run.weight.shape))  # (B, K, K), of rows done in log space
    if run.log_pass is not None:
        counts[lattice.rows[run.redone]] = run.log_pass.transition_counts
    return [
        Posterior(float(z), probs, count + (left.T @ right) * run.weight, *rest, lattice.transition, grammar)
        for z, count, probs, left, right, *rest in zip(
            log_z, counts, *(lattice.unpack(field) for field in fields), strict=True
        )
    ]


def _lost_mass(lattice: Lattice, alpha: Floats, beta: Floats, c: Floats, d: Floats, mass: Floats) -> Bools:
    """Find the rows (B,) bool in which a possible tag is, before scaling, not above TINY, or which hold NaN.

    Above TINY nothing that is lost in a sum (below 1e-308) matters to it. All sums are at most K², so that scaling does
    not take a value much lower.
    """
    least = np.minimum(alpha * c[:, None], beta * d[:, None])  # (N, K); NaN stays NaN, and compares as False
    sound = np.where(lattice.potentials > -np.inf, least, 1.0).min(axis=1, initial=1.0) > TINY
    lost = np.zeros(len(lattice.rows), dtype=np.bool_)
    lost[lattice.row[~(sound & (c * mass > TINY_MASS))]] = True
    return lost


def _log_values(run: Pass, lattice: Lattice) -> Tuple[Floats, Floats]:
    """Undo the scaling: (N, K) log alpha and log beta, -inf where a tag is impossible."""
    up, down = run.alpha_scale.copy(), run.beta_scale.copy()  # (N,)
    active, offsets = lattice.active, lattice.offsets
    for t in range(1, len(active)):
        up[offsets[t] : offsets[t + 1]] += up[offsets[t - 1] : offsets[t - 1] + active[t]]
    for t in range(len(active) - 1, 0, -1):
        down[offsets[t - 1] : offsets[t - 1] + active[t]] += down[offsets[t] : offsets[t + 1]]
    with np.errstate(all="ignore"):
        log_alpha, log_beta = np.log(run.alpha) + up[:, None], np.log(run.beta) + down[:, None]
    if run.log_pass is not None:
        log_alpha[run.redone_tokens], log_beta[run.redone_tokens] = run.log_pass.log_alpha, run.log_pass.log_beta
    return log_alpha, np.where(lattice.potentials > -np.inf, log_beta, -np.inf)
