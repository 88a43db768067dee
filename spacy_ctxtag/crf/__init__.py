"""Exact inference on linear chains under a tag grammar and masks: float64, NumPy only, batched; no Docs, no layers.

```
Chains + Grammar + masks ──build_lattice──▶ Lattice ──▶ viterbi, n_best   best paths
                                                ├──▶ posterior         log Z, marginals ──▶ span_log_probs and the like
                                                ├──▶ nll               losses and their gradient
                                                ├──▶ wrong_span_nll    the same for spans known to be wrong
                                                ├──▶ divergence        the same from the paths of a teacher
                                                └──▶ entity_ratio_loss the same for the share of entities
Chains ──add_costs──▶ Chains for nll;  Chains ──▶ local_smoothing

Posterior ──spans_above──▶ spans, probabilities ──mbr, mbr_f──▶ those that score best in expectation
```
"""

from .candidates import expected_entities, spans_above
from .chains import Chains
from .costs import add_costs
from .divergence import divergence
from .entity_ratio import entity_ratio_loss
from .forward_backward import Posterior, posterior
from .loss import nll
from .mbr import best_disjoint, mbr, mbr_f
from .n_best import n_best
from .smoothing import local_smoothing
from .spans import span_log_probs, window_log_probs
from .viterbi import viterbi
from .wrong_spans import wrong_span_nll

__all__ = [
    "Chains",
    "Posterior",
    "add_costs",
    "best_disjoint",
    "divergence",
    "entity_ratio_loss",
    "expected_entities",
    "local_smoothing",
    "mbr",
    "mbr_f",
    "n_best",
    "nll",
    "posterior",
    "span_log_probs",
    "spans_above",
    "viterbi",
    "window_log_probs",
    "wrong_span_nll",
]
