"""Word vectors from spelling: hashed lexical attributes, and what the case and the characters of a word show at once.

    y(token) = norm(maxout(W [Σ_h E_a[h(attribute a of token)] for each a; F f(token) + c] + b)),   f ∈ {0, 1}^14

The characters themselves are the business of `char_cnn`; this layer sees classes of words.
"""

import re
from itertools import islice
from typing import Any, Callable, List, Sequence, Tuple

import numpy
from spacy.attrs import IDS
from spacy.ml.featureextractor import FeatureExtractor
from spacy.tokens import Doc
from thinc.api import HashEmbed, Linear, Model, Ops, chain, concatenate, glorot_uniform_init, with_array
from thinc.types import Floats2d

from ..errors import Errors
from .char_cnn import distinct_words
from .fuse import fuse

# What a word shows: cased and all lower, all upper, title, or else mixed; with a digit, all digits; with a mark, all
# marks; all letters, all space, of one character. And of the token: at the beginning of a sentence as far as one sees;
# among words that have letters of one case only, so that the case of this one says nothing.
OF_WORDS = ("lower", "upper", "title", "mixed", "digit", "digits", "mark", "marks", "letters", "space", "single")
FLAGS = (*OF_WORDS, "first", "all_lower", "all_upper")
REACH = 32  # tokens to either side that are looked at for letters of the other case; see `in_parts.CONTEXT`
ENDS_SENTENCE = frozenset([".", "!", "?", "…", "...", "?!", "!!", "。", "！", "？", "।", "؟"])
STAYS_FIRST = frozenset("\"'“”‘’«»„([{)]}-–—*•")  # a sentence goes on beginning after these, and after white space

HAS_DIGIT, HAS_MARK, HAS_OTHER = re.compile(r"\d"), re.compile(r"[^\w\s]|_"), re.compile(r"[^\W_]|\s")

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
    features: Model[InT, OutT] = chain(_extract_flags(), with_array(Linear(width, len(FLAGS), init_W=_init_flags)))
    features.set_dim("nO", width)
    model = fuse([hashed, features], "concat", width=width, dropout=dropout)
    model.name = "orthography"
    return model


def _init_flags(ops: Ops, shape: Tuple[int, ...]) -> Floats2d:
    """RETURNS (Floats2d): (W, 14) weights of the flags; a layer begins as if it did not see the last two."""
    own: Any = glorot_uniform_init(ops, (shape[0], shape[1] - 2))
    weights: Floats2d = ops.xp.hstack([own, ops.alloc2f(shape[0], 2)])
    return weights


def _extract_flags() -> Model[InT, OutT]:
    return Model("orthography_flags", _forward_flags)


def _forward_flags(model: Model[InT, OutT], docs: InT, is_train: bool) -> Tuple[OutT, Callable[[OutT], InT]]:
    words, types = distinct_words(docs)
    lengths: Any = numpy.asarray([len(doc) for doc in docs])
    flags: Any = numpy.zeros((len(types), len(FLAGS)), dtype="float32")  # (T, 14)
    of_words = numpy.asarray([_word_flags(word) for word in words]).reshape(-1, len(OF_WORDS))
    flags[:, : len(OF_WORDS)] = of_words[types]
    flags[:, len(OF_WORDS)] = _is_first(words, types.tolist(), lengths)
    has_small, has_capital = (
        _is_near(numpy.asarray([change(word) != word for word in words], dtype="int64")[types], lengths)
        for change in (str.upper, str.lower)
    )
    flags[:, -2], flags[:, -1] = has_small & ~has_capital, has_capital & ~has_small
    return model.ops.unflatten(model.ops.asarray2f(flags), lengths), lambda d_flags: []


def _word_flags(word: str) -> List[bool]:
    lower, upper, title = word.islower(), word.isupper(), word.istitle()
    mixed = not (lower or upper or title) and word.lower() != word.upper()
    digit, mark = HAS_DIGIT.search(word) is not None, HAS_MARK.search(word) is not None
    marks = mark and HAS_OTHER.search(word) is None
    return [
        lower,
        upper,
        title,
        mixed,
        digit,
        word.isdigit(),
        mark,
        marks,
        word.isalpha(),
        word.isspace(),
        len(word) < 2,
    ]


def _is_near(counts: Any, lengths: Any) -> Any:
    """RETURNS (ndarray): (T,) whether any of the counts (T,) within REACH tokens, in the same Doc, is not 0."""
    ends = numpy.cumsum(lengths)
    at = numpy.arange(len(counts))
    first = numpy.maximum(at - REACH, numpy.repeat(ends - lengths, lengths))
    last = numpy.minimum(at + REACH + 1, numpy.repeat(ends, lengths))
    sums = numpy.concatenate([[0], numpy.cumsum(counts)])
    return sums[last] > sums[first]


def _is_first(words: Sequence[str], types: Sequence[int], lengths: Sequence[int]) -> List[bool]:
    ends = [word in ENDS_SENTENCE for word in words]
    stays = [word in STAYS_FIRST or word.isspace() for word in words]
    first, tokens = [], iter(types)
    for length in lengths:
        state = True
        for word in islice(tokens, length):
            first.append(state)
            state = state if stays[word] else ends[word]
    return first
