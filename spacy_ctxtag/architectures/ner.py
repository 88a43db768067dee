"""The registered model of `ctx_ner` and `ctx_chunker`: token vectors, emissions, a linear-chain CRF."""

from typing import Any, List, Optional

from spacy.tokens import Doc
from spacy.util import replace_model_node
from thinc.api import Model, chain

from ..crf import Chains
from ..layers.crf import CRF, PARAMS
from ..layers.emissions import Emissions, resize
from ..layers.in_parts import in_parts
from ..layers.torch_ops import by_torch
from ..types import TokenVectors


def build_ner_v1(
    tok2vec: Model[List[Doc], TokenVectors],
    dropout: float = 0.1,
    transition_gain: float = 10.0,
    lstm: Optional[Model[TokenVectors, TokenVectors]] = None,
    nO: Optional[int] = None,
) -> Model[List[Doc], Chains]:
    """Registered as spacy-ctxtag.NER.v1.

    tok2vec (Model): Any model from Docs to B × (T, W).
    dropout (float): Rate on the vectors; spaCy's `[training] dropout` overrules it.
    transition_gain (float): How much faster than the emissions the scores of moves learn (with Adam).
    lstm (Optional[Model]): A layer between vectors and emissions, usually spacy-ctxtag.BiLSTM.v1.
    nO (Optional[int]): K, the number of tags; null, the component sets it from its labels.
    RETURNS (Model): From Docs to the scores of a chain; refs "tok2vec", "output_layer" and "crf".
    """
    emissions = Emissions(nO, dropout=dropout)
    crf = CRF(nO, gain=transition_gain)
    layers: Any = chain(tok2vec, emissions) if lstm is None else chain(tok2vec, lstm, emissions)
    model: Model[List[Doc], Chains] = chain(in_parts(layers), crf)
    model.set_ref("tok2vec", tok2vec)
    model.set_ref("output_layer", emissions.get_ref("output_layer"))
    model.set_ref("crf", crf)
    model.attrs["resize_output"] = _resize
    return by_torch(model)


def _resize(model: Model[Any, Any], nO: int) -> Model[Any, Any]:
    """Set the number of tags, also after training: new tags come last, and what was learned stays."""
    resize(model, nO)
    old = model.get_ref("crf")
    if not old.has_param("transition"):
        for dim in ("nO", "nI"):
            old.set_dim(dim, nO, force=True)
    elif nO != old.get_dim("nO"):
        crf = CRF(nO, gain=old.attrs["gain"])
        crf.ops = old.ops  # rather than those of this thread
        for name in PARAMS:
            values: Any = old.get_param(name)
            grown: Any = crf.ops.alloc_f((nO,) * values.ndim)
            grown[tuple(slice(size) for size in values.shape)] = values
            crf.set_param(name, grown)
        replace_model_node(model, old, crf)
    return model
