"""Train a pipeline to give the probabilities of another one, all heads at once, on texts with or without annotation.

The loss is the divergence from the teacher's posterior (Hinton et al. 2015): for `ctx_ner` and `ctx_chunker` that over
whole paths of the CRF, see `crf.divergence`, for `ctx_tagger` that over the tags of each token. What the teacher says
is kept, so that it reads every text once.
"""

import random
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch
from thinc.api import Adam, fix_random_seed, set_dropout_rate, warmup_linear

from ..components.ctx_tagger import CtxTagger, cross_entropy
from ..components.span_head import SpanHead
from ..components.token_chains import DocChains, put_back, take
from ..crf import Chains, divergence
from ..errors import Errors

Head = Union[SpanHead, CtxTagger]
OnEpoch = Callable[[int, Dict[str, float]], None]


@dataclass(frozen=True)
class Training:
    """How long and how fast a student learns.

    epochs (int): Times that it reads all texts; 0: never.
    learn_rate (float): The peak of the heads' rate; the encoder's is its `lr_scale` of that.
    dropout (float): As in spaCy's [training].
    words (int): Tokens of a batch, at least one text.
    gold_weight (float): The share of the loss on the annotation, where there is any; the rest is the teacher's.
    seed (int): Of the order of the texts and of dropout.
    RAISES (ValueError): CT304 for a value out of its range.
    """

    epochs: int = 3
    learn_rate: float = 1e-3
    dropout: float = 0.1
    words: int = 500
    gold_weight: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, met, holds, expected in (
            ("epochs", self.epochs, self.epochs >= 0, "0 or more"),
            ("learn-rate", self.learn_rate, self.learn_rate > 0, "a number above 0"),
            ("dropout", self.dropout, 0 <= self.dropout < 1, "a share from 0 to below 1"),
            ("words", self.words, self.words > 0, "1 or more"),
            ("gold-weight", self.gold_weight, 0 <= self.gold_weight <= 1, "a share from 0 to 1"),
        ):
            if not holds:
                raise ValueError(Errors.CT304.format(name=name, met=met, expected=expected))


class Lesson(NamedTuple):
    """What a teacher's head says about one text, in 32-bit floats on the host.

    scores: The emissions of each chain (T', K), or the scores of a tagger (T, K).
    chains: Which tokens the chains are; None for a tagger.
    """

    scores: List[Any]
    chains: Optional[DocChains]


class Lessons(NamedTuple):
    """What a teacher's head says about N texts; of a CRF, also its scores of first tags, moves and last tags."""

    texts: List[Lesson]
    ends: Tuple[Any, ...]

    def only(self, numbers: Sequence[int]) -> "Lessons":
        """RETURNS (Lessons): Those about some of the texts."""
        return Lessons([self.texts[i] for i in numbers], self.ends)


# The teacher


def read_lessons(nlp: Language, heads: Sequence[str], docs: Sequence[Doc]) -> Dict[str, Lessons]:
    """Let the heads of a teacher read texts.

    heads (Sequence[str]): The names of `ctx_ner`, `ctx_chunker` and `ctx_tagger` components.
    docs (Sequence[Doc]): The texts, with whatever earlier components set on them; they stay as they are.
    RETURNS (Dict[str, Lessons]): What it says, by head.
    """
    lessons = {}
    for name in heads:
        head: Any = nlp.get_pipe(name)
        texts: List[Lesson] = []
        ends: Tuple[Any, ...] = ()
        for batch in map(list, minibatch(docs, nlp.batch_size)):  # type: ignore[no-untyped-call]
            if isinstance(head, SpanHead):
                chains, found = head.chains(batch)
                parts, ends = iter(chains.emissions), (chains.start, chains.transition, chains.end)
                texts.extend(Lesson([next(parts).astype("float32") for _ in each.tokens], each) for each in found)
            else:
                texts.extend(Lesson([head.model.ops.to_numpy(scores)], None) for scores in head.run_model(batch))
        lessons[name] = Lessons(texts, ends)
    return lessons


# The loss


def distance(head: Head, scores: Any, lessons: Lessons) -> Tuple[float, Any]:
    """How far a student's head is from its teacher on a batch of texts.

    scores (Any): What the head's model gives for the texts.
    RETURNS (Tuple[float, Any]): The divergence in nats, summed over the texts, and its gradient in the scores.
    """
    if isinstance(head, SpanHead):
        found: Any = [lesson.chains for lesson in lessons.texts]
        teacher = Chains([each for lesson in lessons.texts for each in lesson.scores], *lessons.ends)
        loss, d_chains = divergence(take(scores, found), teacher, head.grammar)
        return loss, put_back(d_chains, found, scores)
    ops: Any = head.model.ops
    loss, gradient = 0.0, []
    for ours, lesson in zip(scores, lessons.texts, strict=True):
        of_doc, d_scores = 0.0, ours
        if len(ours):
            target = ops.softmax(ops.asarray2f(lesson.scores[0]))
            of_doc, d_scores = cross_entropy(ops, ours, target)
            of_doc += float((target * ops.xp.log(target + 1e-30)).sum())
        loss += of_doc
        gradient.append(d_scores)
    return max(0.0, loss), gradient


