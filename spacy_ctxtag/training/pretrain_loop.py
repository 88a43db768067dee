"""The loop of pretraining: an encoder learns to predict masked words of raw text (Gururangan et al. 2020).

    loss = -1/M Σ log P(piece | text with masked words)        over the M pieces of whole words that are masked

First the head alone, where the encoder has none; then all weights. The optimizer is AdamW (Loshchilov & Hutter 2019),
without decay of biases and norms. Nothing depends on more than the seed, the step, and the place in the texts, so a run
that goes on from a checkpoint ends with the same weights on a CPU.
"""

import math
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import numpy as np

from ..errors import Errors
from ..layers.hf_config import max_length
from ..layers.hf_mlm import MaskedLM, predict_masked
from ..layers.mixed_precision import MixedPrecision
from .pretrain_rows import Masked, Row, Vocabulary, collate, mask, pack, read_vocabulary, rows_of
from .pretrain_settings import Settings
from .pretrain_stream import Position, Stream
from .pretrain_texts import number_of

GRAD_CLIP = 1.0
HEAD_STEPS = 1000  # at most, where they are not given
SAYS_EVERY = 50  # steps
MOST_NATS = 700.0  # of which exp is still a float


class Pretraining:
    """An encoder with a head that learns, and all that it takes to go on later.

    masked (MaskedLM): Encoder, head and tokenizer.
    files (Sequence[Path]): Texts to learn from.
    held_out (Sequence[str]): Texts to measure with. Those among the files are left out.
    """

    def __init__(self, masked: MaskedLM, files: Sequence[Path], held_out: Sequence[str], settings: Settings) -> None:
        import torch
        from thinc.api import get_torch_default_device

        self.settings = settings
        self.module, self.new_head = masked.module.to(get_torch_default_device()), masked.new_head
        self.device = next(self.module.parameters()).device
        default = min(settings.steps, HEAD_STEPS) if masked.new_head else 0
        self.head_steps = default if settings.head_steps is None else settings.head_steps
        self.total = self.head_steps + settings.steps
        vocabulary = read_vocabulary(masked.tokenizer, self.module.get_input_embeddings().weight.shape[0])
        around = len(vocabulary.prefix) + len(vocabulary.suffix)
        capacity = min(settings.window, max_length(self.module, masked.tokenizer)) - around
        self.vocabulary = vocabulary
        self.dev = _make_dev(rows_of(held_out, masked.tokenizer, capacity), vocabulary, settings)
        held = {number_of(text) for text in held_out}
        self.stream = Stream(
            files, held, masked.tokenizer, capacity=capacity, budget=settings.batch_pieces, seed=settings.seed
        )
        decayed = [each for each in self.module.parameters() if each.dim() > 1]
        others = [each for each in self.module.parameters() if each.dim() <= 1]
        groups = [
            {"params": decayed, "weight_decay": settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=0.0)
        self.mixed = MixedPrecision(settings.train_precision)
        self.step = 0
        self.position = Position()
        self.perplexity: Dict[str, float] = {}
        self.curve: List[Dict[str, float]] = []
        self.losses: List[float] = []  # since the last entry of the curve
        self.seconds = 0.0

    def run(self, save: Callable[[Dict[str, Any]], None], say: Callable[[str], None]) -> None:
        """Learn to the end.

        save (Callable): Gets what `restore` takes, now and then.
        RAISES (ValueError): CT558 when the loss is not a number.
        """
        started = time.perf_counter() - self.seconds
        self._measure_once("before", say)
        batches = self.stream.batches(self.position)
        for step in range(self.step, self.total):
            if step == self.head_steps and self.head_steps:
                self._measure_once("after_head", say)
            self.losses.append(self._learn(step, batches))
            self.step = step + 1
            self.seconds = time.perf_counter() - started
            if self.step % SAYS_EVERY == 0:
                part = "the head alone" if step < self.head_steps else "all weights"
                say(f"Step {self.step:,} of {self.total:,} ({part}): loss {np.mean(self.losses[-SAYS_EVERY:]):.3f}")
            if self.step % self.settings.save_every == 0 and self.step < self.total:
                entry = {"step": self.step, "loss": float(np.mean(self.losses)), "perplexity": self.measure()}
                self.curve.append(entry)
                self.losses = []
                say(f"Step {self.step:,}: perplexity of the texts held out {entry['perplexity']:.2f}")
                save(self.state())
        self._measure_once("after", say)

    def _learn(self, step: int, batches: Iterator[Tuple[List[Row], Position]]) -> float:
        """Take one step. RETURNS (float): The loss, the mean over all masked pieces."""
        import torch
        from torch.nn.functional import cross_entropy

        settings = self.settings
        torch.manual_seed(int(np.random.SeedSequence([settings.seed, step]).generate_state(1)[0]))  # for dropout
        rng = np.random.default_rng([settings.seed, step])
        self._set_rates(step)
        self.module.train()
        parts: List[Masked] = []
        for _ in range(settings.accumulate):
            rows, self.position = next(batches)
            masked = [mask(row, self.vocabulary, rng, share=settings.mask_share) for row in rows]
            parts.append(collate(masked, self.vocabulary))
        total = sum(len(part.targets) for part in parts)
        loss = 0.0
        for part in parts:
            with self.mixed.autocast(self.module):
                scores = self._scores(part)
            each = cross_entropy(scores.float(), self._tensor(part.targets), reduction="sum") / total
            self.mixed.scaled(each).backward()
            loss += float(each.detach())
        if not math.isfinite(loss):
            raise ValueError(Errors.CT558.format(step=step + 1))
        if self.mixed.unscale(self.module):
            torch.nn.utils.clip_grad_norm_(self.module.parameters(), GRAD_CLIP)
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss

    def _set_rates(self, step: int) -> None:
        """Choose what learns in a step, and how fast."""
        head_alone = step < self.head_steps
        for each in self.module.base_model.parameters():
            each.requires_grad_(not head_alone)
        at, of = (step, self.head_steps) if head_alone else (step - self.head_steps, self.settings.steps)
        highest = self.settings.head_learn_rate if head_alone else self.settings.learn_rate
        for group in self.optimizer.param_groups:
            group["lr"] = highest * warmup_linear(at, of, self.settings.warmup)

    def _scores(self, part: Masked) -> Any:
        ids, attention, chosen = (self._tensor(array) for array in part[:3])
        return predict_masked(self.module, ids, attention, chosen)

    def _tensor(self, array: Any) -> Any:
        import torch

        return torch.as_tensor(array, device=self.device)

    # Measuring

    def measure(self) -> float:
        """RETURNS (float): The perplexity of the texts held out: exp of the mean of -log P over masked pieces, always
        under the same masks, in fp32 and without dropout."""
        import torch
        from torch.nn.functional import cross_entropy

        self.module.eval()
        total = 0.0
        with torch.no_grad():
            for part in self.dev:
                total += float(cross_entropy(self._scores(part), self._tensor(part.targets), reduction="sum"))
        mean = total / sum(len(part.targets) for part in self.dev)
        if not mean < MOST_NATS:
            raise ValueError(Errors.CT558.format(step=self.step))
        return math.exp(mean)

    def _measure_once(self, name: str, say: Callable[[str], None]) -> None:
        if name not in self.perplexity:
            self.perplexity[name] = self.measure()
            say(f"Perplexity of the texts held out, {name.replace('_', ' the ')}: {self.perplexity[name]:.2f}")

    def report(self) -> Dict[str, Any]:
        return {
            "head": "new" if self.new_head else "found",
            "head_steps": self.head_steps,
            "masked_pieces": sum(len(part.targets) for part in self.dev),
            "perplexity": {name: self.perplexity.get(name) for name in ("before", "after_head", "after")},
            "curve": self.curve,
            "seconds": round(self.seconds, 1),
        }

    # Going on later

    def state(self) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): All that `restore` needs. There is no state of random numbers: each step has seeds
        of its own."""
        return {
            "step": self.step,
            "position": list(self.position),
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "mixed": dict(vars(self.mixed)),
            "perplexity": dict(self.perplexity),
            "curve": list(self.curve),
            "losses": list(self.losses),
            "seconds": self.seconds,
        }

    def restore(self, state: Dict[str, Any]) -> None:
        """Be as when `state` was called."""
        self.step, self.position = state["step"], Position(*state["position"])
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        vars(self.mixed).update(state["mixed"])
        self.perplexity, self.curve, self.losses = state["perplexity"], state["curve"], state["losses"]
        self.seconds = state["seconds"]


def warmup_linear(at: int, of: int, warmup: float) -> float:
    """RETURNS (float): The share of the highest learning rate in step `at` of `of`, from 0: up, and down to 0 behind
    the last one."""
    rising = warmup * of
    return min((at + 1) / max(rising, 1.0), (of - at) / max(of - rising, 1.0), 1.0)


def _make_dev(rows: Sequence[Row], vocabulary: Vocabulary, settings: Settings) -> List[Masked]:
    """Mask the texts held out. Which words does not depend on the seed, nor on the batches.

    RAISES (ValueError): CT554 if there are no rows.
    """
    if not rows:
        raise ValueError(Errors.CT554.format(total=0, held_out=0))
    rng = np.random.default_rng(0)
    masked = [mask(row, vocabulary, rng, share=settings.mask_share, plain=True) for row in rows]
    return [collate(batch, vocabulary) for batch in pack(masked, settings.batch_pieces, rng)]
