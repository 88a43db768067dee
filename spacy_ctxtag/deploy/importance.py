"""Which feed-forward units and attention heads of an encoder matter: a first-order Taylor expansion of the loss.

``I = Σ_text |∂L/∂m|`` at m = 1, where the mask m scales what the unit or head gives to the rest of the encoder (Michel
et al. 2019, equation 2; Molchanov et al. 2017). As only one weight matrix W reads it, ``∂L/∂m = Σ W ∘ ∂L/∂W`` over its
columns, so the gradients of a usual update tell all.
"""

from dataclasses import dataclass
from typing import Any, Dict, List, Tuple

import numpy as np
from numpy.typing import NDArray
from thinc.util import to_numpy

Ints = NDArray[np.intp]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Taylor:
    """In the place of an optimizer: it takes no step, but adds up the importance of groups of columns.

    scores (Dict[Tuple[int, str], ndarray]): By the optimizer's key of a matrix (W, groups · size): (groups,), zeros at
        first.
    """

    scores: Dict[Tuple[int, str], Floats]

    def __call__(self, key: Tuple[int, str], weights: Any, gradient: Any, *, lr_scale: float = 1.0) -> Tuple[Any, Any]:
        """Take the gradient of one text. RETURNS (Tuple): The weights as they were, and the gradient, now zeros."""
        if key in self.scores:
            columns = (weights * gradient).sum(axis=0)
            groups = columns.reshape((len(self.scores[key]), -1)).sum(axis=1)
            self.scores[key] += abs(to_numpy(groups))  # type: ignore[no-untyped-call]
        gradient.fill(0)
        return weights, gradient


def best_units(scores: Floats, n: int) -> Ints:
    """RETURNS (ndarray): (n,) the units with the highest scores, rising; of equal ones the first."""
    return np.sort(np.argsort(-scores, kind="stable")[:n])


def worst_heads(scores: List[Floats], n: int) -> Dict[int, List[int]]:
    """Choose attention heads to remove from an encoder, wherever they are; each layer keeps one.

    scores (List[ndarray]): For each layer (heads,). They are compared after a division by the layer's Euclidean norm
        (Molchanov et al. 2017, section 2.2).
    n (int): How many.
    RETURNS (Dict[int, List[int]]): By layer the heads, rising; layers that keep all are left out.
    """
    of_layer = np.repeat(np.arange(len(scores)), [len(each) for each in scores])
    head = np.concatenate([np.arange(len(each)) for each in scores])
    normed = np.concatenate([each / max(np.sqrt((each**2).sum()), 1e-300) for each in scores])
    best = np.cumsum([0, *(len(each) for each in scores[:-1])]) + [each.argmax() for each in scores]
    normed[best] = np.inf
    removed = np.argsort(normed, kind="stable")[: min(n, len(normed) - len(scores))]
    return {
        layer: sorted(head[removed[of_layer[removed] == layer]].tolist()) for layer in sorted(set(of_layer[removed]))
    }


def spaced_layers(n_layers: int, n: int) -> List[int]:
    """RETURNS (List[int]): n of the layers, evenly spaced, the lowest and (for n > 1) the highest among them."""
    return [round(i * (n_layers - 1) / max(1, n - 1)) for i in range(n)]
