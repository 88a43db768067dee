"""Batches by word pieces: the budget, like lengths together, every example once, and the order."""

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import spacy
from backbones import LINES
from spacy.training import Example
from spacy.util import registry
from thinc.api import Config, fix_random_seed
from transformers import AutoTokenizer

from spacy_ctxtag.layers.backbone import Backbone
from spacy_ctxtag.layers.hf_weights import load_tokenizer
from spacy_ctxtag.layers.pieces import tokenize
from spacy_ctxtag.training.batchers import create_batch_by_pieces_v1, measure

NLP = spacy.blank("en")
WORDS = LINES[0].replace(",", "").replace(".", "").split()  # 16


def make_examples(lengths: Sequence[int]) -> list[Example]:
    """RETURNS (list[Example]): One of so many words each, with its number in front."""
    texts = [" ".join([str(i), *(WORDS * 20)[:n]]) for i, n in enumerate(lengths)]
    return [Example(NLP.make_doc(text), NLP.make_doc(text)) for text in texts]


def random_examples(n: int = 120) -> list[Example]:
    rng = random.Random(0)
    return make_examples([rng.randrange(0, 14) for _ in range(n)])


def number(example: Example) -> int:
    return int(example.predicted[0].text)


def batcher(backbone: str, size: int = 100, **settings: Any) -> Any:
    return create_batch_by_pieces_v1(size, Backbone(backbone), **settings)


def lengths_of(batch: Sequence[Example], backbone: str) -> list[int]:
    """RETURNS (list[int]): Word pieces with special ones, by transformers itself."""
    tokenizer = AutoTokenizer.from_pretrained(backbone)
    return [len(ids) for ids in tokenizer([eg.predicted.text for eg in batch])["input_ids"]]


@pytest.mark.backbone
def test_batches_keep_within_the_budget_and_could_not_be_fewer(tiny_backbone: str) -> None:
    batches = list(batcher(tiny_backbone)(random_examples()))
    padded = [len(batch) * max(lengths_of(batch, tiny_backbone)) for batch in batches]
    assert max(padded) <= 100
    lengths = [sorted(lengths_of(batch, tiny_backbone)) for batch in batches]
    lengths.sort(key=lambda each: (each[-1], each[0]))
    for batch, later in pairwise(lengths):
        assert (len(batch) + 1) * later[0] > 100


def test_batches_have_every_example_once(tiny_backbone: str) -> None:
    for _epoch in range(2):
        found = [number(eg) for batch in batcher(tiny_backbone)(iter(random_examples())) for eg in batch]
        assert sorted(found) == list(range(120))


def test_batches_of_like_length_have_little_padding(tiny_backbone: str) -> None:
    def padding(batches: Any) -> float:
        lengths = [lengths_of(batch, tiny_backbone) for batch in batches]
        return 1 - sum(map(sum, lengths)) / sum(len(each) * max(each) for each in lengths)

    examples = random_examples()
    all_sorted, few_sorted = (padding(batcher(tiny_backbone, buffer=n)(examples)) for n in (100, 1))
    assert all_sorted < min(0.1, few_sorted / 2)


def test_batches_come_in_an_order_of_the_seed(tiny_backbone: str) -> None:
    make, orders = batcher(tiny_backbone), []
    for seed in (0, 0, 1):
        fix_random_seed(seed)
        orders.append([[number(eg) for eg in batch] for batch in make(random_examples())])
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])


def test_only_one_number_is_drawn_for_an_epoch(tiny_backbone: str) -> None:
    """So what else draws random numbers while an epoch runs has no influence on its order."""
    orders = []
    for others in (False, True):
        fix_random_seed(0)
        batches = batcher(tiny_backbone, buffer=2)(random_examples())
        order = []
        for batch in batches:
            order.append([number(eg) for eg in batch])
            if others:
                random.random()
        orders.append(order)
    assert orders[0] == orders[1]


def test_no_more_is_read_ahead_than_the_buffer_holds(tiny_backbone: str) -> None:
    read = []

    def stream() -> Any:
        for eg in make_examples([8] * 600):
            read.append(eg)
            yield eg

    batches = batcher(tiny_backbone, size=50, buffer=2)(stream())
    assert read == []
    next(batches)
    assert len(read) == 128  # they are tokenized by so many


@pytest.mark.parametrize(("window", "overlap"), [(128, 32), (128, 0), (512, 64)])
@pytest.mark.parametrize("n_words", [0, 40, 150, 320])
def test_windows_are_counted_as_the_encoder_makes_them(
    n_words: int, window: int, overlap: int, tiny_backbone: str
) -> None:
    [example] = make_examples([n_words])
    tokenizer = load_tokenizer(Path(tiny_backbone))
    pieces = tokenize([example.predicted], tokenizer, capacity=window - 2, overlap=overlap)
    [measured] = measure([example], tokenizer, window, overlap)
    assert measured.length == (pieces.windows.end - pieces.windows.start).max() + 2
    assert measured.windows == pytest.approx(len(pieces.windows.start), abs=1)
    assert (measured.windows == 1) == (len(pieces.windows.start) == 1)


def test_example_beyond_the_budget_is_a_batch_of_its_own(tiny_backbone: str) -> None:
    batches = list(batcher(tiny_backbone, size=12)(make_examples([30, 1, 1])))
    assert [0] in [[number(eg) for eg in batch] for batch in batches]
    assert sum(map(len, batches)) == 3


def test_batches_of_nothing(tiny_backbone: str) -> None:
    assert list(batcher(tiny_backbone)([])) == []
    empty = Example(NLP.make_doc(""), NLP.make_doc(""))
    assert list(batcher(tiny_backbone)([empty])) == [[empty]]


def test_batcher_is_built_from_a_config(tiny_backbone: str) -> None:
    config = Config().from_str(
        f"""
        [batcher]
        @batchers = "spacy-ctxtag.batch_by_pieces.v1"
        size = 100

        [batcher.backbone]
        @misc = "spacy-ctxtag.Backbone.v1"
        name = "{tiny_backbone}"
        """.replace("        ", "")
    )
    batches = registry.resolve(config)["batcher"](random_examples())
    assert sum(map(len, batches)) == 120


def test_batcher_asks_for_no_weights_before_it_is_used() -> None:
    make = batcher("/no/such/folder/of/weights")
    with pytest.raises(ValueError, match="CT002"):
        list(make(make_examples([3])))


@pytest.mark.parametrize(
    ("setting", "value"), [("size", 0), ("buffer", 0), ("overlap", -1), ("overlap", 256), ("window", 32)]
)
def test_batcher_setting_that_cannot_be_is_refused(setting: str, value: int, tiny_backbone: str) -> None:
    with pytest.raises(ValueError, match=r"CT304"):
        batcher(tiny_backbone, **{setting: value})
