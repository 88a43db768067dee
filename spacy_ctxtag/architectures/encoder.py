"""The registered encoder: a Hugging Face model as a tok2vec."""

from typing import List, Optional

from spacy.tokens import Doc
from thinc.api import Model

from ..layers.backbone import Backbone
from ..layers.encoder import Encoder
from ..types import TokenVectors


def build_encoder_v1(
    backbone: Backbone,
    window: int = 256,
    overlap: int = 64,
    max_pieces: int = 4096,
    pooling: str = "mean",
    lr_scale: float = 0.1,
    width: Optional[int] = None,
) -> Model[List[Doc], TokenVectors]:
    """Registered as spacy-ctxtag.Encoder.v1; see `spacy_ctxtag.layers.encoder.Encoder` for the arguments."""
    return Encoder(
        backbone,
        window=window,
        overlap=overlap,
        max_pieces=max_pieces,
        pooling=pooling,
        lr_scale=lr_scale,
        width=width,
    )
