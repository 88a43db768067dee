"""A Hugging Face encoder as a tok2vec: one vector per spaCy token, whatever the text and however long.

Docs → pieces and windows (`pieces.py`) → buckets → vectors of pieces (`hf_shim.py`) → vectors of tokens (`pooling.py`).
"""

from functools import partial
from typing import Any, Callable, List, Optional, Tuple, cast

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from ..errors import Errors
from ..types import TokenVectors
from .backbone import Backbone
from .finetuning import Finetuning
from .hf_config import Layers, n_layers, pick_layers
from .hf_shim import HFShim
from .pieces import read_specials
from .pooling import encode
from .reading import Reading
from .text_cache import TextCache


def Encoder(
    backbone: Backbone,
    *,
    reading: Reading,
    width: Optional[int],
    finetuning: Finetuning,
    cache_bytes: int = 0,
) -> Model[List[Doc], TokenVectors]:
    """Encode Docs with a Hugging Face encoder.

    INPUT (List[Doc]). OUTPUT (TokenVectors): B × (T, W), one row per token. A token without a piece (white space,
    characters that the tokenizer drops) gets a row of zeros. The gradient reaches the encoder's weights; there is none
    with respect to Docs. An empty batch gives an empty list and runs nothing.

    backbone (Backbone): Where the weights come from, asked in `initialize` only.
    reading (Reading): Windows, buckets, layers, pooling, precision, backend.
    width (Optional[int]): W when it must be known beforehand, as for listeners; checked against the weights.
    finetuning (Finetuning): How the weights learn.
    cache_bytes (int): In prediction, keep vectors of whole texts up to this size, see `TextCache`.
    RAISES (ValueError): When initialized or loaded, CT009 when the width differs, CT011 for layers that there are not,
        and what `Finetuning` raises.
    """
    return Model(
        "ctx_encoder",
        partial(_forward, reading),
        init=partial(_init, backbone, reading.layers),
        dims={"nO": width},
        shims=[HFShim(finetuning), TextCache(cache_bytes)],
    )


def reading_of(model: Model[Any, Any]) -> Reading:
    """RETURNS (Reading): The settings that an encoder was built with."""
    forward: Any = model._func
    return cast(Reading, forward.args[0])


def _forward(
    reading: Reading,
    model: Model[Any, Any],
    docs: List[Doc],
    is_train: bool,
) -> Tuple[TokenVectors, Callable[[TokenVectors], List[Doc]]]:
    cache = cast(TextCache, model.shims[1])
    if is_train or not cache.limit:
        return _encode(reading, model, docs, is_train)
    vectors = cache.get(docs, _shim(model).module, lambda missing: _encode(reading, model, missing, False)[0])
    return vectors, lambda d_vectors: []


def _encode(
    reading: Reading,
    model: Model[Any, Any],
    docs: List[Doc],
    is_train: bool,
) -> Tuple[TokenVectors, Callable[[TokenVectors], List[Doc]]]:
    shim = _shim(model)
    module, tokenizer = shim.module, shim.tokenizer
    lengths = [len(doc) for doc in docs]
    if not any(lengths):
        return [model.ops.alloc2f(0, model.get_dim("nO")) for _ in docs], lambda d_vectors: []
    pieces = reading.pieces(docs, module, tokenizer)
    buckets = reading.buckets(pieces, read_specials(tokenizer))
    picked = pick_layers(reading.layers, n_layers(module))
    run = partial(encode, buckets, pieces.n_tokens, model.get_dim("nO"), reading.pooling, picked)
    flat, backprop_flat = shim(run, is_train, reading.form)
    vectors = _split(model.ops.asarray2f(flat), lengths)  # B × (T, W)

    def backprop(d_vectors: TokenVectors) -> List[Doc]:
        backprop_flat(model.ops.xp.ascontiguousarray(model.ops.xp.vstack(d_vectors)))
        return []

    return vectors, backprop


def _init(backbone: Backbone, layers: Layers, model: Model[Any, Any], X: Any = None, Y: Any = None) -> Model[Any, Any]:
    shim = _shim(model)
    shim.load(backbone.resolve())
    picked = pick_layers(layers, n_layers(shim.module))
    found = int(shim.module.config.hidden_size) * (1 if picked is None else len(picked))
    if model.has_dim("nO") and model.get_dim("nO") != found:
        raise ValueError(Errors.CT009.format(name=backbone.name, found=found, width=model.get_dim("nO")))
    model.set_dim("nO", found)
    return model


def _split(flat: Floats2d, lengths: List[int]) -> TokenVectors:
    ends = np.cumsum(lengths)
    return [flat[end - length : end] for end, length in zip(ends, lengths, strict=True)]


def _shim(model: Model[Any, Any]) -> HFShim:
    return cast(HFShim, model.shims[0])
