"""Both passes in log space: slower, but nothing underflows. For the rows that `scaled` may get wrong."""

from dataclasses import dataclass

import numpy as np

from .chains import Floats, Lattice


@dataclass(frozen=True, eq=False)
class LogPass:
    """The result for a lattice of N tokens and B rows.

    log_z (ndarray): (B,) in nats.
    tag_probs (ndarray): (N, K).
    log_alpha, log_beta (ndarray): (N, K); -inf where impossible.
    transition_counts (ndarray): (B, K, K) expected moves, [from, to].
    """

    log_z: Floats
    tag_probs: Floats
    log_alpha: Floats
    log_beta: Floats
    transition_counts: Floats


def log_sum_exp(values: Floats, axis: int) -> Floats:
    """Log of the sum of exponentials along an axis; -inf for a sum of nothing but -inf."""
    top = values.max(axis=axis, keepdims=True, initial=-np.inf)
    top[top == -np.inf] = 0.0
    with np.errstate(divide="ignore"):
        summed: Floats = np.log(np.exp(values - top).sum(axis=axis)) + top.squeeze(axis)
    return summed


def log_space_pass(lattice: Lattice) -> LogPass:
    """Run both passes over a pruned lattice with log-sums.

    lattice (Lattice): From `prune`.
    RETURNS (LogPass): log Z and marginals.
    """
    phi, move, offsets, active = lattice.potentials, lattice.transition, lattice.offsets, lattice.active
    log_alpha, log_beta = phi.copy(), np.zeros_like(phi)  # (N, K)
    for t in range(1, len(active)):
        now, before = slice(offsets[t], offsets[t + 1]), slice(offsets[t - 1], offsets[t - 1] + active[t])
        log_alpha[now] += log_sum_exp(log_alpha[before, :, None] + move, axis=1)
    log_z = log_sum_exp(log_alpha[lattice.last()], axis=1)  # (B,)
    counts = np.zeros((len(lattice.rows), *move.shape))  # (B, K, K)
    for t in range(len(active) - 1, 0, -1):
        now, before = slice(offsets[t], offsets[t + 1]), slice(offsets[t - 1], offsets[t - 1] + active[t])
        onward = move + (phi[now] + log_beta[now])[:, None, :]  # (n, K, K)
        log_beta[before] = log_sum_exp(onward, axis=2)
        pairs = np.exp(log_alpha[before, :, None] + onward - log_z[: active[t], None, None])
        counts[: active[t]] += pairs / pairs.sum(axis=(1, 2), keepdims=True)
    tag_probs = np.exp(log_alpha + log_beta - log_z[lattice.row, None])
    tag_probs /= tag_probs.sum(axis=1, keepdims=True)
    return LogPass(log_z, tag_probs, log_alpha, log_beta, counts)
