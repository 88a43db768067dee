"""How `ctx pretrain` learns: the settings, and what they may be."""

import math
from dataclasses import dataclass
from typing import Optional

from ..errors import Errors

PRECISIONS = ("fp32", "bf16", "fp16")


@dataclass(frozen=True)
class Settings:
    """How to learn.

    steps (int): Steps in which all weights learn.
    head_steps (Optional[int]): Steps before them in which the head alone learns. None: as many as `steps`, at most
        1000, for a new head, else 0.
    learn_rate (float): The highest, of all weights; it rises for a share `warmup` of the steps, and falls to 0.
    head_learn_rate (float): The same in the steps of the head alone.
    weight_decay (float): Of matrices.
    batch_pieces (int): Word pieces of a batch, padding included.
    accumulate (int): Batches of a step.
    window (int): Word pieces that the encoder reads at once, special ones included; less where it takes less.
    mask_share (float): Share of the words that are to be predicted.
    train_precision (str): "fp32", "bf16" or "fp16".
    seed (int): Of a new head, of the order of texts, of masks and dropout.
    save_every (int): Steps between checkpoints, each with a measure on the texts held out.
    dev_share, dev_texts: What is held out: this share of the texts, at most so many.
    RAISES (ValueError): CT304.
    """

    steps: int
    head_steps: Optional[int] = None
    learn_rate: float = 5e-5
    head_learn_rate: float = 1e-3
    warmup: float = 0.1
    weight_decay: float = 0.01
    batch_pieces: int = 4096
    accumulate: int = 1
    window: int = 256
    mask_share: float = 0.15
    train_precision: str = "fp32"
    seed: int = 0
    save_every: int = 500
    dev_share: float = 0.05
    dev_texts: int = 500

    def __post_init__(self) -> None:
        for name in ("steps", "batch_pieces", "accumulate", "save_every", "dev_texts"):
            self._expect(name, getattr(self, name) >= 1, "1 or more")
        for name in ("learn_rate", "head_learn_rate"):
            self._expect(name, 0 < getattr(self, name) < math.inf, "a number above 0")
        self._expect("head_steps", self.head_steps is None or self.head_steps >= 0, "0 or more")
        self._expect("weight_decay", 0 <= self.weight_decay < math.inf, "0 or more")
        self._expect("window", self.window >= 8, "8 or more")
        self._expect("seed", self.seed >= 0, "0 or more")
        self._expect("warmup", 0 <= self.warmup <= 1, "a share, from 0 to 1")
        for name in ("mask_share", "dev_share"):
            self._expect(name, 0 < getattr(self, name) < 1, "a share above 0 and below 1")
        self._expect("train_precision", self.train_precision in PRECISIONS, ", ".join(PRECISIONS))

    def _expect(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ValueError(Errors.CT304.format(name=name, met=getattr(self, name), expected=expected))
