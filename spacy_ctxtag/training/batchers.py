"""The registered batcher: batches of like length, as large as a budget of padded word pieces allows.

What a batch costs an encoder is its windows times the longest of them, padding included, so that is what is counted. An
example that needs several windows counts all of them.
"""

import random
from functools import cache
from itertools import islice
from typing import Any, Callable, Iterable, Iterator, List, NamedTuple

from spacy.training import Example

from ..errors import Errors
from ..layers.backbone import Backbone
from ..layers.hf_weights import load_tokenizer
from ..layers.pieces import read_specials

CHUNK = 128  # examples that are tokenized at once


class Measured(NamedTuple):
    """An example, its windows, and the word pieces of the longest, special ones included."""

    length: int
    windows: int
    example: Example


def create_batch_by_pieces_v1(
    size: int, backbone: Backbone, buffer: int = 100, window: int = 256, overlap: int = 32
) -> Callable[[Iterable[Example]], Iterator[List[Example]]]:
    """Make the batcher `spacy-ctxtag.batch_by_pieces.v1`. Every example comes in one batch.

    size (int): Padded word pieces of a batch. An example of more is a batch of its own.
    backbone (Backbone): The encoder whose tokenizer counts; it is loaded when the first batch is made.
    buffer (int): Examples of so many batches are read ahead and sorted by length; the batches come in random order.
        The more, the less padding, and the more alike are the examples of a batch.
    window (int): As the encoder's setting.
    overlap (int): As the encoder's setting.
    RETURNS (Callable): From examples to batches of them. Its random order follows `[training] seed`.
    RAISES (ValueError): CT304 for a setting out of its range. When used: CT002, CT003, CT006.
    """
    for name, value, holds, expected in (
        ("size", size, size > 0, "1 or more"),
        ("buffer", buffer, buffer > 0, "1 or more"),
        ("overlap", overlap, 0 <= overlap < window, f"0 or more, and less than the window, {window}"),
    ):
        if not holds:
            raise ValueError(Errors.CT304.format(name=name, met=value, expected=expected))

    @cache
    def tokenizer() -> Any:
        return load_tokenizer(backbone.resolve())

    def batch(examples: Iterable[Example]) -> Iterator[List[Example]]:
        rng = random.Random(random.getrandbits(64))
        for held in _read_ahead(measure(examples, tokenizer(), window, overlap), buffer * size):
            batches = _cut(held, size)
            rng.shuffle(batches)
            yield from batches

    return batch


def measure(examples: Iterable[Example], tokenizer: Any, window: int, overlap: int) -> Iterator[Measured]:
    """YIELDS (Measured): The examples. There may be a few windows more than counted here, as they end where a token
    does."""
    specials = read_specials(tokenizer)
    margin = len(specials.prefix) + len(specials.suffix)
    capacity = max(1, min(window, tokenizer.model_max_length) - margin)
    step = capacity - min(overlap, capacity // 2)  # pieces by which a window is further on than the one before
    stream = iter(examples)
    while some := list(islice(stream, CHUNK)):
        texts = [eg.predicted.text for eg in some]
        encodings = tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)
        for eg, encoding in zip(some, encodings, strict=True):
            pieces = len(encoding.ids)
            further = max(0, -(-(pieces - capacity) // step))
            yield Measured(min(pieces, capacity) + margin, 1 + further, eg)


def _read_ahead(measured: Iterable[Measured], limit: int) -> Iterator[List[Measured]]:
    held: List[Measured] = []
    total = 0
    for each in measured:
        held.append(each)
        total += each.length * each.windows
        if total >= limit:
            yield held
            held, total = [], 0
    if held:
        yield held


def _cut(held: List[Measured], size: int) -> List[List[Example]]:
    """RETURNS (List[List[Example]]): Batches of like length, none of more than `size` unless it is one example."""
    batches: List[List[Example]] = []
    windows = 0
    for each in sorted(held, key=lambda each: (each.length, each.windows)):  # equal ones stay in the order given
        if not batches or (windows + each.windows) * each.length > size:
            batches.append([])
            windows = 0
        batches[-1].append(each.example)
        windows += each.windows
    return batches
