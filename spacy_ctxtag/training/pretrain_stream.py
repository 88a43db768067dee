"""Batches of rows without end from raw texts, in memory for some batches only.

Texts are read in pools of about 64 batches. Each pool is put in an order by chance, and into batches; the order depends
on the seed and on where the pool begins. So a place among the batches is a few numbers, and reading can go on there.
"""

import contextlib
from pathlib import Path
from typing import Any, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

from ..data.records import DataError, Problem
from ..errors import Errors
from .pretrain_rows import Row, pack, rows_of
from .pretrain_texts import BEGIN, Place, number_of, read_texts

BATCHES = 64  # of a pool, about
CHUNK = 64  # texts that are tokenized at once,
CHARACTERS = 2**18  # or as many as have so many characters


class Position(NamedTuple):
    """A place among the batches: times that all texts were read, where the pool begins, batches of it that are past."""

    epoch: int = 0
    file: int = 0
    offset: int = 0
    line: int = 0
    done: int = 0


START = Position()


class Stream:
    """Reads texts to learn from.

    files (Sequence[Path]): The files.
    held (Set[int]): `number_of` the texts that are held out.
    tokenizer (Any): A fast tokenizer that reads texts as they are.
    capacity (int): Pieces of a row, without special ones.
    budget (int): Pieces of a batch, without special ones, with padding.
    seed (int): Of the order.
    """

    def __init__(
        self, files: Sequence[Path], held: Set[int], tokenizer: Any, *, capacity: int, budget: int, seed: int
    ) -> None:
        self.files, self.held, self.tokenizer = files, held, tokenizer
        self.capacity, self.budget, self.seed = capacity, budget, seed

    def batches(self, position: Position) -> Iterator[Tuple[List[Row], Position]]:
        """YIELDS (Tuple): A batch, and the place behind it. RAISES (DataError), and (ValueError): CT554, if nothing can
        be read any more."""
        epoch, place, done = position.epoch, Place(*position[1:4]), position.done
        while True:
            problems: List[Problem] = []
            after: Optional[Place] = place
            with contextlib.closing(read_texts(self.files, problems, place)) as reader:
                while after is not None:
                    place = after
                    rows, after = self._pool(reader)
                    if problems:
                        raise DataError(problems)
                    planned = pack(
                        rows, self.budget, np.random.default_rng([self.seed, epoch, place.file, place.offset])
                    )
                    if not planned and place == BEGIN:
                        raise ValueError(Errors.CT554.format(total=0, held_out=len(self.held)))
                    for number, batch in enumerate(planned[done:], done + 1):
                        yield batch, Position(epoch, *place, number)
                    done = 0
            epoch, place = epoch + 1, BEGIN

    def _pool(self, reader: Iterator[Tuple[str, Place]]) -> Tuple[List[Row], Optional[Place]]:
        """RETURNS (Tuple): The rows of a pool, and where the next one begins; None at the end of the texts."""
        rows: List[Row] = []
        texts: List[str] = []
        pieces, characters = 0, 0
        for text, after in reader:
            if number_of(text) in self.held:
                continue
            texts.append(text)
            characters += len(text)
            if len(texts) < CHUNK and characters < CHARACTERS:
                continue
            new = rows_of(texts, self.tokenizer, self.capacity)
            rows += new
            pieces += sum(len(row.ids) for row in new)
            texts, characters = [], 0
            if pieces >= BATCHES * self.budget:
                return rows, after
        return rows + rows_of(texts, self.tokenizer, self.capacity), None
