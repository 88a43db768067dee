"""How much of each token a model gets to see, from nothing (0) to all (1), and a gradient in that.

    x(p) = p x + (1 - p) x⁰

x is a vector that stands for a token or a piece of it, x⁰ one that stands for none. The integral of ∂f/∂p_t along p = α
for all tokens is their integrated gradient (Sundararajan et al. 2017, equation 1); 1 but for one token is occlusion.
"""

from typing import Any, Dict

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Presence:
    """How much there is of the tokens of one Doc.

    values (ndarray): (T,) in [0, 1], ones at first. They may be set anew before each run of a model.
    gradients (Dict[str, ndarray]): By the name of a source, where tokens become vectors: (T,), of the last run.
    """

    def __init__(self, n_tokens: int) -> None:
        self.values: Floats = np.ones(n_tokens)
        self.gradients: Dict[str, Floats] = {}

    def open(self, source: str) -> None:
        """Name a source that will add gradients; there may be several of a name."""
        self.gradients[source] = np.zeros(len(self.values))

    def add(self, source: str, gradient: Any) -> None:
        """Add a gradient (T,) of a source."""
        self.gradients[source] = self.gradients[source] + gradient

    def clear(self) -> None:
        """Set all gradients to zero."""
        for source in self.gradients:
            self.open(source)
