"""Type aliases for the stages of the data flow.

Shape letters, the same in the whole project: B sequences, T tokens, P word pieces, L layers, W width, C characters,
K tags.
"""

from typing import List

from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

TokenVectors = List[Floats2d]  # B × (T, W), one row per spaCy token
Tok2Vec = Model[List[Doc], TokenVectors]
