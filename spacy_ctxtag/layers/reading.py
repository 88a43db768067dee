"""How an encoder reads texts: windows, buckets, layers, pooling, precision, backend."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, List, Sequence

from spacy.tokens import Doc

from ..errors import Errors
from .alignment import first_only
from .buckets import Bucket, make_buckets
from .hf_config import Layers, max_length
from .pieces import Pieces, Specials, read_specials, tokenize
from .precision import BACKENDS, PRECISIONS

POOLINGS = ("mean", "first", "max")


@dataclass(frozen=True)
class Reading:
    """Settings of the forward pass. None of them is stored with the weights, so each can be set when a model is loaded.

    window (int): Word pieces that the encoder reads at once, special pieces included; less where it takes less.
    overlap (int): Word pieces that neighbouring windows of a long text share; half a window at most.
    max_pieces (int): Word pieces of one padded bucket.
    pooling (str): From pieces to tokens: "mean", "first" or "max".
    layers (Layers): Whose vectors are given: "last", or those of several side by side, so that W is theirs together:
        "all", or a list of numbers from 0, the lowest (see `layer_mix`).
    precision (str): The numbers of prediction, one of PRECISIONS. Training has one of its own (`Finetuning`).
    backend (str): What computes prediction: "torch", or "onnx" for ONNX Runtime, in "fp32" only. Training is with torch
        always.
    RAISES (ValueError): CT001 for an overlap as large as the window, CT008 for an unknown pooling, CT016 for an unknown
        precision, CT032 for an unknown backend, CT033 for one that has not this precision, CT034 for one that is not
        installed.
    """

    window: int
    overlap: int
    max_pieces: int
    pooling: str
    layers: Layers
    precision: str
    backend: str

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < self.window:
            raise ValueError(Errors.CT001.format(capacity=self.window, overlap=self.overlap))
        if self.pooling not in POOLINGS:
            raise ValueError(Errors.CT008.format(pooling=self.pooling, known=POOLINGS))
        if self.precision not in PRECISIONS:
            raise ValueError(Errors.CT016.format(precision=self.precision, known=PRECISIONS))
        if self.backend not in BACKENDS:
            raise ValueError(Errors.CT032.format(backend=self.backend, known=BACKENDS))
        if self.backend == "onnx" and self.precision != "fp32":
            raise ValueError(Errors.CT033.format(precision=self.precision))
        if self.backend == "onnx" and not (find_spec("onnxruntime") and find_spec("onnx")):
            raise ValueError(Errors.CT034)

    @property
    def form(self) -> str:
        """RETURNS (str): In which form the encoder predicts, as `Copies` has them."""
        return self.precision if self.backend == "torch" else self.backend

    def pieces(self, docs: Sequence[Doc], module: Any, tokenizer: Any) -> Pieces:
        """RETURNS (Pieces): The word pieces of Docs, in windows that fit into the encoder with the special ones."""
        specials = read_specials(tokenizer)
        around = len(specials.prefix) + len(specials.suffix)
        capacity = min(self.window, max_length(module, tokenizer)) - around
        return tokenize(docs, tokenizer, capacity=capacity, overlap=min(self.overlap, capacity // 2))

    def buckets(self, pieces: Pieces, specials: Specials) -> List[Bucket]:
        """RETURNS (List[Bucket]): The windows in padded buckets, with the pieces that tokens are pooled from."""
        if self.pooling == "first":
            pieces = pieces._replace(alignment=first_only(pieces.alignment))
        return make_buckets(pieces, specials, max_pieces=self.max_pieces)