def distances(nlp: Language, docs: Sequence[Doc], lessons: Dict[str, Lessons]) -> Dict[str, float]:
    """RETURNS (Dict[str, float]): How far the heads of a pipeline are from their teacher, in nats per token."""
    found = dict.fromkeys(lessons, 0.0)
    for batch in map(list, minibatch(range(len(docs)), nlp.batch_size)):  # type: ignore[no-untyped-call]
        for name, of_head in lessons.items():
            head: Any = nlp.get_pipe(name)
            found[name] += distance(head, head.run_model([docs[i] for i in batch]), of_head.only(batch))[0]
    return {name: total / max(1, sum(map(len, docs))) for name, total in found.items()}


# The student


def distil(
    nlp: Language,
    examples: Sequence[Example],
    lessons: Dict[str, Lessons],
    training: Training,
    on_epoch: OnEpoch = lambda epoch, losses: None,
) -> None:
    """Train a student. What is no head with lessons, and no encoder that such a head listens to, stays as it is.

    nlp (Language): The student.
    examples (Sequence[Example]): The texts that the lessons are about, in the same order.
    on_epoch (Callable): Called after each epoch with its number, from 1, and the loss of each head in nats per token.
    """
    fix_random_seed(training.seed)
    shuffled = random.Random(training.seed)
    epochs = [_batches(shuffled, examples, training.words) for _ in range(training.epochs)]
    steps, tokens = sum(map(len, epochs)), sum(len(eg.predicted) for eg in examples)
    rate: Any = warmup_linear(training.learn_rate, max(1, steps // 10), steps + 1)
    optimizer = Adam(rate, L2=0.01, L2_is_weight_decay=True, grad_clip=1.0)
    optimizer.step_schedules()  # the first rate is 0
    for epoch, batches in enumerate(epochs, start=1):
        losses = dict.fromkeys(lessons, 0.0)
        for batch in batches:
            of_batch = {name: each.only(batch) for name, each in lessons.items()}
            update(nlp, [examples[i] for i in batch], of_batch, training, losses)
            for pipe in pipes_of(nlp, lessons):
                pipe.finish_update(optimizer)
            optimizer.step_schedules()
        on_epoch(epoch, {name: loss / max(1, tokens) for name, loss in losses.items()})


def update(
    nlp: Language,
    examples: List[Example],
    lessons: Dict[str, Lessons],
    training: Training,
    losses: Dict[str, float],
) -> None:
    """Learn from a batch, without taking a step."""
    docs = [eg.predicted for eg in examples]
    for pipe in pipes_of(nlp, lessons):
        if pipe.name not in lessons:
            pipe.update(examples, drop=training.dropout)
            continue
        set_dropout_rate(pipe.model, training.dropout)
        scores, backprop = pipe.model.begin_update(docs)
        loss, gradient = distance(pipe, scores, lessons[pipe.name])
        share = training.gold_weight
        if share:
            gold_loss, gold_gradient = pipe.get_loss(examples, scores)
            loss, gradient = (1 - share) * loss + share * gold_loss, _mix(gradient, gold_gradient, share)
        backprop(gradient)
        losses[pipe.name] += loss


def pipes_of(nlp: Language, heads: Iterable[str]) -> List[Any]:
    """RETURNS (List[Any]): Heads and the encoders that they listen to, in the order of the pipeline."""
    names = {*heads}
    for name in heads:
        upstream = nlp.get_pipe(name).upstream  # type: ignore[attr-defined]
        names |= {upstream.name} if upstream is not None else set()
    return [pipe for name, pipe in nlp.pipeline if name in names]


def _batches(shuffled: random.Random, examples: Sequence[Example], words: int) -> List[List[int]]:
    """RETURNS (List[List[int]]): All texts in a random order, in batches of so many tokens at most, or one text."""
    batches: List[List[int]] = []
    size = 0
    for i in shuffled.sample(range(len(examples)), len(examples)):
        size += len(examples[i].predicted)
        if not batches or size > words:
            batches.append([])
            size = len(examples[i].predicted)
        batches[-1].append(i)
    return batches


def _mix(gradient: Any, other: Any, share: float) -> Any:
    """RETURNS (Any): The weighted sum of two gradients, of chains or of scores of a tagger."""
    if isinstance(gradient, Chains):
        parts = ((getattr(gradient, name), getattr(other, name)) for name in ("start", "transition", "end"))
        ends = [(1 - share) * a + share * b for a, b in parts]
        return Chains(_mix(gradient.emissions, other.emissions, share), *ends)
    return [(1 - share) * a + share * b for a, b in zip(gradient, other, strict=True)]
