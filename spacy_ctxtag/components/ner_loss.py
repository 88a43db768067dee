"""What `ctx_ner` and `ctx_chunker` learn from: annotations as masks of chains, and the terms of the loss.

``log Z(allowed) - log Z(annotated)`` per chain, so that what is not annotated is summed over; ``-log(1 - P)`` for every
span that is known to be wrong; and, where the config asks for them, costs, smoothing, and an expected entity ratio.
"""

from dataclasses import dataclass, field
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Span
from spacy.training import Example

from ..crf import Chains, add_costs, entity_ratio_loss, local_smoothing, nll, wrong_span_nll
from ..errors import Errors
from ..tags import Grammar, LabelSpan
from .ner_decoder import check_labels
from .span_gold import ENTITIES, GoldSource
from .token_chains import DocChains, gold_masks, put_back, take, to_chain

WrongSpan = Tuple[int, int, int, int]  # chain, start, end exclusive, label index
OUTSIDE = "O"


class Gold(NamedTuple):
    """The annotation of one Doc, in tokens of the predicted Doc.

    spans: Those known. missing (T,): tokens whose annotation is not known. wrong: spans known not to have a label.
    open_tags (K,): Tags of the labels that the Doc was not annotated with, which any token outside may have; or None.
    """

    spans: List[LabelSpan]
    missing: NDArray[np.bool_]
    wrong: List[LabelSpan]
    open_tags: Optional[NDArray[np.bool_]]


