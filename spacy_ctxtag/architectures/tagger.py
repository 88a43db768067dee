"""The registered model of `ctx_tagger`: token vectors to scores of tags, each token on its own."""

from typing import Any, List, Optional

from spacy.tokens import Doc
from thinc.api import Model, chain
from thinc.types import Floats2d

from ..layers.emissions import Emissions, resize
from ..layers.in_parts import in_parts
from ..layers.torch_ops import by_torch
from ..types import TokenVectors


def build_tagger_v1(
    tok2vec: Model[List[Doc], TokenVectors],
    dropout: float = 0.1,
    lstm: Optional[Model[TokenVectors, TokenVectors]] = None,
    nO: Optional[int] = None,
) -> Model[List[Doc], List[Floats2d]]:
    """Registered as spacy-ctxtag.Tagger.v1.

    tok2vec (Model): Any model from Docs to B × (T, W).
    dropout (float): Rate on the vectors; spaCy's `[training] dropout` overrules it.
    lstm (Optional[Model]): A layer between vectors and emissions, usually spacy-ctxtag.BiLSTM.v1.
    nO (Optional[int]): K, the number of tags; null, the component sets it from its labels.
    RETURNS (Model): From Docs to B × (T, K) scores before the softmax; refs "tok2vec" and "output_layer".
    """
    emissions = Emissions(nO, dropout=dropout)
    layers: Any = chain(tok2vec, emissions) if lstm is None else chain(tok2vec, lstm, emissions)
    model: Model[List[Doc], List[Floats2d]] = in_parts(layers)
    model.set_ref("tok2vec", tok2vec)
    model.set_ref("output_layer", emissions.get_ref("output_layer"))
    model.attrs["resize_output"] = _resize
    return by_torch(model)


def _resize(model: Model[Any, Any], nO: int) -> Model[Any, Any]:
    """Set the number of tags, also after training: new tags come last, and what was learned stays."""
    resize(model, nO)
    return model
