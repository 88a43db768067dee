"""Batches come again in the same order, whoever draws random numbers beside them."""

import json
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from pipelines import LINES, make_examples
from spacy.training import Example
from spacy.training.batchers import minibatch_by_words
from spacy.training.loop import create_train_batches
from thinc.api import compounding, fix_random_seed

from spacy_ctxtag.exceptions import TrainingError
from spacy_ctxtag.training.batches import Batches, Item
from spacy_ctxtag.training.random_state import decode, encode, put_back, read_all, read_host, seed_device

NLP = spacy.blank("en")
EXAMPLES = make_examples(NLP, LINES * 2)


def plain(examples: Any) -> Iterator[list[Example]]:
    yield from minibatch_by_words(examples, size=compounding(5.0, 30.0, 1.2))


def at_random(examples: Any) -> Iterator[list[Example]]:
    """A batcher that draws from all generators, in every batch."""
    import torch

    own = np.random.default_rng(3)
    examples = list(examples)
    while examples:
        size = random.randint(1, 2) + int(np.random.randint(2)) + int(torch.randint(2, (1,))) + int(own.integers(2))
        yield examples[:size]
        examples = examples[size:]


def make_batches(batcher: Any, streamed: bool) -> Batches:
    fix_random_seed(0)
    return Batches(create_train_batches(NLP, lambda nlp: iter(EXAMPLES), batcher, -1 if streamed else 0))


def texts(item: Item) -> tuple[int, list[str]]:
    return item[0], [eg.reference.text for eg in item[1]]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("batcher", [plain, at_random])
@given(draws=st.lists(st.sampled_from(["", "python", "numpy", "torch", "all"]), min_size=1, max_size=25))
def test_batches_come_again(batcher: Any, streamed: bool, draws: list[str]) -> None:
    import torch

    batches = make_batches(batcher, streamed)
    for drawn in draws:  # what training does between two batches
        next(batches)
        if drawn in ("python", "all"):
            random.random()
        if drawn in ("numpy", "all"):
            np.random.rand()
        if drawn in ("torch", "all"):
            torch.rand(1)
    state, numbers = batches.training_state(), read_all()
    expected = [texts(next(batches)) for _ in range(12)]
    again = make_batches(batcher, streamed)
    again.set_training_state(json.loads(json.dumps(state)))
    put_back(numbers)
    assert again.training_state() == state
    assert [texts(next(again)) for _ in range(12)] == expected


def test_batches_need_no_notes_when_nobody_else_draws() -> None:
    batches = make_batches(at_random, False)
    for _ in range(30):
        next(batches)
    assert len(batches.training_state()["notes"]) == 1


def test_batches_in_another_order_are_refused() -> None:
    batches = make_batches(plain, False)
    next(batches)
    others = Batches(iter([(0, EXAMPLES[:1])]))
    with pytest.raises(TrainingError, match="CT604"):
        others.set_training_state(batches.training_state())


def test_batches_that_end_too_early_are_refused() -> None:
    batches = make_batches(plain, False)
    for _ in range(5):
        next(batches)
    with pytest.raises(TrainingError, match="CT604"):
        Batches(iter([])).set_training_state(batches.training_state())


# Random numbers


def test_random_numbers_are_put_back() -> None:
    import torch

    state = json.loads(json.dumps(encode(read_all())))
    drawn = [(random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(1).item())]
    put_back(decode(state))
    drawn.append((random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(1).item()))
    assert drawn[0] == drawn[1]


def test_state_of_a_second_normal_number_is_kept() -> None:
    np.random.randn()  # makes two, and keeps one
    before = read_host()
    expected = np.random.randn()
    put_back(decode(json.loads(json.dumps(encode(before)))))
    assert np.random.randn() == expected


def test_device_is_seeded_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    from spacy_ctxtag.training import random_state

    seeds: list[int] = []

    class FakeCupyOps:
        class xp:
            class random:
                seed = staticmethod(seeds.append)

    monkeypatch.setattr(random_state, "CupyOps", FakeCupyOps)
    seed_device(1, 2)
    monkeypatch.setattr(random_state, "get_current_ops", FakeCupyOps)
    for seed, step in ((1, 2), (1, 3), (2, 2), (2**40, 2)):
        seed_device(seed, step)
    assert len(set(seeds)) == len(seeds) == 4
    assert all(0 <= seed < 2**32 for seed in seeds)
