"""The registered optimizer: Thinc's Adam, with a weight decay that spares biases and norms, and averages of weights.

Decay is decoupled from the gradient (AdamW, Loshchilov & Hutter 2019). With n the steps of a weight since averaging
began

    average ← average + max(1 - average_decay, 1 / n) (weights - average)

which begins as the mean of the steps so far, so that nothing of the first weights stays behind, and becomes an
exponential average over the last 1 / (1 - average_decay) steps or so. With 1 it stays the mean of all: stochastic
weight averaging (Izmailov et al. 2018).
"""

from typing import Any

from thinc.api import Optimizer
from thinc.optimizers import FloatOrSeq, KeyT
from thinc.types import FloatsXd

from ..errors import Errors

BIASES = ("b", "transition")  # of two dimensions: those of Thinc's maxout, and the CRF's scores of moves


def create_adam_v1(
    learn_rate: FloatOrSeq = 0.001,
    *,
    L2: FloatOrSeq = 0.0,
    beta1: FloatOrSeq = 0.9,
    beta2: FloatOrSeq = 0.999,
    eps: FloatOrSeq = 1e-8,
    grad_clip: FloatOrSeq = 1.0,
    L2_is_weight_decay: bool = True,
    use_averages: bool = False,
    average_decay: float = 0.999,
    average_start: int = 0,
) -> Optimizer:
    """Make the optimizer `spacy-ctxtag.Adam.v1`. What `Adam.v1` has too means the same.

    L2 (FloatOrSeq): Decay of the weights that multiply an input: matrices and tables of embeddings. Biases, norms and
        the scores of moves between tags are spared, in Thinc's layers and in the encoder.
    use_averages (bool): Predict, evaluate and save with averages of the weights, those of the encoder included.
    average_decay (float): In [0, 1]; see the formula above.
    average_start (int): So many steps of a weight are left out of its average; until then the weight itself is used.
    RETURNS (Optimizer): The optimizer.
    RAISES (ValueError): CT304 for a setting out of its range.
    """
    return Adam(
        learn_rate,
        L2=L2,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        grad_clip=grad_clip,
        L2_is_weight_decay=L2_is_weight_decay,
        use_averages=use_averages,
        average_decay=average_decay,
        average_start=average_start,
    )


class Adam(Optimizer):
    """See `create_adam_v1`."""

    __slots__ = ["average_decay", "average_start"]

    def __init__(self, learn_rate: FloatOrSeq, *, average_decay: float, average_start: int, **settings: Any) -> None:
        for name, value, holds, expected in (
            ("average_decay", average_decay, 0.0 <= average_decay <= 1.0, "a number in [0, 1]"),
            ("average_start", average_start, average_start >= 0, "0 or more"),
        ):
            if not holds:
                raise ValueError(Errors.CT304.format(name=name, met=value, expected=expected))
        super().__init__(learn_rate, **settings)
        self.average_decay = average_decay
        self.average_start = average_start

    def __call__(self, key: KeyT, weights: FloatsXd, gradient: FloatsXd, *, lr_scale: float = 1.0) -> Any:
        """Take a step for one parameter. RETURNS (tuple): Its weights, and its gradient, which is zero now."""
        decay, averages = self.L2, self.averages
        self.averages = None  # Thinc's begin at zero
        if not decays(key[1], weights):
            self.L2 = 0.0
        try:
            weights, gradient = super().__call__(key, weights, gradient, lr_scale=lr_scale)
        finally:
            self.L2, self.averages = decay, averages
        if averages is not None:
            self._average(key, weights)
        return weights, gradient

    def _average(self, key: KeyT, weights: Any) -> None:
        steps = self.nr_update[key] - self.average_start
        averages: Any = self.averages
        if steps < 1:
            return
        if key not in averages:
            averages[key] = weights.copy()
        else:
            averages[key] += max(1.0 - self.average_decay, 1.0 / steps) * (weights - averages[key])


def decays(name: str, weights: FloatsXd) -> bool:
    """RETURNS (bool): Whether a parameter of this name multiplies an input, so that weight decay applies to it."""
    return weights.ndim > 1 and name not in BIASES
