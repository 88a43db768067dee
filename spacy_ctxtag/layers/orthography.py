"""Word vectors from spelling: hashed lexical attributes, and what the case and the characters of a word show at once.

    y(token) = norm(maxout(W [Σ_h E_a[h(attribute a of token)] for each a; F f(token) + c] + b)),   f ∈ {0, 1}^14

The characters themselves are the business of `char_cnn`; this layer sees classes of words.
"""

from typing import Any, List, Sequence

from spacy.attrs import IDS
from spacy.ml.featureextractor import FeatureExtractor
from spacy.tokens import Doc
from thinc.api import HashEmbed, Linear, Model, chain, concatenate, with_array
from thinc.types import Floats2d

from ..errors import Errors
from .fuse import fuse
from .word_flags import FLAGS, extract_flags, init_flags

InT = List[Doc]
OutT = List[Floats2d]


def Orthography(
    width: int = 32,
    *,
    attrs: Sequence[str] = ["PREFIX", "SUFFIX", "SHAPE"],
    rows: Sequence[int] = [1000, 2000, 1000],
    dropout: float = 0.0,
) -> Model[InT, OutT]:
    """Embed hashed lexical attributes (Weinberger et al. 2009; Miranda et al. 2022), and mix them with what FLAGS tell.

    INPUT: B Docs of T tokens. OUTPUT: B × (T, W); an empty Doc gives (0, W), no Docs [].
    PARAMS: for each attribute E (rows, W); of the features F (W, 14), c (W,); of the mixer (see `fuse`, "concat") W
    (W, 3, (attributes + 1)·W), b (W, 3), and G, b (W,) of its norm.
    GRADIENT: reaches all parameters. Docs have none: backprop returns [].

    width (int): W.
    attrs (Sequence[str]): Attributes of `spacy.attrs`.
    rows (Sequence[int]): Rows of each attribute's table.
    dropout (float): Dropout rate of the result. spaCy sets it while training.
    RETURNS (Model[List[Doc], List[Floats2d]]): The layer. Its `nO` is known before `initialize`.
    RAISES: ValueError (CT200, CT201, CT202).
    """
    for name in attrs:
        if name not in IDS:
            raise ValueError(Errors.CT201.format(name=name))
    if len(rows) != len(attrs):
        raise ValueError(Errors.CT202.format(rows=len(rows), attrs=len(attrs)))
    for what, value in (("the number of attrs", len(attrs)), ("width", width), ("rows", min(rows, default=1))):
        if value < 1:
            raise ValueError(Errors.CT200.format(layer="Orthography", name=what, value=value, least=1))
    # Seeds are given since Thinc takes the model's running number otherwise, and equal seeds gave unequal weights.
    tables: List[Model[Any, Floats2d]] = [
        HashEmbed(width, n, column=i, seed=8 + i, dropout=0.0) for i, n in enumerate(rows)
    ]
    hashed: Model[InT, OutT] = chain(FeatureExtractor(list(attrs)), with_array(concatenate(*tables)))
    hashed.set_dim("nO", width * len(attrs))
    features: Model[InT, OutT] = chain(extract_flags(), with_array(Linear(width, len(FLAGS), init_W=init_flags)))
    features.set_dim("nO", width)
    model = fuse([hashed, features], "concat", width=width, dropout=dropout)
    model.name = "orthography"
    return model
