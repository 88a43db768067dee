"""Make a pipeline smaller: its encoders lose feed-forward units, layers or heads, and learn from what they were.

What goes is what matters least (`importance`). The weights that stay become an encoder of another size (`shapes`), and
this one, together with the heads, learns from the unpruned pipeline (`distillation`).
"""

import random
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

from spacy.language import Language
from spacy.training import Example

from ..components.ctx_encoder import CtxEncoder
from ..components.ctx_tagger import CtxTagger
from ..components.span_head import SpanHead
from ..errors import Errors
from ..layers.hf_config import n_layers
from ..layers.hf_shim import HFShim, weights_apart
from ..layers.hf_shrink import n_units
from ..layers.precision import own_precision
from ..training.fingerprint import record_training_texts
from .distillation import Lessons, OnEpoch, Training, distances, distil, pipes_of, read_lessons
from .importance import spaced_layers
from .measure import count_bytes, count_parameters, encoders_of, like_in_use, score_heads, words_per_second
from .quantize import META_KEY as QUANTIZED
from .shapes import Pair, Shape, find_shapes, pick_layers

META_KEY = "ctx_prune"
CALIBRATED = "ctx_calibration"  # what `ctx calibrate` leaves in the meta
PICKS = ("spaced", "divergence")
SAMPLE_WORDS = 20_000  # of annotated texts, to find out what matters
LAYER_WORDS = 2_000  # of texts, for each layer that is left out on trial


@dataclass(frozen=True)
class Options:
    """What to remove, and how to make up for it.

    rates (Sequence[float]): Shares of the feed-forward units to remove, each in [0, 1); one size is made for each.
    layers (Optional[int]): How many layers to keep, in all sizes; None: all.
    pick (str): Which: "spaced", evenly; or "divergence", see `pick_layers`.
    heads (float): Share of the attention heads to remove, in all sizes, in [0, 1).
    max_drop (float): By how much the main score of any head may fall, in points of a percentage.
    repetitions (int): Turns in which the speed is measured.
    training (Training): How the student learns.
    RAISES (ValueError): CT304 for a value out of its range.
    """

    rates: Sequence[float] = (0.25, 0.5)
    layers: Optional[int] = None
    pick: str = "spaced"
    heads: float = 0.0
    max_drop: float = 1.0
    repetitions: int = 5
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        for name, met, holds, expected in (
            ("rates", self.rates, self.rates and all(0 <= rate < 1 for rate in self.rates), "shares from 0 to below 1"),
            ("pick", self.pick, self.pick in PICKS, " or ".join(PICKS)),
            ("heads", self.heads, 0 <= self.heads < 1, "a share from 0 to below 1"),
            ("repetitions", self.repetitions, self.repetitions > 0, "1 or more"),
        ):
            if not holds:
                raise ValueError(Errors.CT304.format(name=name, met=met, expected=expected))


class Pruned(NamedTuple):
    """The figures of the pipeline as it was and of each size, and which size was chosen, if any."""

    before: Dict[str, Any]
    sizes: List[Dict[str, Any]]
    chosen: Optional[int]


