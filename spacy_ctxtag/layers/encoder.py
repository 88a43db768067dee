"""A Hugging Face encoder as a tok2vec: one vector per spaCy token, whatever the text and however long.

Docs → pieces, windows and buckets (`pieces.py`) → the encoder (`hf_shim.py`) → vectors of pieces → vectors of tokens.
"""

from functools import partial
from typing import Any, Callable, List, Optional, Sequence, Tuple, cast

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from ..errors import Errors
from ..types import TokenVectors
from .alignment import first_only
from .backbone import Backbone
from .hf_shim import HFShim
from .pieces import Bucket, make_buckets, read_specials, tokenize

POOLINGS = ("mean", "first", "max")


def Encoder(
    backbone: Backbone, *, window: int, overlap: int, max_pieces: int, pooling: str, lr_scale: float, width: Optional[int]
) -> Model[List[Doc], TokenVectors]:
    """Encode Docs with a Hugging Face encoder.

    INPUT (List[Doc]). OUTPUT (TokenVectors): B × (T, W), one row per token. A token without a piece (white space,
    characters that the tokenizer drops) gets a row of zeros. The gradient reaches the encoder's weights; there is none
    with respect to Docs. An empty batch gives an empty list and runs nothing.

    backbone (Backbone): Where the weights come from, asked in `initialize` only.
    window (int): Word pieces that the encoder reads at once, special pieces included; less where it takes less.
    overlap (int): Word pieces that neighbouring windows of a long text share.
    max_pieces (int): Word pieces of one padded bucket.
    pooling (str): From pieces to tokens: "mean", "first" or "max".
    lr_scale (float): Factor of the learning rate of the encoder's weights.
    width (Optional[int]): W when it must be known beforehand, as for listeners; checked against the weights.
    RAISES (ValueError): CT008 for an unknown pooling, CT009 when the width differs.
    """
    if pooling not in POOLINGS:
        raise ValueError(Errors.CT008.format(pooling=pooling, known=POOLINGS))
    return Model(
        "ctx_encoder",
        partial(_forward, window, overlap, max_pieces, pooling),
        init=partial(_init, backbone),
        dims={"nO": width},
        shims=[HFShim(partial(_constant, lr_scale))],
    )


def _forward(
    window: int, overlap: int, max_pieces: int, pooling: str, model: Model[Any, Any], docs: List[Doc], is_train: bool
) -> Tuple[TokenVectors, Callable[[TokenVectors], List[Doc]]]:
    shim = _shim(model)
    lengths = [len(doc) for doc in docs]
    if not any(lengths):
        return [model.ops.alloc2f(0, model.get_dim("nO")) for _ in docs], lambda d_vectors: []
    specials = read_specials(shim.tokenizer)
    capacity = min(window, max_length(shim)) - len(specials.prefix) - len(specials.suffix)
    pieces = tokenize(docs, shim.tokenizer, capacity=capacity, overlap=min(overlap, capacity // 2))
    if pooling == "first":
        pieces = pieces._replace(alignment=first_only(pieces.alignment))
    buckets = make_buckets(pieces, specials, max_pieces=max_pieces)
    flat, backprop_flat = shim(partial(_run, buckets, pieces.n_tokens, model.get_dim("nO"), pooling), is_train)
    vectors = _split(model.ops.asarray2f(flat), lengths)  # B × (T, W)

    def backprop(d_vectors: TokenVectors) -> List[Doc]:
        backprop_flat(model.ops.xp.ascontiguousarray(model.ops.xp.vstack(d_vectors)))
        return []

    return vectors, backprop


def _run(buckets: Sequence[Bucket], n_tokens: int, width: int, pooling: str, module: Any) -> Any:
    """Run the encoder over buckets and pool. RETURNS (torch.Tensor): (T, W), all tokens of the batch."""
    import torch

    device = next(module.parameters()).device
    to_device = partial(torch.as_tensor, device=device)
    parts = []
    for bucket in buckets:
        hidden = module(input_ids=to_device(bucket.ids), attention_mask=to_device(bucket.mask)).last_hidden_state
        parts.append(hidden.reshape(-1, width).index_select(0, to_device(bucket.source)))  # (E, W)
    output = torch.zeros((n_tokens, width), device=device)
    if not parts:
        return output.requires_grad_(torch.is_grad_enabled())
    entries = torch.cat(parts)  # (E, W)
    token = np.concatenate([bucket.token for bucket in buckets])  # (E,)
    index = to_device(token)
    if pooling == "max":
        return output.scatter_reduce(0, index[:, None].expand(-1, width), entries, "amax", include_self=False)
    share = 1.0 / np.maximum(np.bincount(token, minlength=n_tokens), 1)[token]
    return output.index_add(0, index, entries * to_device(share.astype("float32"))[:, None])


def max_length(shim: HFShim) -> int:
    """RETURNS (int): Word pieces that the encoder takes at once, special pieces included."""
    config = shim.module.config
    positions = getattr(config, "max_position_embeddings", None) or 512
    reserved = 0
    for name, module in shim.module.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            reserved = module.padding_idx + 1  # RoBERTa and its kin count positions from behind the padding
    return int(min(positions - reserved, shim.tokenizer.model_max_length))


def _init(backbone: Backbone, model: Model[Any, Any], X: Any = None, Y: Any = None) -> Model[Any, Any]:
    shim = _shim(model)
    shim.load(backbone.resolve())
    found = int(shim.module.config.hidden_size)
    if model.has_dim("nO") and model.get_dim("nO") != found:
        raise ValueError(Errors.CT009.format(name=backbone.name, found=found, width=model.get_dim("nO")))
    model.set_dim("nO", found)
    return model


def _split(flat: Floats2d, lengths: List[int]) -> TokenVectors:
    ends = np.cumsum(lengths)
    return [flat[end - length : end] for end, length in zip(ends, lengths, strict=True)]


def _shim(model: Model[Any, Any]) -> HFShim:
    return cast(HFShim, model.shims[0])


def _constant(value: float, name: str) -> float:
    return value
