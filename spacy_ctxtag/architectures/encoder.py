"""The registered encoder: a Hugging Face model as a tok2vec, and a mix of its layers."""

from typing import List, Optional, Union

from spacy.tokens import Doc
from thinc.api import Model, chain

from ..errors import Errors
from ..layers.backbone import Backbone
from ..layers.encoder import Encoder
from ..layers.finetuning import Finetuning
from ..layers.layer_mix import layer_mix
from ..layers.reading import Reading
from ..types import TokenVectors


def build_encoder_v1(
    backbone: Backbone,
    window: int = 256,
    overlap: int = 32,
    max_pieces: int = 2048,
    pooling: str = "mean",
    layers: Union[str, List[int]] = "last",
    precision: str = "fp32",
    backend: str = "torch",
    cache_mb: float = 0.0,
    lr_scale: float = 0.1,
    lr_decay: float = 1.0,
    freeze_layers: int = 0,
    freeze_embeddings: bool = False,
    unfreeze_every: int = 0,
    checkpointing: bool = False,
    train_precision: str = "fp32",
    width: Optional[int] = None,
) -> Model[List[Doc], TokenVectors]:
    """Registered as spacy-ctxtag.Encoder.v1; see `Encoder`, `Reading` and `Finetuning` in `spacy_ctxtag.layers`.

    RAISES (ValueError): What these do; CT013 for a cache of less than nothing.
    """
    if cache_mb < 0:
        raise ValueError(Errors.CT013.format(setting="cache_mb", value=cache_mb, expected="0 or more"))
    return Encoder(
        backbone,
        reading=Reading(
            window=window,
            overlap=overlap,
            max_pieces=max_pieces,
            pooling=pooling,
            layers=layers,
            precision=precision,
            backend=backend,
        ),
        width=width,
        finetuning=Finetuning(
            lr_scale=lr_scale,
            lr_decay=lr_decay,
            freeze_layers=freeze_layers,
            freeze_embeddings=freeze_embeddings,
            unfreeze_every=unfreeze_every,
            checkpointing=checkpointing,
            train_precision=train_precision,
        ),
        cache_bytes=int(cache_mb * 2**20),
    )


def build_layer_mix_v1(
    tok2vec: Model[List[Doc], TokenVectors], n_layers: int, dropout: float = 0.1
) -> Model[List[Doc], TokenVectors]:
    """Registered as spacy-ctxtag.LayerMix.v1: mix the layers of an encoder, or of a listener to one, with weights that
    the component learns for itself.

    tok2vec (Model): A tok2vec that gives the vectors of several layers side by side.
    n_layers (int): How many.
    dropout (float): Probability of a layer to be left out of a batch of training.
    RETURNS (Model): From B Docs to B × (T, W).
    """
    mix = layer_mix(n_layers, dropout)
    if tok2vec.has_dim("nO"):
        mix.set_dim("nO", tok2vec.get_dim("nO") // n_layers)
    return chain(tok2vec, mix)
