"""What a head sees of a token: the vectors of an encoder, joined with what the characters and the spelling tell.

Wiring only; the arithmetic is in `layers/fuse.py`, `layers/word_dropout.py` and `layers/locked_dropout.py`.
"""

from typing import List, Literal, Optional

from spacy.tokens import Doc
from thinc.api import Model, chain
from thinc.types import Floats2d

from ..layers.fuse import fuse
from ..layers.locked_dropout import LockedDropout
from ..layers.word_dropout import WordDropout


def build_features_v1(
    encoder: Model[List[Doc], List[Floats2d]],
    characters: Optional[Model[List[Doc], List[Floats2d]]] = None,
    orthography: Optional[Model[List[Doc], List[Floats2d]]] = None,
    extra: Optional[Model[List[Doc], List[Floats2d]]] = None,
    fusion: Literal["concat", "gate", "add"] = "concat",
    width: int = 256,
    dropout: float = 0.1,
    word_dropout: float = 0.0,
    locked_dropout: float = 0.0,
    precision: str = "fp32",
) -> Model[List[Doc], List[Floats2d]]:
    """Build a tok2vec out of an encoder and further layers over the same Docs ("spacy-ctxtag.Features.v1").

    encoder (Model[List[Doc], List[Floats2d]]): Any tok2vec: `spacy-ctxtag.Encoder.v1`, or a listener of spaCy or of
        spacy-transformers. With nothing to fuse it is taken as it is, and `fusion`, `width`, `dropout` say nothing.
    characters (Optional[Model[List[Doc], List[Floats2d]]]): Usually `spacy-ctxtag.CharCNN.v1`.
    orthography (Optional[Model[List[Doc], List[Floats2d]]]): Usually `spacy-ctxtag.Orthography.v1`.
    extra (Optional[Model[List[Doc], List[Floats2d]]]): Any further layer, such as `spacy-ctxtag.StaticVectors.v1`. In
        prediction it gets long Docs in parts, see `in_parts`.
    fusion (str): "concat", "gate" or "add", see `fuse`.
    width (int): W of the output.
    dropout (float): Dropout rate of the output. spaCy sets it while training.
    word_dropout (float): Share of the tokens whose output becomes zeros while training, see `WordDropout`.
    locked_dropout (float): Dropout rate of dimensions of the output, the same ones for all tokens of a Doc, see
        `LockedDropout`.
    precision (str): Of the products of "concat" in prediction: "fp32", or "bf16", see `maxout`.
    RETURNS (Model[List[Doc], List[Floats2d]]): B Docs to B × (T, W), with `nO` set and the references `encoder`,
        `characters`, `orthography`, `extra` to what was given; the encoder itself if there is nothing else to do.
    RAISES: ValueError, see `fuse`; CT210 for a rate of these two outside [0, 1).
    """
    layers = {"encoder": encoder, "characters": characters, "orthography": orthography, "extra": extra}
    given = {name: layer for name, layer in layers.items() if layer is not None}
    fused = (
        encoder
        if len(given) == 1
        else fuse(list(given.values()), fusion, width=width, dropout=dropout, precision=precision)
    )
    model = fused
    if word_dropout or locked_dropout:
        model = chain(fused, WordDropout(word_dropout), LockedDropout(locked_dropout))
        if fused.has_dim("nO"):
            model.set_dim("nO", fused.get_dim("nO"))
    if model is not encoder:
        for name, layer in given.items():
            model.set_ref(name, layer)
    return model
