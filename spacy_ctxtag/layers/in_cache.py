"""Prediction of a layer over rows, some at a time, so that what lies between stays in the cache of a processor."""

from typing import Any, Iterator, List, Sequence

import numpy
from thinc.api import Model
from thinc.types import Floats2d

Parts = List[Floats2d]  # n × (T, W_i), of the same tokens
Vectors = List[Floats2d]  # B × (T, W)

ROWS = 1024  # at a time


def predict_in_cache(mix: Model[Parts, Floats2d], outputs: Sequence[Vectors]) -> Vectors:
    """Mix the vectors of several layers.

    mix (Model[List[Floats2d], Floats2d]): Makes one row of the rows of a token, and looks at no other token.
    outputs (Sequence[List[Floats2d]]): n × B × (T, W_i); one token at least.
    RETURNS (List[Floats2d]): B × (T, W).
    """
    n_tokens = [len(rows) for rows in outputs[0]]
    return [rows for some in _groups(n_tokens) for rows in _mix(mix, outputs, some)]


def _groups(n_tokens: List[int]) -> Iterator[slice]:
    """YIELDS (slice): Docs of ROWS tokens together at most, or one alone."""
    first = size = 0
    for i, length in enumerate(n_tokens):
        if length and size and size + length > ROWS:  # an empty Doc never stands alone
            yield slice(first, i)
            first, size = i, 0
        size += length
    yield slice(first, len(n_tokens))


def _mix(mix: Model[Parts, Floats2d], outputs: Sequence[Vectors], some: slice) -> Vectors:
    parts = [mix.ops.flatten(vectors[some]) for vectors in outputs]  # each (T, W_i)
    steps = range(0, len(parts[0]), ROWS)
    mixed = [mix.predict([part[low : low + ROWS] for part in parts]) for low in steps]  # each (ROWS, W)
    lengths: Any = numpy.asarray([len(rows) for rows in outputs[0][some]])
    return mix.ops.unflatten(mix.ops.flatten(mixed), lengths)
