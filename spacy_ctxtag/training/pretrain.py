"""Domain-adaptive pretraining: an encoder learns to predict masked words of raw text (Gururangan et al. 2020).

    loss = -1/M Σ log P(piece | text with masked words)        over the M pieces of whole words that are masked

First the head alone, where the encoder has none; then all weights. The optimizer is AdamW (Loshchilov & Hutter 2019),
without decay of biases and norms. A run can be killed at any time: the next one goes on from the last checkpoint, and
ends with the same weights on a CPU, since nothing depends on more than the seed, the step, and the place in the texts.
"""

import hashlib
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from .. import __version__
from ..errors import Errors
from ..layers.backbone import Backbone
from ..layers.hf_config import max_length
from ..layers.hf_mlm import MaskedLM, load_masked_lm, predict_masked, save_masked_lm
from ..layers.mixed_precision import MixedPrecision
from .manifest import hash_path
from .pretrain_files import Plan, RunFiles
from .pretrain_rows import Masked, Row, Vocabulary, collate, mask, pack, read_vocabulary, rows_of
from .pretrain_stream import Position, Stream
from .pretrain_texts import number_of, raw_files, survey

GRAD_CLIP = 1.0
HEAD_STEPS = 1000  # at most, where they are not given
PRECISIONS = ("fp32", "bf16", "fp16")
SAYS_EVERY = 50  # steps
MOST_NATS = 700.0  # of which exp is still a float
PARTS = (".json", ".txt", ".model", ".safetensors", ".bin")  # of a backbone


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


def pretrain(
    inputs: Sequence[Path],
    output: Path,
    backbone: Backbone,
    settings: Settings,
    *,
    dev: Optional[Path] = None,
    resume: bool = False,
    force: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Dict[str, Any]:
    """Let an encoder learn raw texts, and write it as a backbone.

    inputs (Sequence[Path]): Files of texts, or folders of them.
    output (Path): The folder to write.
    backbone (Backbone): The encoder.
    dev (Optional[Path]): Texts to measure with, instead of some of the others.
    resume (bool): Go on with a run that was cut off, if there is one; nothing is done when it has ended.
    force (bool): Replace an earlier result, or a run that was cut off.
    say (Callable): Gets lines that tell how far it is.
    RETURNS (Dict[str, Any]): What `pretrain.json` in the folder holds, see the documentation.
    RAISES (ValueError): For texts or a backbone that cannot be used, CT555 to CT557 for what is in the way, CT558 when
        the loss is not a number.
    """
    run = RunFiles(output)
    run.check(resume=resume, force=force)
    if resume and run.is_finished() and run.plan() is None:
        return run.report()
    weights = backbone.resolve()
    masked = load_masked_lm(weights, seed=settings.seed)
    files, dev_files = raw_files(inputs), None if dev is None else raw_files([dev])
    asked = {
        "backbone": backbone.name,
        "revision": backbone.revision,
        "backbone_sha256": _hash_backbone(weights),
        "settings": asdict(settings),
        "files": [[each.name, each.stat().st_size] for each in files],
        "dev": None if dev_files is None else [[each.name, each.stat().st_size] for each in dev_files],
    }
    plan = run.plan() if resume else None
    if plan is None:
        say("Reading all texts once")
        found = survey(files, share=settings.dev_share, most=settings.dev_texts, dev=dev_files)
        plan = {**asked, "version": __version__, "texts": found.to_learn}
        run.begin(plan, found.held_out)
    _check_plan(plan, asked)
    held_out = run.held_out()
    say(f"{plan['texts']:,} texts to learn from, {len(held_out):,} held out")
    training = Pretraining(masked, files, held_out, settings)
    state = run.load()
    if state is not None:
        training.restore(state)
        say(f"Going on from step {training.step} of {training.total}")
    training.run(run.save, say)
    report = {**plan, "held_out": len(held_out), **training.report()}
    run.finish(lambda folder: save_masked_lm(masked, folder), report)
    return report


def _check_plan(plan: Plan, asked: Plan) -> None:
    """RAISES (ValueError): CT557 when a run that goes on is asked to do something else than at first."""
    compared = ("backbone", "backbone_sha256", "files", "dev")
    before, now = ({**each["settings"], **{key: each.get(key) for key in compared}} for each in (plan, asked))
    other = [
        f"{name} was {before.get(name)!r}, is {value!r}" for name, value in now.items() if before.get(name) != value
    ]
    if other:
        raise ValueError(Errors.CT557.format(other="; ".join(other)))


def _hash_backbone(folder: Path) -> str:
    """RETURNS (str): The SHA-256 of what makes a backbone: config, weights, tokenizer."""
    hashed = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix in PARTS and path.is_file()):
        hashed.update(f"{path.name}\0{hash_path(path)}\0".encode())
    return hashed.hexdigest()


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
