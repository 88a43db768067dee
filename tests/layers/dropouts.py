"""What the tests of the dropout layers share."""

from typing import Any, List, Sequence

import numpy
from thinc.api import Model


def vectors(lengths: Sequence[int] = (3, 0, 2), columns: int = 4, dtype: str = "float32") -> List[Any]:
    """RETURNS (List[Floats2d]): Random vectors, none of whose entries is zero."""
    rng = numpy.random.default_rng(0)
    return [rng.uniform(0.5, 1.5, size=(length, columns)).astype(dtype) for length in lengths]


def reseeded(layer: Model[Any, Any]) -> Model[Any, Any]:
    """A layer that draws the same random numbers every time."""

    def forward(model: Model[Any, Any], X: Any, is_train: bool) -> Any:
        numpy.random.seed(0)
        return model.layers[0](X, is_train)

    return Model("reseeded", forward, layers=[layer])
