"""What the case and the characters of a word show at once, and those of the words around it, as numbers: `FLAGS`."""

import re
from itertools import islice
from typing import Any, Callable, List, Sequence, Tuple

import numpy
from spacy.tokens import Doc
from thinc.api import Model, Ops, glorot_uniform_init
from thinc.types import Floats2d

from .char_cnn import distinct_words

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


def init_flags(ops: Ops, shape: Tuple[int, ...]) -> Floats2d:
    """RETURNS (Floats2d): (W, 14) weights of the flags; a layer begins as if it did not see the last two."""
    own: Any = glorot_uniform_init(ops, (shape[0], shape[1] - 2))
    weights: Floats2d = ops.xp.hstack([own, ops.alloc2f(shape[0], 2)])
    return weights


def extract_flags() -> Model[InT, OutT]:
    """INPUT: B Docs of T tokens. OUTPUT: B × (T, 14), of 0 and 1. PARAMS: none. GRADIENT: Docs have none."""
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