def prune(
    teacher: Language,
    student: Language,
    train: Sequence[Example],
    dev: Sequence[Example],
    options: Options,
    say: Callable[[str], None] = lambda text: None,
) -> Pruned:
    """Prune a pipeline at several rates, and leave the smallest that is good enough in `student`.

    teacher (Language): The pipeline; it stays as it is.
    student (Language): The same, loaded once more with the same vocabulary. It gets the weights that are chosen, and
        says so in its meta; if none is good enough, what it holds then is of no use.
    train (Sequence[Example]): Texts to learn from. Importance needs annotated ones, and takes those of `dev` if there
        are none here; a `gold_weight` needs them, too.
    dev (Sequence[Example]): Annotated texts to measure with.
    say (Callable): Takes a line about what is going on.
    RETURNS (Pruned): The figures.
    RAISES (ValueError): CT304, CT515, CT516, CT517, CT526 for a pipeline that this cannot be done to; CT012, CT030,
        CT031 for an encoder; CT518 where nothing in `dev` tells how good a head is.
    """
    heads = check_pipeline(teacher, options)
    scores = score_heads(teacher, heads, dev)
    lacking = [key for key, score in scores.items() if score is None]
    if lacking:
        raise ValueError(Errors.CT518.format(scores=", ".join(lacking)))
    before = {"parameters": count_parameters(teacher), "bytes": count_bytes(teacher), "scores": scores}
    examples = _prepared(teacher, heads, train)
    say(f"The pipeline reads {len(examples):,} texts")
    lessons = read_lessons(teacher, heads, [eg.predicted for eg in examples])
    pairs = _pair(teacher, student, heads)
    say("What matters least")
    shapes = _choose(student, pairs, examples, _prepared(teacher, heads, dev), lessons, options)
    sizes: List[Dict[str, Any]] = []
    chosen: Optional[int] = None
    best: Dict[str, bytes] = {}
    for rate in sorted(options.rates):
        _reset(teacher, student, heads)
        for pair, shape in zip(pairs, shapes, strict=True):
            pair.fit(shape, rate)
        size: Dict[str, Any] = {
            "rate": rate,
            "encoders": [_describe(*each) for each in zip(pairs, shapes, strict=True)],
        }
        size.update(_learn(teacher, student, examples, dev, lessons, options, partial(_tell, say, rate)))
        size["drop"] = max(scores[key] - size["scores"][key] for key in scores)
        if size["drop"] <= options.max_drop:
            chosen, best = len(sizes), {pipe.name: pipe.model.to_bytes() for pipe in pipes_of(student, heads)}
        sizes.append(size)
    if chosen is not None:
        for pipe in pipes_of(student, heads):
            pipe.model.from_bytes(best[pipe.name])
        _remember(student, sizes[chosen], options, train)
    return Pruned(before, sizes, chosen)


def check_pipeline(nlp: Language, options: Options) -> List[str]:
    """Find the heads that a pruned pipeline has to teach its student.

    RETURNS (List[str]): Their names.
    RAISES (ValueError): CT515 where there is none with an encoder of ours, CT516 for another component that listens to
        one, CT517 where no layer can be left out, CT304 for a number of layers out of range, CT526 for integers.
    """
    ours = {name: pipe for name, pipe in nlp.pipeline if isinstance(pipe, (SpanHead, CtxTagger))}
    heads = [name for name, pipe in ours.items() if encoders_of(pipe.upstream or pipe)]
    if not heads:
        raise ValueError(Errors.CT515.format(names=", ".join(nlp.pipe_names)))
    shared = [pipe for _, pipe in nlp.pipeline if isinstance(pipe, CtxEncoder)]
    others = sorted({name for pipe in shared for name in pipe.listening_components} - set(heads))
    if others:
        raise ValueError(Errors.CT516.format(names=", ".join(others)))
    for pipe in pipes_of(nlp, heads):
        for node in pipe.model.walk():
            for shim in node.shims:
                if isinstance(shim, HFShim):
                    _check_encoder(pipe.name, node, shim, options.layers)
    return heads


def _check_encoder(name: str, node: Any, shim: HFShim, n: Optional[int]) -> None:
    if own_precision(shim.module) == "int8":
        raise ValueError(Errors.CT526.format(name=name))
    if n is None:
        return
    most, least = n_layers(shim.module), max(1, shim.finetuning.freeze_layers)
    if not least <= n <= most:
        expected = f"{least} (1, or `freeze_layers` in the config) to {most}, the layers that there are"
        raise ValueError(Errors.CT304.format(name="layers", met=n, expected=expected))
    if n < most and node.get_dim("nO") != shim.module.config.hidden_size:
        raise ValueError(Errors.CT517.format(name=name))


# Before


def _prepared(nlp: Language, heads: Sequence[str], examples: Sequence[Example]) -> List[Example]:
    """RETURNS (List[Example]): The same, with what other components before the heads set (sentences, say)."""
    ours = [pipe.name for pipe in pipes_of(nlp, heads)]
    last = max(nlp.pipe_names.index(name) for name in heads)
    with nlp.select_pipes(enable=[name for name in nlp.pipe_names[:last] if name not in ours]):
        docs = list(nlp.pipe([eg.predicted for eg in examples]))
    return [Example(doc, eg.reference) for doc, eg in zip(docs, examples, strict=True)]


def _pair(teacher: Language, student: Language, heads: Sequence[str]) -> List[Pair]:
    """Pair the encoders of both. All of the student's weights learn from now on, whatever its config has frozen."""
    shims = [[shim for pipe in pipes_of(nlp, heads) for shim in encoders_of(pipe)] for nlp in (teacher, student)]
    for shim in shims[1]:
        shim.finetuning = replace(shim.finetuning, freeze_layers=0, freeze_embeddings=False, unfreeze_every=0)
        shim.module.requires_grad_(True)
    return [Pair(*pair) for pair in zip(*shims, strict=True)]


