"""Arrays set side by side."""

from typing import Callable, List, Tuple

import numpy
from thinc.api import Model
from thinc.types import Floats2d

Parts = List[Floats2d]


def hstack() -> Model[Parts, Floats2d]:
    """INPUT: n × (T, W_i). OUTPUT: (T, ΣW_i). The gradient is cut the same way."""
    return Model("hstack", _forward)


def _forward(
    model: Model[Parts, Floats2d], parts: Parts, is_train: bool
) -> Tuple[Floats2d, Callable[[Floats2d], Parts]]:
    ends = numpy.cumsum([x.shape[1] for x in parts])[:-1]

    def backprop(dY: Floats2d) -> Parts:
        return [model.ops.as_contig(d_part) for d_part in model.ops.xp.split(dY, ends, axis=1)]

    return model.ops.xp.hstack(parts), backprop
