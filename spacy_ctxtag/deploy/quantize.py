"""A pipeline whose encoders compute in smaller numbers and are stored in them: made, and measured beside what it was.

Only encoders are stored in them. Where the processor has instructions for it, the products that fuse features are
computed in bf16 beside an encoder in int8 or bf16; what else there is in the components stays in the numbers it has.
"""

import contextlib
from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_model

from ..errors import Errors
from ..layers.hf_shim import HFShim
from ..layers.int8_module import quantized, watched
from ..layers.precision import choose, own_precision
from .measure import count_bytes, encoders_of, like_in_use, score_heads, words_per_second

META_KEY = "ctx_quantized"
SMALLER = ("int8", "bf16", "fp16")
ENCODER = "spacy-ctxtag.Encoder."
FEATURES = "spacy-ctxtag.Features."


class Place(NamedTuple):
    """An encoder in a pipeline.

    component: Whose it is.
    section: Where in the config, with dots.
    shim: What holds it.
    precision: The numbers that it predicts in.
    """

    component: str
    section: str
    shim: HFShim
    precision: str


class Figures(NamedTuple):
    """What a pipeline weighs on a disk, how fast it is, and how good: scores in percent."""

    bytes: int
    words_per_second: float
    scores: Dict[str, float]


class Quantized(NamedTuple):
    """A pipeline in smaller numbers, and the figures of both."""

    nlp: Language
    precision: str
    before: Figures
    after: Figures

    @property
    def drops(self) -> Dict[str, float]:
        """RETURNS (Dict[str, float]): By how many points each score falls."""
        return {key: score - self.after.scores[key] for key, score in self.before.scores.items()}

    @property
    def worst(self) -> str:
        """RETURNS (str): The score that falls most."""
        return max(self.drops, key=lambda key: self.drops[key])

    def check(self, max_drop: float, *, allow_slower: bool = False) -> None:
        """
        max_drop (float): By how many points a score may fall; every score has to hold.
        RAISES (ValueError): CT524 when one falls further, CT525 when it is not faster.
        """
        key = self.worst
        if self.drops[key] > max_drop + 1e-9:
            before, after = self.before.scores[key], self.after.scores[key]
            raise ValueError(
                Errors.CT524.format(score=key, drop=self.drops[key], before=before, after=after, max_drop=max_drop)
            )
        before, after = self.before.words_per_second, self.after.words_per_second
        if after <= before and not allow_slower:
            raise ValueError(Errors.CT525.format(precision=self.precision, before=before, after=after))

    def remember(self, about: Mapping[str, Any]) -> None:
        """Write into the pipeline's meta what was measured.

        about (Mapping[str, Any]): What else is to stand there.
        """
        figures = {"before": self.before._asdict(), "after": self.after._asdict()}
        self.nlp.meta[META_KEY] = {"precision": self.precision, **about, **figures}
        scores = {key: score / 100 for key, score in self.after.scores.items()}
        self.nlp.meta["performance"] = {**self.nlp.meta.get("performance", {}), **scores}


def quantize(
    model: Any,
    nlp: Language,
    precision: str,
    docs: Iterable[Doc],
    dev: Sequence[Example],
    *,
    repetitions: int = 5,
    batch_size: int = 0,
) -> Quantized:
    """Make a pipeline with smaller numbers in its encoders, and measure it.

    model (Any): What the pipeline is loaded from: a folder, or the name of a package.
    nlp (Language): The pipeline, as it predicts now. It stays as it is.
    precision (str): "int8", "bf16" or "fp16".
    docs (Iterable[Doc]): For int8: texts like those to come, for the ranges of the numbers inside the encoders. The
        pipeline is applied to them.
    dev (Sequence[Example]): Annotated texts to measure with.
    repetitions (int): Turns in which both pipelines are timed, after one that warms up.
    batch_size (int): Texts to predict at once; 0: what the pipeline says.
    RETURNS (Quantized): The new pipeline, with its precision in its config and beside its weights, and the figures.
    RAISES (ValueError): CT304 for a value that is not one of these, CT518 where nothing in `dev` tells how good a
        component is, CT521 without an encoder or a score, CT522 for one in integers, CT523 for one without a text.
    """
    _check(precision, repetitions, batch_size)
    places = find_encoders(nlp)
    heads = find_heads(nlp, places)
    with like_in_use([nlp], batch_size):
        scores = score_heads(nlp, heads, dev)
        lacking = [key for key, score in scores.items() if score is None]
        if lacking:
            raise ValueError(Errors.CT518.format(scores=", ".join(lacking)))
        if not scores:
            raise ValueError(Errors.CT521.format(names=", ".join(nlp.pipe_names)))
    smaller = load_in(model, nlp, precision)
    if precision == "int8":
        in_floats = nlp if all(place.precision == "fp32" for place in places) else load_in(model, nlp, "fp32")
        _put_integers(in_floats, smaller, docs)
    with like_in_use([nlp, smaller], batch_size):
        speeds = words_per_second([nlp, smaller], [eg.reference.text for eg in dev], repetitions)
        new_scores = score_heads(smaller, heads, dev)
    result = Quantized(smaller, precision, Figures(0, speeds[0], scores), Figures(0, speeds[1], new_scores))
    for old, new in zip(places, find_encoders(smaller), strict=True):
        new.shim.measured = {
            old.precision: _record(result.before, result.worst),
            precision: {**_record(result.after, result.worst), "stored": True},
        }
    sizes = [result.before._replace(bytes=count_bytes(nlp)), result.after._replace(bytes=count_bytes(smaller))]
    return result._replace(before=sizes[0], after=sizes[1])