def _choose(
    student: Language,
    pairs: List[Pair],
    examples: Sequence[Example],
    dev: Sequence[Example],
    lessons: Dict[str, Lessons],
    options: Options,
) -> List[Shape]:
    """RETURNS (List[Shape]): For each encoder what is left of it."""
    heads = list(lessons)
    learners: List[Any] = [student.get_pipe(name) for name in heads]
    annotated = [eg for eg in examples if any(head.is_annotated(eg) for head in learners)] or dev
    sample = [annotated[i] for i in _some(annotated, SAMPLE_WORDS)]
    shapes = find_shapes(student, heads, [pair.student for pair in pairs], sample, options.heads)
    if options.layers is None:
        return shapes
    if options.pick == "spaced":
        return [shape._replace(layers=spaced_layers(len(shape.layers), options.layers)) for shape in shapes]
    few = _some(examples, LAYER_WORDS)
    part = {name: each.only(few) for name, each in lessons.items()}
    return pick_layers(student, pairs, shapes, options.layers, [examples[i].predicted for i in few], part)


def _some(examples: Sequence[Example], words: int) -> List[int]:
    """RETURNS (List[int]): Some of the texts, always the same, of so many tokens together, or all there are."""
    found: List[int] = []
    for i in random.Random(0).sample(range(len(examples)), len(examples)):
        if words <= 0:
            break
        found.append(i)
        words -= len(examples[i].predicted)
    return found


# Each size


def _reset(teacher: Language, student: Language, heads: Sequence[str]) -> None:
    """Give a student all weights of its teacher but those of encoders."""
    with weights_apart():
        for old, new in zip(pipes_of(teacher, heads), pipes_of(student, heads), strict=True):
            new.model.from_bytes(old.model.to_bytes())


def _describe(pair: Pair, shape: Shape) -> Dict[str, Any]:
    return {
        "layers": shape.layers,
        "layers_before": n_layers(pair.teacher.module),
        "units": n_units(pair.student.module),
        "units_before": n_units(pair.teacher.module),
        "heads_removed": sum(len(shape.heads.get(layer, ())) for layer in shape.layers),
    }


def _learn(
    teacher: Language,
    student: Language,
    examples: Sequence[Example],
    dev: Sequence[Example],
    lessons: Dict[str, Lessons],
    options: Options,
    on_epoch: OnEpoch,
) -> Dict[str, Any]:
    """Train a student. RETURNS (Dict[str, Any]): What it weighs, how fast it is, how good before and after."""
    heads, docs = list(lessons), [eg.predicted for eg in examples]
    size: Dict[str, Any] = {"parameters": count_parameters(student), "bytes": count_bytes(student)}
    with like_in_use([teacher, student]):
        speeds = words_per_second([teacher, student], [eg.reference.text for eg in dev], options.repetitions)
    size["words_per_second_before"], size["words_per_second"] = speeds
    size["scores_untrained"] = score_heads(student, heads, dev)
    size["divergence_untrained"] = distances(student, docs, lessons)
    distil(student, examples, lessons, options.training, on_epoch)
    return {**size, "scores": score_heads(student, heads, dev), "divergence": distances(student, docs, lessons)}


def _tell(say: Callable[[str], None], rate: float, epoch: int, losses: Dict[str, float]) -> None:
    found = ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
    say(f"Rate {rate:g}, epoch {epoch}: {found} nats per token")


def _remember(nlp: Language, size: Dict[str, Any], options: Options, train: Sequence[Example]) -> None:
    """Write into the meta what was done, what it scores now, which texts it was trained on, and what it needs; what was
    found when other weights were calibrated goes. Temperature and thresholds themselves stay, in the config."""
    before = sorted({*nlp.meta.pop(CALIBRATED, {}), *nlp.meta.get(META_KEY, {}).get("calibrated_before", ())})
    done = {"pick": options.pick, "training": asdict(options.training), "calibrated_before": before}
    nlp.meta[META_KEY] = {**size, **done}
    scores = {key: score / 100 for key, score in size["scores"].items()}
    nlp.meta.pop(QUANTIZED, None)
    nlp.meta["performance"] = {**nlp.meta.get("performance", {}), **scores}
    record_training_texts(nlp.meta, (eg.reference.text for eg in train))
    if options.heads:
        nlp.meta["requirements"] = [*nlp.meta.get("requirements", ()), "transformers<5"]
