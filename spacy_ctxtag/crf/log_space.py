"""Both passes in log space: slower, but nothing underflows. For the rows that `scaled` may get wrong."""

from dataclasses import dataclass

import numpy as np

from .chains import BLOCK, Floats, Lattice


@dataclass(frozen=True, eq=False)
class LogPass:
    """The result for a lattice of N tokens and B rows.

    log_z (ndarray): (B,) in nats.
    tag_probs (ndarray): (N, K).
    log_alpha, log_beta (ndarray): (N, K); -inf where impossible.
    """

    log_z: Floats
    tag_probs: Floats
    log_alpha: Floats
    log_beta: Floats

    def transition_counts(self, lattice: Lattice, row_weights: Floats) -> Floats:
        """Expected moves (K, K), summed over the rows with weights (B,)."""
        later = slice(len(lattice.rows), None)  # tokens of step 1 and later
        onward = lattice.potentials[later] + self.log_beta[later]
        weights = row_weights[lattice.row[later]]
        return count_moves(self.log_alpha[lattice.previous()], lattice.transition, onward, weights)


def log_sum_exp(values: Floats, axis: int) -> Floats:
    """Log of the sum of exponentials along an axis; -inf for a sum of nothing but -inf."""
    top = values.max(axis=axis, keepdims=True, initial=-np.inf)
    top[top == -np.inf] = 0.0
    with np.errstate(divide="ignore"):
        summed: Floats = np.log(np.exp(values - top).sum(axis=axis)) + top.squeeze(axis)
    return summed


def count_moves(left: Floats, transition: Floats, right: Floats, weights: Floats) -> Floats:
    """Sum the probabilities of the moves between M pairs of neighbouring tokens, in log space.

    left (ndarray): (M, K) log alpha of the first token of each pair.
    transition (ndarray): (K, K) scores of moves, -inf where forbidden.
    right (ndarray): (M, K) potentials + log beta of the second token.
    weights (ndarray): (M,) of the pairs in the sum.
    RETURNS (ndarray): (K, K) expected moves, [from, to].
    """
    counts, size = np.zeros_like(transition), max(1, BLOCK // transition.size)
    for low in range(0, len(left), size):
        part = slice(low, low + size)
        pairs = left[part, :, None] + transition + right[part, None, :]  # (m, K, K)
        pairs = np.exp(pairs - pairs.max(axis=(1, 2), keepdims=True))
        counts += np.tensordot(weights[part] / pairs.sum(axis=(1, 2)), pairs, axes=1)
    return counts


def log_space_pass(lattice: Lattice) -> LogPass:
    """Run both passes over a pruned lattice with log-sums.

    lattice (Lattice): From `prune`.
    RETURNS (LogPass): log Z and marginals.
    """
    phi, move = lattice.potentials, lattice.transition
    log_alpha, log_beta = phi.copy(), np.zeros_like(phi)  # (N, K)
    for t in range(1, len(lattice.active)):
        for before, now in lattice.moves_into(t):
            log_alpha[now] += log_sum_exp(log_alpha[before, :, None] + move, axis=1)
    log_z = log_sum_exp(log_alpha[lattice.last()], axis=1)  # (B,)
    for t in range(len(lattice.active) - 1, 0, -1):
        for before, now in lattice.moves_into(t):
            log_beta[before] = log_sum_exp(move + (phi[now] + log_beta[now])[:, None, :], axis=2)
    tag_probs = np.exp(log_alpha + log_beta - log_z[lattice.row, None])
    tag_probs /= tag_probs.sum(axis=1, keepdims=True)
    return LogPass(log_z, tag_probs, log_alpha, log_beta)