# What there is


def find_encoders(nlp: Language) -> List[Place]:
    """RETURNS (List[Place]): The encoders of all components that are not disabled."""
    config = nlp.config.interpolate()["components"]
    found = []
    for name, pipe in nlp.pipeline:
        sections = _sections(config[name], f"components.{name}", ENCODER)
        for (section, settings), shim in zip(sections, encoders_of(pipe), strict=True):
            chosen = choose(settings.get("precision", "fp32"), own_precision(shim.module), shim.measured)
            found.append(Place(name, section, shim, chosen))
    return found


def find_heads(nlp: Language, places: Sequence[Place]) -> List[str]:
    """Find the components that encoders matter to.

    RETURNS (List[str]): Those with one, and those that listen to one.
    RAISES (ValueError): CT521 without any, CT522 where an encoder is in integers.
    """
    for place in places:
        if own_precision(place.shim.module) == "int8":
            raise ValueError(Errors.CT522.format(name=place.component))
    owners = {place.component for place in places}
    listening = {each for name in owners for each in getattr(nlp.get_pipe(name), "listening_components", ())}
    heads = [name for name in nlp.pipe_names if name in owners | listening]
    if not heads:
        raise ValueError(Errors.CT521.format(names=", ".join(nlp.pipe_names)))
    return heads


def _sections(config: Mapping[str, Any], at: str, architecture: str) -> Iterator[Tuple[str, Mapping[str, Any]]]:
    """YIELDS (Tuple[str, Mapping]): The place of each block of an architecture in a part of a config, and the block."""
    if str(config.get("@architectures", "")).startswith(architecture):
        yield at, config
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _sections(value, f"{at}.{name}", architecture)


def _check(precision: str, repetitions: int, batch_size: int) -> None:
    for name, met, holds, expected in (
        ("precision", precision, precision in SMALLER, ", ".join(SMALLER)),
        ("repetitions", repetitions, repetitions > 0, "1 or more"),
        ("batch-size", batch_size, batch_size >= 0, "1 or more, or 0 for that of the pipeline"),
    ):
        if not holds:
            raise ValueError(Errors.CT304.format(name=name, met=met, expected=expected))


# What is made of it


def load_in(model: Any, nlp: Language, precision: str) -> Language:
    """RETURNS (Language): The same pipeline, loaded once more, with the same vocabulary, to predict in a precision."""
    settings = {place.section: precision for place in find_encoders(nlp)}
    components = nlp.config.interpolate()["components"]
    for section, _ in _sections({name: components[name] for name in nlp.pipe_names}, "components", FEATURES):
        settings[section] = "bf16" if precision in ("int8", "bf16") else "fp32"
    config = {f"{section}.precision": value for section, value in settings.items()}
    return load_model(model, vocab=nlp.vocab, disable=nlp.disabled, config=config)


def _put_integers(in_floats: Language, smaller: Language, docs: Iterable[Doc]) -> None:
    """Let a pipeline read texts, and give the encoders of another one integers for the ranges that it has met."""
    places = find_encoders(in_floats)
    with like_in_use([in_floats], 0), contextlib.ExitStack() as stack:
        ranges = [stack.enter_context(watched(place.shim.module)) for place in places]
        for _ in in_floats.pipe(docs):
            pass
    for old, new, found in zip(places, find_encoders(smaller), ranges, strict=True):
        if not found:
            raise ValueError(Errors.CT523.format(name=old.component))
        new.shim.take(quantized(old.shim.module, found), {})


def _record(figures: Figures, score: str) -> Dict[str, Any]:
    return {"f": figures.scores[score], "words_per_second": figures.words_per_second, "allowed": True}
