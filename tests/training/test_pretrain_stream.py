"""Batches without end: every text comes once in an epoch, in an order of the seed, and reading can go on anywhere."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from spacy_ctxtag.data.records import DataError
from spacy_ctxtag.layers.hf_weights import load_tokenizer
from spacy_ctxtag.training import pretrain_stream, pretrain_texts
from spacy_ctxtag.training.pretrain_stream import START, Position, Stream
from spacy_ctxtag.training.pretrain_texts import number_of

TEXTS = [f"ships passed Hamburg in {i}" for i in range(60)]

Batches = list[tuple[list[list[int]], Position]]


@pytest.fixture(autouse=True)
def small_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain_stream, "BATCHES", 3)
    monkeypatch.setattr(pretrain_stream, "CHUNK", 4)


@pytest.fixture(scope="module")
def tokenizer(tiny_backbone: str) -> Any:
    return load_tokenizer(Path(tiny_backbone))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("raw")
    for name, texts in (("a.txt", TEXTS[:25]), ("b.txt", TEXTS[25:])):
        (folder / name).write_text("\n".join(texts), encoding="utf8")
    return [folder / "a.txt", folder / "b.txt"]


def make_stream(files: list[Path], tokenizer: Any, *, seed: int = 0, held: frozenset[int] = frozenset()) -> Stream:
    return Stream(files, set(held), tokenizer, capacity=40, budget=64, seed=seed)


def take(stream: Stream, n: int, position: Position = START) -> Batches:
    return [([row.ids.tolist() for row in rows], after) for rows, after in islice(stream.batches(position), n)]


def epoch(stream: Stream, number: int) -> Batches:
    """All batches of an epoch."""
    found: Batches = []
    for rows, after in stream.batches(Position()):
        if after.epoch > number:
            return found
        if after.epoch == number:
            found.append(([row.ids.tolist() for row in rows], after))
    return found


def flat(batches: Batches) -> list[list[int]]:
    return [row for rows, _ in batches for row in rows]


def test_every_text_comes_once_in_an_epoch(files: list[Path], tokenizer: Any) -> None:
    stream = make_stream(files, tokenizer)
    wanted = sorted(tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS)
    assert sorted(flat(epoch(stream, 0))) == sorted(flat(epoch(stream, 1))) == wanted
    assert flat(epoch(stream, 0)) != flat(epoch(stream, 1))


def test_order_depends_on_the_seed(files: list[Path], tokenizer: Any) -> None:
    first = take(make_stream(files, tokenizer), 9)
    assert first == take(make_stream(files, tokenizer), 9)
    assert first != take(make_stream(files, tokenizer, seed=1), 9)


def test_reading_goes_on_behind_any_batch(files: list[Path], tokenizer: Any) -> None:
    stream = make_stream(files, tokenizer)
    batches = take(stream, 40)
    assert {after.epoch for _, after in batches} >= {0, 1}
    assert len({after.offset for _, after in batches}) > 2
    for i in range(35):
        assert take(stream, 4, batches[i][1]) == batches[i + 1 : i + 5]


def test_held_out_texts_do_not_come(files: list[Path], tokenizer: Any) -> None:
    held = frozenset(number_of(text) for text in TEXTS[::2])
    wanted = sorted(tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS[1::2])
    assert sorted(flat(epoch(make_stream(files, tokenizer, held=held), 0))) == wanted


def test_texts_are_read_as_they_are_needed(files: list[Path], tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def counted(*args: Any) -> Iterator[Any]:
        for text, place in pretrain_stream_read_texts(*args):
            read.append(text)
            yield text, place

    pretrain_stream_read_texts = pretrain_stream.read_texts
    monkeypatch.setattr(pretrain_stream, "read_texts", counted)
    batches = make_stream(files, tokenizer).batches(Position())
    next(batches)
    first = len(read)
    assert 0 < first < len(TEXTS) / 2
    _, after = next(batches)
    assert len(read) == first  # the pool is not empty yet
    while next(batches)[1][:4] == after[:4]:
        pass
    assert first < len(read) <= 3 * first


def test_file_is_opened_once_in_an_epoch(files: list[Path], tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    really = pretrain_texts._opened
    monkeypatch.setattr(pretrain_texts, "_opened", lambda path: opened.append(path) or really(path))
    batches = make_stream(files, tokenizer).batches(Position())
    while next(batches)[1].epoch == 0:
        pass
    assert opened == [*files, files[0]]


def test_long_texts_end_a_chunk(files: list[Path], tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain_stream, "CHUNK", 1000)
    expected = take(make_stream(files, tokenizer), 1)
    monkeypatch.setattr(pretrain_stream, "CHARACTERS", 1)
    assert len(take(make_stream(files, tokenizer), 1)[0][0]) <= len(expected[0][0])
    assert take(make_stream(files, tokenizer), 30)[-1][1].offset > 0


def test_file_that_has_changed_is_an_error(files: list[Path], tokenizer: Any, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "fine"}\n{}\n', encoding="utf8")
    with pytest.raises(DataError, match=r"a\.jsonl:2.*CT553"):
        next(make_stream([tmp_path / "a.jsonl"], tokenizer).batches(Position()))


def test_texts_without_pieces_are_an_error(tokenizer: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\u200b\n", encoding="utf8")
    assert tokenizer.backend_tokenizer.encode("\u200b", add_special_tokens=False).ids == []
    with pytest.raises(ValueError, match="CT554"):
        next(make_stream([tmp_path / "a.txt"], tokenizer).batches(Position()))
