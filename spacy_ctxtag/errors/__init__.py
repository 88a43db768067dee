"""Coded errors; warnings are in `warnings.py`. A message says what was met, what was expected, and what to do next.

Codes: CT0xx encoder, CT1xx tags and CRF, CT2xx layers, CT3xx data, CT4xx components, CT5xx command line,
CT6xx training, CT7xx evaluation and experiments: a file each. A code is never reused for another meaning.
"""

from ..codes import WithCodes
from .commands import CommandErrors
from .components import ComponentErrors
from .crf import CRFErrors
from .data import DataErrors
from .encoder import EncoderErrors
from .evaluation import EvaluationErrors
from .layers import LayerErrors
from .training import TrainingErrors


class Errors(
    EncoderErrors,
    CRFErrors,
    LayerErrors,
    DataErrors,
    ComponentErrors,
    CommandErrors,
    TrainingErrors,
    EvaluationErrors,
    metaclass=WithCodes,
):
    """Messages of errors; use `Errors.CT001.format(...)`."""
