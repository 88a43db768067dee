"""An encoder that reads word pieces which are there in part: their input embeddings, mixed with that of the mask piece.

It takes the place of an `Encoder` in the double of a model (see `faded`). Positions, types and special pieces stay.
"""

import inspect
from functools import partial
from typing import Any, Callable, Iterator, List, Tuple, cast

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import Model, torch2xp, xp2torch
from torch.utils.checkpoint import checkpoint

from ..errors import Errors
from ..types import TokenVectors
from .alignment import Alignment
from .encoder import reading_of
from .hf_config import n_layers, pick_layers
from .hf_shim import HFShim
from .int8_module import dequantized, is_int8
from .pieces import read_specials
from .pooling import encode
from .presence import Presence
from .reading import Reading

CONTEXT = "context"


def faded_encoder(encoder: Model[List[Doc], TokenVectors], presence: Presence) -> Model[List[Doc], TokenVectors]:
    """Read one Doc with the weights of an encoder, in 32-bit floats and by PyTorch, whatever else it predicts in. What
    the encoder holds stays as it is: gradients, training mode, cache.

    INPUT: 1 Doc. OUTPUT: 1 × (T, W). GRADIENT: goes to `presence`, under CONTEXT. A piece of several tokens is there as
    their mean; one of none is there.

    encoder (Model): As `Encoder` makes it. In integers, the floats are those of its rounded weights.
    presence (Presence): How much there is of each token.
    RAISES (ValueError): CT433 when the architecture takes no embeddings.
    """
    shim = cast(HFShim, encoder.shims[0])
    module = dequantized(shim.module) if is_int8(shim.module) else shim.module
    if "inputs_embeds" not in inspect.signature(module.forward).parameters:
        raise ValueError(Errors.CT433.format(kind=module.config.model_type))
    presence.open(CONTEXT)
    forward = partial(_forward, shim.tokenizer, module, reading_of(encoder), presence)
    return Model("faded_encoder", forward, dims={"nO": encoder.get_dim("nO")}, ops=cast(Any, encoder.ops))


def _forward(
    tokenizer: Any,
    module: Any,
    reading: Reading,
    presence: Presence,
    model: Model[Any, Any],
    docs: List[Doc],
    is_train: bool,
) -> Tuple[TokenVectors, Callable[[TokenVectors], List[Doc]]]:
    pieces, specials = reading.pieces(docs, module, tokenizer), read_specials(tokenizer)
    before, after, size = len(specials.prefix), len(specials.suffix), len(pieces.ids)
    numbers = list(range(size, size + before + after + 1))  # pieces are called by their place, special ones after them
    named = specials._replace(prefix=numbers[:before], suffix=numbers[before:-1], pad=numbers[-1])
    ids = np.concatenate([pieces.ids, [*specials.prefix, *specials.suffix, specials.pad]]).astype("int64")
    buckets = reading.buckets(pieces._replace(ids=np.arange(size, dtype="int64")), named)
    none = next((each for each in (tokenizer.mask_token_id, specials.unknown) if each is not None), specials.pad)
    weight = next(module.parameters())
    of_tokens = torch.tensor(presence.values, dtype=weight.dtype, device=weight.device, requires_grad=True)
    of_pieces = _share(of_tokens, pieces.alignment, size, before + after + 1)
    faded = _Faded(module, torch.as_tensor(ids, device=weight.device), of_pieces, none, again=len(buckets) > 1)
    picked = pick_layers(reading.layers, n_layers(module))
    output = encode(buckets, pieces.n_tokens, model.get_dim("nO"), reading.pooling, picked, faded)  # (T, W)

    def backprop(d_vectors: TokenVectors) -> List[Doc]:
        if output.requires_grad:  # there are pieces
            d_output = xp2torch(model.ops.as_contig(d_vectors[0]), device=output.device)
            [gradient] = torch.autograd.grad(output, of_tokens, d_output)
            presence.add(CONTEXT, gradient.double().cpu().numpy())
        return []

    return [model.ops.asarray2f(cast(Any, torch2xp(output.detach())))], backprop


class _Faded:
    """What `encode` takes for an encoder: it is given the places of pieces for their ids.

    ids (torch.Tensor): (P,) of all places. presence (torch.Tensor): (P,). none (int): The id of what stands for none.
    again (bool): Keep nothing for the way back, but compute it again, so that memory is that of one bucket.
    """

    def __init__(self, module: Any, ids: Any, presence: Any, none: int, *, again: bool) -> None:
        self._module, self._ids, self._presence, self._none, self._again = module, ids, presence, none, again

    def parameters(self) -> Iterator[Any]:
        return cast(Iterator[Any], self._module.parameters())

    def __call__(self, *, input_ids: Any, attention_mask: Any, output_hidden_states: bool) -> Any:
        table, there = self._module.get_input_embeddings(), self._presence[input_ids].unsqueeze(-1)  # (N, P, 1)
        ids = self._ids[input_ids]  # (N, P)
        vectors = table(ids).detach() * there + table(torch.full_like(ids, self._none)).detach() * (1 - there)

        def run(embeddings: Any) -> Any:
            options = {"attention_mask": attention_mask, "output_hidden_states": output_hidden_states}
            return self._module(inputs_embeds=embeddings, **options)

        return checkpoint(run, vectors, use_reentrant=False, preserve_rng_state=False) if self._again else run(vectors)


def _share(of_tokens: Any, alignment: Alignment, size: int, around: int) -> Any:
    """RETURNS (torch.Tensor): (size + around,) the presence of pieces, the mean of their tokens', then ones."""
    tokens = np.bincount(alignment.piece, minlength=size)  # (P,) how many share each piece
    to_torch = partial(torch.as_tensor, device=of_tokens.device)
    share = to_torch(1.0 / np.maximum(tokens, 1), dtype=of_tokens.dtype)
    piece = to_torch(alignment.piece)
    free = to_torch(tokens == 0).to(of_tokens.dtype)
    inner = free.index_add(0, piece, of_tokens[to_torch(alignment.token)] * share[piece])
    return torch.cat([inner, inner.new_ones(around)])