@dataclass(frozen=True)
class NERLoss:
    """The loss of a span head, and its settings in the config.

    name (str): Of the component, for errors.
    incorrect_spans_key (Optional[str]): `doc.spans[key]` of the reference holds spans that are no entity of their
        label, or of any, if they have none. Each costs -log(1 - P).
    costs (Dict[str, float]): By gold label, or "O": what a wrong tag costs on such a token, in nats (softmax-margin,
        Gimpel & Smith 2010).
    label_smoothing (float): The weight, in [0, 1), of a cross-entropy that pulls the scores of every annotated token
        towards equal ones; the rest is that of the likelihood.
    entity_ratio (Optional[float]): The share of tokens in entities that is expected of the annotated Docs of a batch,
        for corpora in which only some entities are annotated (Effland & Collins 2021).
    entity_ratio_margin (float): How far the expected share may be off at no cost.
    entity_ratio_weight (float): What each of these Docs pays for being off beyond that, in nats for a share of 1.
    loss_weight (float): The whole loss, and with it its gradient, is multiplied by it.
    gold (GoldSource): Where the annotation is.
    RAISES (ValueError): CT404 for a value out of its range.
    """

    name: str
    incorrect_spans_key: Optional[str] = None
    costs: Dict[str, float] = field(default_factory=dict)
    label_smoothing: float = 0.0
    entity_ratio: Optional[float] = None
    entity_ratio_margin: float = 0.05
    entity_ratio_weight: float = 10.0
    loss_weight: float = 1.0
    gold: GoldSource = ENTITIES

    def __post_init__(self) -> None:
        share = self.entity_ratio
        for setting, value, holds, expected in (
            ("costs", self.costs, all(0 <= v < np.inf for v in self.costs.values()), "numbers of 0 or more, in nats"),
            ("label_smoothing", self.label_smoothing, 0 <= self.label_smoothing < 1, "a number in [0, 1)"),
            ("entity_ratio", share, share is None or 0 <= share <= 1, "a number in [0, 1], or null"),
            ("entity_ratio_margin", self.entity_ratio_margin, 0 <= self.entity_ratio_margin <= 1, "in [0, 1]"),
            ("entity_ratio_weight", self.entity_ratio_weight, 0 <= self.entity_ratio_weight < np.inf, "0 or more"),
            ("loss_weight", self.loss_weight, 0 <= self.loss_weight < np.inf, "0 or more"),
        ):
            if not holds:
                raise ValueError(Errors.CT404.format(name=self.name, setting=setting, value=value, expected=expected))

    def check_labels(self, labels: Sequence[str]) -> None:
        """RAISES (ValueError): CT409 for a cost of a label that is not among these."""
        check_labels(self.name, (*labels, OUTSIDE), costs=self.costs)

    def __call__(
        self, examples: Sequence[Example], scores: Chains, grammar: Grammar, found: Sequence[DocChains]
    ) -> Tuple[float, Chains]:
        """Compute the loss of a batch, summed over its Docs.

        scores (Chains): One row per Doc. found (Sequence[DocChains]): The chains of each.
        RETURNS (Tuple[float, Chains]): The loss in nats, and its gradient in `scores`.
        RAISES (ValueError): CT407 for a span that is annotated as an entity and as wrong.
        """
        masks: List[NDArray[np.bool_]] = []
        wrong: List[WrongSpan] = []
        for eg, doc in zip(examples, found, strict=True):
            gold = self.read(eg, grammar)
            for row, tokens in enumerate(doc.tokens, start=len(masks)):
                wrong.extend((row, *span) for span in to_chain(gold.wrong, tokens, doc.words)[0])
            masks.extend(gold_masks(grammar, gold.spans, gold.missing, doc, gold.open_tags))
        chains = take(scores, found)
        learned = add_costs(chains, masks, self._cost_per_tag(grammar)) if self.costs else chains
        losses, gradient = nll(learned, grammar, masks)
        terms = [(1.0 - self.label_smoothing, float(losses.sum()), gradient)]  # weight, loss, gradient
        if self.label_smoothing:
            known = [np.broadcast_to(~mask.all(axis=1, keepdims=True), mask.shape) for mask in masks]
            losses, gradient = local_smoothing(chains, known)
            terms.append((self.label_smoothing, float(losses.sum()), gradient))
        if wrong:
            losses, gradient = wrong_span_nll(chains, grammar, np.array(wrong, dtype=np.intp))
            terms.append((1.0, float(losses.sum()), gradient))
        if self.entity_ratio is not None:
            annotated = [self.is_annotated(eg) and bool(doc.tokens) for eg, doc in zip(examples, found, strict=True)]
            counts = [each for each, doc in zip(annotated, found, strict=True) for _ in doc.tokens]
            off, gradient = self._off_ratio(self.entity_ratio, chains, grammar, masks, counts)
            terms.append((self.entity_ratio_weight * sum(annotated), off, gradient))
        loss = self.loss_weight * sum(weight * value for weight, value, _ in terms)
        gradient = _sum([(self.loss_weight * weight, each) for weight, _, each in terms])
        return loss, put_back(gradient, found, scores)

    def is_annotated(self, example: Example) -> bool:
        """RETURNS (bool): Whether spans are annotated, or known to be absent or wrong, anywhere in the example."""
        return self.gold.is_in(example.reference) or bool(self.wrong_spans(example))

    def read(self, example: Example, grammar: Grammar) -> Gold:
        """Read the annotation of an example. Spans of labels that the grammar does not have count as outside."""
        index = {label: i for i, label in enumerate(grammar.labels)}
        found = self.gold.read(example, grammar.labels)
        spans = [(span.start, span.end, index[span.label_]) for span in found.spans]
        wrong = sorted({span for each in self.wrong_spans(example) for span in _with_labels(each, index)})
        both = set(spans) & set(wrong)
        if both:
            start, end, label = min(both)
            text = example.predicted[start:end].text
            label_name = grammar.labels[label]
            raise ValueError(
                Errors.CT407.format(name=self.name, text=text, label=label_name, key=self.incorrect_spans_key)
            )
        open_tags = None
        if found.labels is not None:
            is_open = (label not in found.labels for label in grammar.labels for _ in grammar.prefixes)
            open_tags = np.array([True, *is_open])
        return Gold(spans, found.missing, wrong, open_tags)

    def wrong_spans(self, example: Example) -> List[Span]:
        """RETURNS (List[Span]): Spans of the predicted Doc that the reference knows to be wrong."""
        if self.incorrect_spans_key is None or self.incorrect_spans_key not in example.reference.spans:
            return []
        group = list(example.reference.spans[self.incorrect_spans_key])
        aligned: List[Span] = example.get_aligned_spans_y2x(group, allow_overlap=True)
        return aligned

    def _off_ratio(
        self,
        ratio: float,
        chains: Chains,
        grammar: Grammar,
        masks: Sequence[NDArray[np.bool_]],
        counts: Sequence[bool],
    ) -> Tuple[float, Chains]:
        """`entity_ratio_loss` of the chains that count; the gradient of the others is 0."""
        rows = [i for i, each in enumerate(counts) if each]
        some = Chains([chains.emissions[i] for i in rows], chains.start, chains.transition, chains.end)
        margin = self.entity_ratio_margin
        off, of_some = entity_ratio_loss(some, grammar, ratio, margin, [masks[i] for i in rows])
        emissions = [np.zeros_like(each) for each in chains.emissions]
        for i, each in zip(rows, of_some.emissions, strict=True):
            emissions[i] = each
        return off, Chains(emissions, of_some.start, of_some.transition, of_some.end)

    def _cost_per_tag(self, grammar: Grammar) -> NDArray[np.float64]:
        """(K,) in nats."""
        inner = [self.costs.get(label, 0.0) for label in grammar.labels for _ in grammar.prefixes]
        return np.array([self.costs.get(OUTSIDE, 0.0), *inner])


def _with_labels(span: Span, index: Dict[str, int]) -> List[LabelSpan]:
    """A wrong span with a label is no entity of that label; one without, of none."""
    labels = list(index.values()) if not span.label_ else [index[span.label_]] if span.label_ in index else []
    return [(span.start, span.end, label) for label in labels]


def _sum(parts: Sequence[Tuple[float, Chains]]) -> Chains:
    """The weighted sum of gradients."""
    if len(parts) == 1 and parts[0][0] == 1.0:
        return parts[0][1]
    weights, gradients = zip(*parts, strict=True)
    rows = zip(*(each.emissions for each in gradients), strict=True)
    emissions = [sum(w * d for w, d in zip(weights, row, strict=True)) for row in rows]
    ends = (sum(w * getattr(each, name) for w, each in parts) for name in ("start", "transition", "end"))
    return Chains(emissions, *ends)
