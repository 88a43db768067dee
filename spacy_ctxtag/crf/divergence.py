"""How far the distribution over paths is from that of a teacher: what distillation makes small.

``KL(p_teacher || p) = log Z - log Z_teacher + E_teacher[score_teacher - score]`` over whole paths: the cross-entropy
``-E_teacher[log p]`` less the teacher's own entropy (Hinton et al. 2015; over structures Wang et al. 2021). Its
gradient is the difference of the expected counts of tags and moves, ``E[counts] - E_teacher[counts]``.
"""

from typing import Any, List, Tuple

import numpy as np

from ..errors import Errors
from ..tags import Grammar
from .chains import Chains, Floats, build_lattice, prune
from .scaled import sum_product


def divergence(chains: Chains, teacher: Chains, grammar: Grammar) -> Tuple[float, Chains]:
    """Compute the Kullback–Leibler divergence of a teacher's paths from those of `chains`, summed over the sequences.

    chains (Chains): B sequences of any lengths, 0 included.
    teacher (Chains): The same sequences as the teacher scores them.
    grammar (Grammar): The K tags and their moves, of both.
    RETURNS (Tuple[float, Chains]): The divergence in nats, at least 0, and its gradient in `chains`: exactly 0 for
        forbidden tags and moves, and everywhere if both have the same scores.
    RAISES (ValueError): Shapes (CT120), scores that are not finite (CT121, CT123).
    """
    shapes = [[scores.shape for scores in each.emissions] for each in (chains, teacher)]
    if shapes[0] != shapes[1]:
        raise ValueError(Errors.CT120.format(name="the teacher's emissions", shape=shapes[1], expected=shapes[0]))
    log_z, counts = _expect(chains, grammar)
    teacher_log_z, wanted = _expect(teacher, grammar)
    gradient = [a - b for a, b in zip(counts, wanted, strict=True)]
    gap = sum(float((w * (t - s)).sum()) for w, t, s in zip(wanted, _parts(teacher), _parts(chains), strict=True))
    start, transition, end, *emissions = gradient
    return max(0.0, log_z - teacher_log_z + gap), Chains(emissions, start, transition, end)


def _parts(chains: Chains) -> List[Floats]:
    return [chains.start, chains.transition, chains.end, *chains.emissions]


def _expect(chains: Chains, grammar: Grammar) -> Tuple[float, List[Floats]]:
    """RETURNS (Tuple): log Z summed over the sequences, and the expected counts in the order of `_parts`."""
    lattice = prune(build_lattice(chains, grammar, [None] * len(chains.emissions)), grammar)
    run = sum_product(lattice)
    probs: Any = lattice.unpack(run.tag_probs)  # B × (T, K)
    start, end = np.zeros(len(chains.start)), np.zeros(len(chains.end))
    for each in probs:
        if len(each):
            start, end = start + each[0], end + each[-1]
    moves = run.transition_counts(lattice, np.ones(len(lattice.rows)))
    return float(run.log_z.sum()), [start, moves, end, *probs]
