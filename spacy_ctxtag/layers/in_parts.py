"""Prediction over any number of tokens in bounded memory: calls of a limited size, and long Docs cut into parts.

A part is a Doc of its own. It reads CONTEXT tokens more on each side, whose rows are left out. What grows with the
input is the output alone. In training nothing is cut.
"""

from itertools import pairwise
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from spacy.attrs import DEP, ENT_TYPE, LEMMA, MORPH, NORM, ORTH, POS, SENT_START, SPACY, TAG
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from thinc.api import Model

from ..types import TokenVectors
from .hf_shim import HFShim

CALL = 16384  # tokens of a call, context not counted
CONTEXT = 128  # tokens, and at least so many word pieces: half of the largest overlap of windows of 512
ATTRS = (NORM, LEMMA, TAG, POS, MORPH, DEP, ENT_TYPE, SENT_START)  # beside the words themselves


class Part(NamedTuple):
    """Tokens `start` to `end` (exclusive) of the Doc at index `doc`."""

    doc: int
    start: int
    end: int


def in_parts(layer: Model[List[Doc], TokenVectors]) -> Model[List[Doc], TokenVectors]:
    """Let a layer predict in calls of at most CALL tokens, with Docs of like length in the same call.

    INPUT: B Docs. OUTPUT: B × (T, W), as the layer gives them. GRADIENT: the layer's.

    A longer Doc is cut if there is an encoder of ours in the layer, or a listener of spaCy: a part has the tokens with
    their attributes, and their rows of `doc.tensor`. Else the layer may need what is known of whole Docs only (such as
    `doc._.trf_data`), and the Doc is a call of its own.

    layer (Model[List[Doc], List[Floats2d]]): Any layer that gives a row per token, from some tokens around it.
    """
    return Model("in_parts", _forward, init=_init, layers=[layer])


def _forward(
    model: Model[List[Doc], TokenVectors], docs: List[Doc], is_train: bool
) -> Tuple[TokenVectors, Callable[[TokenVectors], List[Doc]]]:
    layer: Model[List[Doc], TokenVectors] = model.layers[0]
    if is_train or sum(map(len, docs)) <= CALL:
        return layer(docs, is_train)
    cut, known = has_encoder(layer), [ORTH, SPACY, *ATTRS]
    parts = [_cut(i, len(doc)) if cut else [Part(i, 0, len(doc))] for i, doc in enumerate(docs)]
    arrays: Dict[int, Any] = {i: docs[i].to_array(known) for i, of_doc in enumerate(parts) if len(of_doc) > 1}
    rows: Dict[Part, Any] = {}
    for call in _calls([part for of_doc in parts for part in of_doc]):
        inputs = [_take(docs[i], start, end, arrays[i]) if i in arrays else docs[i] for i, start, end in call]
        for part, vectors in zip(call, layer.predict(inputs), strict=True):
            first = min(CONTEXT, part.start)
            rows[part] = vectors[first : first + part.end - part.start]
    xp = model.ops.xp
    joined = [rows[p[0]] if len(p) == 1 else xp.concatenate([rows.pop(part) for part in p]) for p in parts]
    return joined, lambda d_rows: []


def _init(model: Model[List[Doc], TokenVectors], X: Optional[List[Doc]] = None, Y: Any = None) -> None:
    model.layers[0].initialize(X=X, Y=Y)


def has_encoder(layer: Model[Any, Any]) -> bool:
    """RETURNS (bool): Whether a layer reads the vectors of an encoder of ours, or listens to one."""
    return any(isinstance(each, (HFShim, Tok2VecListener)) for node in layer.walk() for each in (node, *node.shims))


def _cut(doc: int, length: int) -> List[Part]:
    """RETURNS (List[Part]): The parts of a Doc, of like size; one at least."""
    n_parts = max(1, -(-length // CALL))
    borders = [length * i // n_parts for i in range(n_parts + 1)]
    return [Part(doc, *border) for border in pairwise(borders)]


def _calls(parts: List[Part]) -> Iterator[List[Part]]:
    """YIELDS (List[Part]): Parts of like length, of CALL tokens together at most, or one alone."""
    call: List[Part] = []
    size = 0
    for part in sorted(parts, key=lambda part: part.start - part.end):
        length = part.end - part.start
        if call and size + length > CALL:
            yield call
            call, size = [], 0
        call.append(part)
        size += length
    yield call


def _take(doc: Doc, start: int, end: int, array: Any) -> Doc:
    """RETURNS (Doc): A part of a Doc with its context.

    array (ndarray): (T, 2 + attributes) of the whole Doc: words, spaces, ATTRS.
    """
    read = slice(max(0, start - CONTEXT), end + CONTEXT)
    orths, spaces = array[read, 0].tolist(), array[read, 1].astype(bool).tolist()
    part = Doc(doc.vocab, words=orths, spaces=spaces).from_array(list(ATTRS), array[read, 2:])
    part.tensor = doc.tensor[read]
    return part
