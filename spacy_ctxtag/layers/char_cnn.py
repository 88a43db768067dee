"""Word vectors from characters: a convolution over the characters of each word, max-pooled.

    y(word) = dropout([max_c maxout(W_w [x_(c-w); …; x_(c+w)] + b_w) for each window w]),   x_c = E[row(character c)]

Each distinct word of a batch is encoded once and gathered. It sees neither the neighbouring words nor a vocabulary, and
keeps nothing between batches.
"""

from functools import partial
from typing import Any, Callable, List, Optional, Sequence, Tuple

import numpy
from spacy.tokens import Doc
from thinc.api import Dropout, Embed, Maxout, Model, Ops, chain, concatenate, expand_window, reduce_max, with_array
from thinc.types import Floats2d, Ragged

from ..errors import Errors

BEGIN, END = "\x02", "\x03"  # START OF TEXT, END OF TEXT

InT = List[Doc]
OutT = List[Floats2d]


def CharCNN(
    width: int = 64,
    *,
    char_width: int = 24,
    rows: int = 2000,
    windows: Sequence[int] = [1, 2],
    max_chars: int = 40,
    pieces: int = 3,
    dropout: float = 0.0,
) -> Model[InT, OutT]:
    """Encode the cased characters of every token (dos Santos & Zadrozny 2014; Kim 2014; Ma & Hovy 2016).

    INPUT: B Docs of T tokens. OUTPUT: B × (T, W), equal rows for equal words; an empty Doc gives (0, W), no Docs [].
    PARAMS: E (rows, char_width), and for each window w filters W (W_w, pieces, (2w+1)·char_width), b (W_w, pieces), the
    W_w adding up to W.
    GRADIENT: reaches all parameters, summed over the occurrences of a word. Docs have none: backprop returns [].

    width (int): W, shared out evenly among the windows.
    char_width (int): Width of a character's vector.
    rows (int): Rows of the character table. A code point below ¾·rows has a row of its own (with 2000: Latin, Greek,
        Cyrillic, Armenian). The others share the last quarter by remainder, which keeps the letters of an alphabet
        apart: feature hashing (Weinberger et al. 2009) with the identity for a hash, and no vocabulary to learn.
    windows (Sequence[int]): Characters to either side that a filter sees. Words are marked at both ends.
    max_chars (int): A word longer than this is cut to its head and its tail, half each.
    pieces (int): Linear pieces of each maxout filter.
    dropout (float): Dropout rate of a word's vector, one mask for all its occurrences. spaCy sets it while training.
    RETURNS (Model[List[Doc], List[Floats2d]]): The layer. Its `nO` is known before `initialize`.
    RAISES: ValueError (CT200) where a setting is too small.
    """
    for name, value, least in (
        ("the number of windows", len(windows), 1),
        ("the smallest window", min(windows, default=1), 1),
        ("width", width, len(windows)),
        ("char_width", char_width, 1),
        ("rows", rows, 8),
        ("max_chars", max_chars, 2),
        ("pieces", pieces, 1),
    ):
        if value < least:
            raise ValueError(Errors.CT200.format(layer="CharCNN", name=name, value=value, least=least))
    filters: List[Model[Ragged, Floats2d]] = []
    for i, window in enumerate(windows):
        n_filters = width // len(windows) + (i < width % len(windows))
        convolve: Model[Ragged, Ragged] = with_array(Maxout(n_filters, (2 * window + 1) * char_width, pieces))
        filters.append(chain(expand_window(window), convolve, reduce_max()))
    embed: Model[Ragged, Ragged] = with_array(Embed(char_width, rows))
    encode_words: Model[Ragged, Floats2d] = chain(embed, concatenate(*filters), Dropout(dropout))
    run = partial(_forward, rows, max_chars)  # not `attrs`, which come back from disk and would overrule the config
    return Model("char_cnn", run, init=_init, dims={"nO": width}, layers=[encode_words])


def _forward(
    rows: int, max_chars: int, model: Model[InT, OutT], docs: InT, is_train: bool
) -> Tuple[OutT, Callable[[OutT], InT]]:
    ops = model.ops
    n_tokens: Any = numpy.asarray([len(doc) for doc in docs])
    if not n_tokens.any():
        return [ops.alloc2f(0, model.get_dim("nO")) for _ in docs], lambda d_vectors: []
    words, types = distinct_words(docs)
    index = ops.asarray1i(types)  # (T,) over all Docs, into words
    # No cache of vectors by word: they take about 1 % of prediction, and it would have to be checked against E, W, b.
    characters = _characters(ops, words, rows, max_chars)
    word_vectors, backprop_words = model.layers[0](characters, is_train)  # (words, W)

    def backprop(d_vectors: OutT) -> InT:
        d_tokens = ops.flatten(d_vectors)  # (T, W)
        d_words = ops.alloc2f(*word_vectors.shape)  # (words, W)
        ops.scatter_add(d_words, index, d_tokens)
        backprop_words(d_words)
        return []

    return ops.unflatten(word_vectors[index], n_tokens), backprop


def _init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    model.layers[0].initialize()  # every width is given, so a sample is of no use


def distinct_words(docs: Sequence[Doc]) -> Tuple[List[str], Any]:
    """The distinct words of the Docs, and for each of their tokens the index of its word."""
    orths = numpy.concatenate([doc.to_array("ORTH") for doc in docs])
    _, first, types = numpy.unique(orths, return_index=True, return_inverse=True)
    starts = numpy.cumsum([0] + [len(doc) for doc in docs])
    owner = numpy.searchsorted(starts, first, side="right") - 1  # each Doc knows its own strings only
    return [docs[d][t].text for d, t in zip(owner.tolist(), (first - starts[owner]).tolist(), strict=True)], types


def _characters(ops: Ops, words: Sequence[str], rows: int, max_chars: int) -> Ragged:
    """The row of every character of the words, marks included."""
    tail = max_chars // 2
    cut = [word if len(word) <= max_chars else word[: max_chars - tail] + word[-tail:] for word in words]
    text = BEGIN + (END + BEGIN).join(cut) + END
    codes = numpy.frombuffer(text.encode("utf-32-le"), dtype="<u4").astype("int64")  # (C,)
    own = rows - rows // 4
    ids: Any = numpy.where(codes < own, codes, own + (codes - own) % (rows - own))
    return Ragged(ops.asarray1i(ids), ops.asarray1i([len(word) + 2 for word in cut]))
