"""The word vectors of the vocabulary, projected: spaCy's own layer, with one array for each Doc.

    y(token) = dropout(W v(token))

The table `nlp.vocab.vectors` is neither trained nor stored with the layer.
"""

from typing import List, Optional

from spacy.ml.staticvectors import StaticVectors as spacy_static_vectors
from spacy.tokens import Doc
from thinc.api import Model, chain, ragged2list
from thinc.types import Floats2d

from ..errors import Errors


def StaticVectors(width: int = 64, *, dropout: float = 0.0) -> Model[List[Doc], List[Floats2d]]:
    """Look up and project the word vectors of the vocabulary. To be an input of `fuse`, which handles empty batches.

    INPUT: B Docs of T tokens, not all of them empty. OUTPUT: B × (T, W); a word without a vector gets zeros.
    PARAMS: W (W, columns of the vectors).
    GRADIENT: reaches W. Docs have none: backprop returns [].

    width (int): W.
    dropout (float): Dropout rate of whole dimensions. spaCy sets it while training.
    RETURNS (Model[List[Doc], List[Floats2d]]): The layer. `initialize` needs a sample, for its vocabulary.
    RAISES: ValueError (CT200; CT207 in initialize where there are no vectors).
    """
    if width < 1:
        raise ValueError(Errors.CT200.format(layer="StaticVectors", name="width", value=width, least=1))
    model: Model[List[Doc], List[Floats2d]] = chain(spacy_static_vectors(width, dropout=dropout), ragged2list())
    model.replace_callbacks(model._func, init=_init)
    model.set_dim("nO", width)
    return model


def _init(
    model: Model[List[Doc], List[Floats2d]], X: Optional[List[Doc]] = None, Y: Optional[List[Floats2d]] = None
) -> None:
    if not X or not X[0].vocab.vectors.shape[1]:
        raise ValueError(Errors.CT207)
    for layer in model.layers[:1]:
        layer.initialize(X=X)
