"""Forward–backward: log Z and exact marginals of tags and moves, under any mask (Culotta & McCallum 2004).

``P(y_t) = α_t ∘ β_t / Z``. The passes themselves are in `scaled` and `log_space`, gradients in `loss`.
"""

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import numpy as np

from ..tags import Grammar
from .chains import Chains, Floats, Lattice, Mask, as_masks, build_lattice, prune
from .log_space import count_moves
from .scaled import Pass, sum_product


@dataclass(frozen=True, eq=False)
class Posterior:
    """The distribution over the paths of one sequence. Probabilities are in [0, 1], logs in nats.

    log_z (float): Log of the sum over all admissible paths; 0 if T = 0.
    tag_probs (ndarray): (T, K) marginals; rows sum to 1.
    log_alpha (ndarray): (T, K) log-sum over all beginnings up to and with token t; -inf where impossible.
    log_beta (ndarray): (T, K) log-sum over all endings after token t; -inf where impossible.
    potentials (ndarray): (T, K) scores of tags, with `start` and `end` added in the first and last row;
        -inf where impossible.
    transition (ndarray): (K, K) scores of moves, -inf where forbidden.
    grammar (Grammar): The tags.
    """

    log_z: float
    tag_probs: Floats
    log_alpha: Floats
    log_beta: Floats
    potentials: Floats
    transition: Floats
    grammar: Grammar

    @property
    def transition_counts(self) -> Floats:
        """(K, K) Expected number of each move, [from, to]. Computed anew each time, in log space: T·K² exponentials."""
        onward = self.potentials + self.log_beta  # (T, K)
        return count_moves(self.log_alpha[:-1], self.transition, onward[1:], np.ones(len(onward[1:])))

    @property
    def start_counts(self) -> Floats:
        """(K,) Probability of each tag to come first; zeros if T = 0."""
        counts: Floats = self.tag_probs[:1].sum(axis=0)
        return counts

    @property
    def end_counts(self) -> Floats:
        """(K,) Probability of each tag to come last; zeros if T = 0."""
        counts: Floats = self.tag_probs[-1:].sum(axis=0)
        return counts


def posterior(chains: Chains, grammar: Grammar, allowed: Optional[Sequence[Mask]] = None) -> List[Posterior]:
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
    probs, up, down, potentials = map(lattice.unpack, (run.tag_probs, log_alpha, log_beta, lattice.potentials))
    return [
        Posterior(z, probs[i], up[i], down[i], potentials[i], lattice.transition, grammar)
        for i, z in enumerate(log_z.tolist())
    ]


def _log_values(run: Pass, lattice: Lattice) -> Tuple[Floats, Floats]:
    """Undo the scaling: (N, K) log alpha and log beta, -inf where a tag is impossible."""
    up, down = run.alpha_scale.copy(), run.beta_scale.copy()  # (N,)
    active, offsets = lattice.active.tolist(), lattice.offsets.tolist()
    if len(active) < len(lattice.lengths):
        for t in range(1, len(active)):
            up[offsets[t] : offsets[t + 1]] += up[offsets[t - 1] : offsets[t - 1] + active[t]]
        for t in range(len(active) - 1, 0, -1):
            down[offsets[t - 1] : offsets[t - 1] + active[t]] += down[offsets[t] : offsets[t + 1]]
    else:  # fewer chains than steps
        for tokens in lattice.unpack(np.arange(len(up))):
            up[tokens], down[tokens[::-1]] = np.cumsum(up[tokens]), np.cumsum(down[tokens[::-1]])
    with np.errstate(all="ignore"):
        log_alpha, log_beta = np.log(run.alpha, out=run.alpha), np.log(run.beta, out=run.beta)
    log_alpha += up[:, None]
    log_beta += down[:, None]
    if run.log_pass is not None:
        log_alpha[run.redone_tokens], log_beta[run.redone_tokens] = run.log_pass.log_alpha, run.log_pass.log_beta
    log_beta[lattice.potentials == -np.inf] = -np.inf
    return log_alpha, log_beta
