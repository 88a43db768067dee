"""The double of a model, to look at one Doc in part: the same functions and weights, with gradients of its own.

Where tokens become vectors, the double mixes them with what stands for none (see `presence`): the word pieces of
encoders, and the rows of what is fused with them (characters, orthography, further layers), with zeros. Whatever else
reads Docs is as it is.
"""

from functools import partial
from typing import Any, Callable, List, Tuple, cast

from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from thinc.api import Model

from ..errors import Errors
from ..types import TokenVectors
from .faded_encoder import faded_encoder
from .hf_shim import HFShim
from .in_parts import has_encoder
from .presence import Presence

BESIDE = {"char_cnn": "characters", "orthography": "orthography"}  # by the name of a layer: that of its source
OTHER = "extra"
DROPPING = ("layer_mix", "word_dropout", "locked_dropout")  # layers with a dropout that attributes do not set

Behind = Callable[[Tok2VecListener], Model[List[Doc], TokenVectors]]


def faded(model: Model[Any, Any], presence: Presence, behind: Behind) -> Model[Any, Any]:
    """Make the double of a model. It is run as in training, where PyTorch records gradients, but drops nothing.

    INPUT: 1 Doc. OUTPUT: the model's. GRADIENT: goes to `presence`; what it adds to weights stays in the double.

    model (Model): The model, which stays as it is. Its weights are not copied.
    presence (Presence): How much there is of each token. Its sources are named here.
    behind (Callable): From a listener to the model that it listens to.
    RETURNS (Model): The double.
    RAISES (ValueError): CT432 for a layer that cannot be doubled, CT433, and what `behind` raises.
    """
    if isinstance(model, Tok2VecListener):
        return faded(behind(model), presence, behind)
    if any(isinstance(shim, HFShim) for shim in model.shims):
        return faded_encoder(model, presence)
    if type(model) is not Model or model.shims:
        raise ValueError(Errors.CT432.format(layer=model.name, kind=type(model).__name__))
    fused = model.layers[:-1] if model.name == "fuse" else []
    layers = [
        _faded_rows(layer, presence) if layer in fused and not has_encoder(layer) else faded(layer, presence, behind)
        for layer in model.layers
    ]
    return Model(
        model.name,
        partial(_evaluate, model._func) if model.name in DROPPING else model._func,
        dims={name: model.maybe_get_dim(name) for name in model.dim_names},
        params={name: model.maybe_get_param(name) for name in model.param_names},
        layers=layers,
        attrs={name: 0.0 if name == "dropout_rate" else value for name, value in model.attrs.items()},
        ops=cast(Any, model.ops),
    )


def _faded_rows(layer: Model[List[Doc], TokenVectors], presence: Presence) -> Model[List[Doc], TokenVectors]:
    """A layer whose row of a token is there as far as the token is."""
    source = BESIDE.get(layer.name, OTHER)
    presence.open(source)

    def forward(
        model: Model[Any, Any], docs: List[Doc], is_train: bool
    ) -> Tuple[TokenVectors, Callable[[TokenVectors], List[Doc]]]:
        ops: Any = model.ops
        [rows] = layer.predict(docs)  # (T, W)
        there = ops.asarray(presence.values[:, None], dtype=rows.dtype)

        def backprop(d_rows: TokenVectors) -> List[Doc]:
            presence.add(source, ops.to_numpy((d_rows[0] * rows).sum(axis=1)))
            return []

        return [rows * there], backprop

    return Model(layer.name, forward, ops=cast(Any, layer.ops))


def _evaluate(forward: Callable[..., Any], model: Model[Any, Any], X: Any, is_train: bool) -> Any:
    return forward(model, X, is_train=False)
