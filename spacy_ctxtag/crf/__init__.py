"""Exact inference on linear chains under a tag grammar and masks: float64, NumPy only, batched; no Docs, no layers.

```
Chains + Grammar + masks ──build_lattice──▶ Lattice ──▶ viterbi           best paths
                                                ├──▶ posterior         log Z, marginals ──▶ span_log_probs
                                                └──▶ nll               losses and their gradient
```
"""

from .chains import Chains
from .forward_backward import Posterior, posterior
from .loss import nll
from .spans import span_log_probs
from .viterbi import viterbi

__all__ = ["Chains", "Posterior", "nll", "posterior", "span_log_probs", "viterbi"]
