"""From Docs to word pieces: tokenize whole texts, align them to spaCy's tokens, cut them into windows.

All of it is NumPy on the host. Nothing is truncated, and texts that look like special pieces ("[SEP]") are plain text.
"""

from typing import Any, List, NamedTuple, Optional, Sequence

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IDX, LENGTH
from spacy.tokens import Doc

from .alignment import Alignment, align, token_borders
from .once import once
from .windows import Windows, plan_windows

Ints = NDArray[np.int64]


class Specials(NamedTuple):
    """The special pieces that the tokenizer puts around a text: before, after, and what it pads with. All that there
    are, and what stands for an unknown piece."""

    prefix: List[int]
    suffix: List[int]
    pad: int
    every: List[int]
    unknown: Optional[int]


class Pieces(NamedTuple):
    """The word pieces of a batch, texts laid end to end.

    ids (P,): their numbers.
    alignment: pairs of a piece of the batch and a token of the batch.
    windows: windows over the pieces of the batch; none crosses a text.
    n_tokens (int): T, tokens of the batch.
    """

    ids: Ints
    alignment: Alignment
    windows: Windows
    n_tokens: int


def only_text(tokenizer: Any) -> Any:
    """Make a fast tokenizer read texts as they are: no padding and no truncation, which a tokenizer.json may switch on,
    and no special piece for what a text spells ("[SEP]"). To be done again to a copy: it does not keep all of it.

    RETURNS (Any): The same tokenizer.
    """
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()
    backend.encode_special_tokens = True
    return tokenizer


@once
def read_specials(tokenizer: Any) -> Specials:
    """Read the special pieces off the encoding of a one-letter text, the one way that every tokenizer shares."""
    encoding = tokenizer.backend_tokenizer.encode("a", add_special_tokens=True)
    special = np.asarray(encoding.special_tokens_mask, dtype=bool)
    inner = np.flatnonzero(~special)
    before, after = (inner[0], inner[-1] + 1) if len(inner) else ((len(special) + 1) // 2,) * 2
    pad = tokenizer.pad_token_id
    every, unknown = tokenizer.all_special_ids, tokenizer.unk_token_id
    return Specials(encoding.ids[:before], encoding.ids[after:], 0 if pad is None else pad, every, unknown)


def tokenize(docs: Sequence[Doc], tokenizer: Any, *, capacity: int, overlap: int) -> Pieces:
    """Tokenize the texts of Docs into pieces, aligned and cut into windows.

    tokenizer (Any): A fast tokenizer that `only_text` has seen.
    capacity (int): Pieces that fit into a window beside the special ones.
    overlap (int): Pieces that neighbouring windows share.
    """
    encodings = tokenizer.backend_tokenizer.encode_batch([doc.text for doc in docs], add_special_tokens=False)
    ids: List[Ints] = []
    pairs: List[Alignment] = []
    windows: List[Windows] = []
    first_piece, first_token = 0, 0
    for doc, encoding in zip(docs, encodings, strict=True):
        tokens = doc.to_array([IDX, LENGTH]).astype("int64").reshape(-1, 2)  # (T, 2)
        offsets = np.asarray(encoding.offsets, dtype="int64").reshape(-1, 2)  # (P, 2)
        pair = align(offsets[:, 0], offsets[:, 1], tokens[:, 0], tokens.sum(axis=1))
        borders = token_borders(pair, len(offsets)) if len(offsets) > capacity else np.zeros((0,), dtype="int64")
        plan = plan_windows(len(offsets), borders, capacity=capacity, overlap=overlap)
        ids.append(np.asarray(encoding.ids, dtype="int64"))
        pairs.append(Alignment(pair.piece + first_piece, pair.token + first_token))
        windows.append(Windows(*(edge + first_piece for edge in plan)))
        first_piece += len(offsets)
        first_token += len(doc)
    return Pieces(
        without_specials(_join(ids), read_specials(tokenizer)),
        Alignment(_join([pair.piece for pair in pairs]), _join([pair.token for pair in pairs])),
        Windows(*(_join([window[i] for window in windows]) for i in range(4))),
        first_token,
    )


def without_specials(ids: Ints, specials: Specials) -> Ints:
    """Replace special pieces by the unknown one: a Unigram vocabulary holds "</s>" as a piece like any other."""
    unknown = specials.unknown
    return ids if unknown is None else np.where(np.isin(ids, specials.every), unknown, ids)


def _join(arrays: List[Ints]) -> Ints:
    return np.concatenate(arrays) if arrays else np.zeros((0,), dtype="int64")
