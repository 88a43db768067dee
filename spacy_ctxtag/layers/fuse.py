"""Several token vectors made one: the layers read the same Docs, and their vectors are joined token by token.

    concat  y = norm(maxout(W [x_1; …; x_n] + b))
    add     y = norm(Σ_i (W_i x_i + b_i))
    gate    y = norm(Σ_i g_i ∘ h_i), see `gate`

It mixes no two tokens, and asks of a layer nothing but one row per token.
"""

from typing import Any, Callable, List, Literal, Optional, Sequence, Tuple

import numpy
from spacy.tokens import Doc
from thinc.api import Dropout, LayerNorm, Linear, Model, NumpyOps, chain
from thinc.types import Floats2d

from ..errors import Errors
from .gate import gate
from .hstack import hstack
from .in_cache import predict_in_cache
from .maxout import maxout

InT = List[Doc]
OutT = List[Floats2d]
Parts = List[Floats2d]  # n × (T, W_i), over all Docs

KINDS = ("concat", "gate", "add")


def fuse(
    layers: Sequence[Model[InT, OutT]],
    kind: Literal["concat", "gate", "add"] = "concat",
    *,
    width: int = 256,
    dropout: float = 0.0,
    precision: str = "fp32",
) -> Model[InT, OutT]:
    """Fuse the outputs of several tok2vec layers.

    INPUT: B Docs of T tokens. OUTPUT: B × (T, W). Where no Doc has a token the layers are not called, in training
    neither, and each Doc gives (0, W).
    PARAMS: those of the layers; of "concat" W (W, 3, ΣW_i), b (W, 3); of "add" W (W, ΣW_i), b (W,); those of
    `gate`; of the norm G, b (W,).
    GRADIENT: reaches all parameters and every layer. What the layers' own backprop returns is dropped, since a listener
    of spaCy may return None there; this one returns [].

    layers (Sequence[Model[List[Doc], List[Floats2d]]]): The layers. Their widths are read in `initialize`, from
        `nO` or else from the sample.
    kind (str): "concat", "gate" or "add".
    width (int): W.
    dropout (float): Dropout rate of the result. spaCy sets it while training.
    precision (str): Of the products of "concat" in prediction, see `maxout`.
    RETURNS (Model[List[Doc], List[Floats2d]]): The layer. Its `layers` are those given, then the mixer.
    RAISES: ValueError (CT016, CT200, CT203, CT204; CT205 in initialize; CT206 where a layer's rows are not the tokens).
    """
    if kind not in KINDS:
        raise ValueError(Errors.CT203.format(kind=kind, expected=", ".join(KINDS)))
    if not layers:
        raise ValueError(Errors.CT204)
    if width < 1:
        raise ValueError(Errors.CT200.format(layer="fuse", name="width", value=width, least=1))
    join: Model[Parts, Floats2d] = gate(len(layers), width)
    if kind != "gate":
        join = chain(
            hstack(), maxout(width, precision=precision) if kind == "concat" else Linear(width)
        )  # Linear: W = [W_1 … W_n]
    mix: Model[Parts, Floats2d] = chain(join, LayerNorm(width), Dropout(dropout))
    return Model("fuse", _forward, init=_init, dims={"nO": width}, layers=[*layers, mix])


def _forward(model: Model[InT, OutT], docs: InT, is_train: bool) -> Tuple[OutT, Callable[[OutT], InT]]:
    ops, n_tokens = model.ops, [len(doc) for doc in docs]
    if not any(n_tokens):
        return [ops.alloc2f(0, model.get_dim("nO")) for _ in docs], lambda d_fused: []
    *layers, mix = model.layers
    outputs, callbacks = [], []
    for index, layer in enumerate(layers):
        vectors, callback = layer(docs, is_train)  # B × (T, W_i)
        rows = [len(x) for x in vectors]
        if rows != n_tokens:
            raise ValueError(Errors.CT206.format(layer=layer.name, index=index, got=rows, expected=n_tokens))
        outputs.append(vectors)
        callbacks.append(callback)
    if not is_train and isinstance(ops, NumpyOps):
        return predict_in_cache(mix, outputs), lambda d_fused: []
    fused, backprop_mix = mix([ops.flatten(vectors) for vectors in outputs], is_train)  # (T, W)
    lengths: Any = numpy.asarray(n_tokens)

    def backprop(d_fused: OutT) -> InT:
        for callback, d_part in zip(callbacks, backprop_mix(ops.flatten(d_fused)), strict=True):
            callback(ops.unflatten(d_part, lengths))
        return []

    return ops.unflatten(fused, lengths), backprop


def _init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    *layers, mix = model.layers
    sample = [doc for doc in X or () if len(doc)] or None
    parts: Parts = []
    for index, layer in enumerate(layers):
        layer.initialize(X=sample)
        width = _width(layer, sample)
        if not width:
            raise ValueError(Errors.CT205.format(layer=layer.name, index=index))
        parts.append(model.ops.alloc2f(1, width))
    mix.initialize(X=parts)


def _width(layer: Model[InT, OutT], sample: Optional[InT]) -> Optional[int]:
    for node in (layer.maybe_get_ref("listener"), layer):  # the chain around a TransformerListener has no nO of its own
        if node is not None and node.maybe_get_dim("nO"):
            return node.get_dim("nO")
    return int(layer.predict(sample[:1])[0].shape[1]) if sample else None
