"""Calibration: mend probabilities that do not come true. How far off they are is measured in `reliability`.

```
Sample ──fit──▶ Fit: temperature (the lattice / T) → score maps (per label) → thresholds, coverage
   └──cross_validate──▶ the same, each document scored by a Fit that has not seen it
```

The maps and thresholds themselves are in `thresholds`. NumPy only: no Docs, no files. What is scored are the entities
found: those of the best path, which no temperature changes, or those of least risk at the temperature (`Sample.at`).
Other gold entities are scored for the coverage alone. They must not enter the other figures: a set of spans that is
chosen by looking at the answer makes a perfect model look wrong.
"""

import math
from collections import Counter
from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..crf import Chains, mbr, nll, posterior, span_log_probs, spans_above, viterbi
from ..errors import Errors
from ..tags import Grammar, LabelSpan, tags_to_spans
from .reliability import log_loss
from .thresholds import LabelThreshold, ScoreMap, conformal_threshold, fit_score_map, precision_thresholds

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]
Decode = Callable[[Chains, Grammar], Iterator[List[LabelSpan]]]  # the entities of each sequence

OBJECTIVES = ("sequences", "entities")
LOWEST, HIGHEST = 0.05, 20.0  # temperatures that are searched
_TOKENS = 1 << 14  # inferred at a time, so that memory does not grow with the data


# Temperature


def fit_temperature(loss: Callable[[float], float], low: float = LOWEST, high: float = HIGHEST) -> float:
    """Find the temperature with the lowest loss, to 0.1 %: 13 points in equal steps of log T, then a golden-section
    search (Kiefer 1953) between the neighbours of the best. So a loss must be unimodal between these only.

    loss (Callable): From a temperature to a loss.
    low, high (float): Where to search; both > 0.
    RETURNS (float): The temperature, of equal ones that nearest to 1. 1 where no loss is a number.
    """
    grid = np.linspace(math.log(low), math.log(high), 13)
    losses = np.nan_to_num([loss(math.exp(x)) for x in grid], nan=math.inf, posinf=math.inf)
    best = min(range(len(grid)), key=lambda i: (losses[i], abs(grid[i])))  # of equal ones, that nearest to 1
    a, b = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    ratio = (math.sqrt(5) - 1) / 2
    c, d = b - ratio * (b - a), a + ratio * (b - a)
    at_c, at_d = loss(math.exp(c)), loss(math.exp(d))
    while b - a > 1e-3:
        if at_c < at_d:
            b, d, at_d = d, c, at_c
            c = b - ratio * (b - a)
            at_c = loss(math.exp(c))
        else:
            a, c, at_c = c, d, at_d
            d = a + ratio * (b - a)
            at_d = loss(math.exp(d))
    found = math.exp((a + b) / 2)
    return found if loss(found) < loss(1.0) else 1.0


def sequence_loss(chains: Chains, grammar: Grammar, gold_masks: Sequence[Bools]) -> Callable[[float], float]:
    """The CRF's own loss as a function of the temperature: the mean over sequences of -log P(annotation), in nats.

    chains (Chains): B sequences, T = 1.
    grammar (Grammar): Their tags.
    gold_masks (Sequence[ndarray]): B masks (T, K), as for `nll`.
    RETURNS (Callable[[float], float]): The loss; nan if B = 0. In an exponential family it is convex in 1/T, hence
        unimodal in T, where every token is annotated; else it is a difference of two convex functions.
    """

    def loss(temperature: float) -> float:
        total = 0.0
        for part in _parts(chains):
            total += nll(_slice(chains, part).divided_by(temperature), grammar, gold_masks[part])[0].sum()
        return total / len(chains.emissions) if chains.emissions else math.nan

    return loss


def entity_loss(
    chains: Chains, grammar: Grammar, spans: Sequence[Sequence[LabelSpan]], hits: ArrayLike
) -> Callable[[float], float]:
    """The log-loss of entities as a function of the temperature.

    chains, grammar: As for `sequence_loss`.
    spans (Sequence[Sequence[Tuple]]): For each sequence (start, end, label index), chosen without regard to the
        annotation: with the gold entities that are not on the best path among them, the temperature comes out too high.
    hits (ndarray): (N,) whether each span is right, sequence after sequence.
    RETURNS (Callable[[float], float]): The mean loss in nats, nan if N = 0. It need not be unimodal.
    """
    return lambda temperature: log_loss(span_probs(chains, grammar, spans, temperature), hits)


def span_probs(
    chains: Chains, grammar: Grammar, spans: Sequence[Sequence[LabelSpan]], temperature: float = 1.0
) -> Floats:
    """RETURNS (ndarray): (N,) exact probabilities of the spans of each sequence, sequence after sequence."""
    found = [np.zeros(0)]
    for part in _parts(chains):
        results = posterior(_slice(chains, part).divided_by(temperature), grammar)
        found += [span_log_probs(each, of_one) for each, of_one in zip(results, spans[part], strict=True)]
    probs: Floats = np.exp(np.concatenate(found))
    return probs


def _slice(chains: Chains, part: slice) -> Chains:
    return Chains(chains.emissions[part], chains.start, chains.transition, chains.end)


def _parts(chains: Chains) -> Iterator[slice]:
    """YIELDS (slice): Sequences to infer together."""
    start, tokens = 0, 0
    for i, emissions in enumerate(chains.emissions):
        tokens += len(emissions)
        if tokens >= _TOKENS or i == len(chains.emissions) - 1:
            yield slice(start, i + 1)
            start, tokens = i + 1, 0


# Entities


def best_paths(chains: Chains, grammar: Grammar) -> Iterator[List[LabelSpan]]:
    """YIELDS (List[Tuple]): For each sequence the entities of the best path."""
    for path in viterbi(chains, grammar):
        yield tags_to_spans(grammar, path)


def least_risk(cost: float) -> Decode:
    """RETURNS (Decode): Gives for each sequence the disjoint spans with the greatest Σ (P - cost), see `crf.mbr`."""

    def decode(chains: Chains, grammar: Grammar) -> Iterator[List[LabelSpan]]:
        for each in posterior(chains, grammar):
            spans, log_probs = spans_above(each, cost)
            yield [(i, j, label) for i, j, label in spans[mbr(spans, np.exp(log_probs), cost)].tolist()]

    return decode


# All of it


class Sample(NamedTuple):
    """What annotated documents say of a component: B sequences, N entities found, M gold entities.

    chains (Chains): The scores, T = 1.
    grammar (Grammar): Their tags.
    masks (List[ndarray]): B × (T, K) gold masks.
    groups (ndarray): (B,) sequences that belong together, as those of a document do, have the same number.
    found (List[List[Tuple]]): For each sequence the entities that are set, where all their tokens are annotated.
    gold (List[List[Tuple]]): For each sequence the gold entities.
    decode (Decode): What sets them.
    """

    chains: Chains
    grammar: Grammar
    masks: List[Bools]
    groups: Ints
    found: List[List[LabelSpan]]
    gold: List[List[LabelSpan]]
    decode: Decode = best_paths

    def at(self, temperature: float) -> "Sample":
        """RETURNS (Sample): With what is found at a temperature. The best path is the same at each."""
        if self.decode is best_paths:
            return self
        return self._replace(found=_find(self.chains.divided_by(temperature), self.grammar, self.masks, self.decode))

    @property
    def hits(self) -> Bools:
        """(N,) whether what was found is right."""
        pairs = zip(self.found, self.gold, strict=True)
        return np.array([span in gold for found, gold in pairs for span in found], dtype=np.bool_)

    @property
    def labels(self) -> List[str]:
        """(N,) labels of what was found."""
        return [self.grammar.labels[span[2]] for found in self.found for span in found]

    @property
    def n_gold(self) -> Dict[str, int]:
        """Gold entities of each label of the grammar."""
        counts = Counter(span[2] for gold in self.gold for span in gold)
        return {label: counts[i] for i, label in enumerate(self.grammar.labels)}

    def take(self, keep: Bools) -> "Sample":
        """RETURNS (Sample): The sequences for which `keep` (B,) is True."""
        at = np.flatnonzero(keep).tolist()
        chains, grammar, masks, groups, found, gold, decode = self
        emissions = [chains.emissions[i] for i in at]
        picked = Chains(emissions, chains.start, chains.transition, chains.end)
        found, gold = ([of[i] for i in at] for of in (found, gold))
        return Sample(picked, grammar, [masks[i] for i in at], groups[at], found, gold, decode)


def make_sample(
    chains: Chains, grammar: Grammar, masks: Sequence[Bools], groups: Ints, decode: Decode = best_paths
) -> Sample:
    """RETURNS (Sample): What is found at T = 1 beside what is annotated."""
    gold = [tags_to_spans(grammar, np.where(mask.sum(axis=1) == 1, mask.argmax(axis=1), 0)) for mask in masks]
    return Sample(chains, grammar, list(masks), groups, _find(chains, grammar, masks, decode), gold, decode)


def _find(chains: Chains, grammar: Grammar, masks: Sequence[Bools], decode: Decode) -> List[List[LabelSpan]]:
    """The entities of each sequence. One with a token of which it is not known whether it belongs to one of this label
    is left out, also where another token shows it to be wrong: it could never count as right."""
    found, width = [], len(grammar.prefixes)
    for part in _parts(chains):
        for spans, mask in zip(decode(_slice(chains, part), grammar), masks[part], strict=True):
            tags = mask[:, 1:].reshape(len(mask), -1, width).sum(axis=2) + mask[:, :1]  # (T, labels) possible, with O
            found.append([(i, j, label) for i, j, label in spans if (tags[i:j, label] <= 1).all()])
    return found


class Options(NamedTuple):
    """What to fit.

    objective (str): Of the temperature: "sequences" (`sequence_loss`) or "entities" (`entity_loss` of what is found).
    maps (bool): Whether to fit score maps.
    target (Optional[float]): The precision of thresholds; None: no thresholds.
    coverage (Optional[float]): The coverage of the conformal threshold; None: no such threshold.
    """

    objective: str = "sequences"
    maps: bool = False
    target: Optional[float] = None
    coverage: Optional[float] = None


class Fit(NamedTuple):
    """What was fitted. Thresholds are for exact probabilities at the temperature; maps only change what is reported.
    A sample that it is applied to should be one at the temperature, see `Sample.at`."""

    temperature: float = 1.0
    maps: Mapping[str, ScoreMap] = {}
    thresholds: Mapping[str, LabelThreshold] = {}
    coverage_threshold: Optional[float] = None

    def probs(self, sample: Sample) -> Floats:
        """RETURNS (ndarray): (N,) exact probabilities of what was found."""
        return span_probs(sample.chains, sample.grammar, sample.found, self.temperature)

    def reports(self, sample: Sample, probs: Floats) -> Floats:
        """RETURNS (ndarray): (N,) the scores to report, by the maps of the labels."""
        scores, labels = probs.copy(), np.asarray(sample.labels, dtype=object)
        for label, each in self.maps.items():
            scores[labels == label] = np.interp(probs[labels == label], each[0], each[1])
        return scores

    def keeps(self, sample: Sample, probs: Floats) -> Bools:
        """RETURNS (ndarray): (N,) whether an entity reaches the threshold of its label."""
        least = [(self.thresholds[label].threshold if self.thresholds else None) or 0.0 for label in sample.labels]
        return np.array(probs >= np.array(least), dtype=np.bool_)

    def covers(self, sample: Sample) -> Bools:
        """RETURNS (ndarray): (M,) whether a gold entity reaches the coverage threshold."""
        probs = span_probs(sample.chains, sample.grammar, sample.gold, self.temperature)
        return np.array(probs >= (self.coverage_threshold or 0.0), dtype=np.bool_)

    def count_spans(self, sample: Sample, least: float) -> int:
        """RETURNS (int): How many spans there are, right or wrong, of at least a probability above 0."""
        chains = sample.chains.divided_by(self.temperature)
        parts = (posterior(_slice(chains, part), sample.grammar) for part in _parts(chains))
        return sum(len(spans_above(each, least)[0]) for part in parts for each in part)


def fit(sample: Sample, options: Options) -> Fit:
    """RETURNS (Fit): All that the options ask for, fitted on a sample. RAISES (ValueError): CT304 for an option."""
    chains, grammar = sample.chains, sample.grammar
    if options.objective == "sequences":
        temperature = fit_temperature(sequence_loss(chains, grammar, sample.masks))
    elif options.objective == "entities":
        temperature = fit_temperature(entity_loss(chains, grammar, sample.found, sample.hits))
    else:
        raise ValueError(Errors.CT304.format(name="objective", met=options.objective, expected=" or ".join(OBJECTIVES)))
    result, sample = Fit(temperature), sample.at(temperature)
    labels, hits, probs = sample.labels, sample.hits, result.probs(sample)
    names = np.asarray(labels, dtype=object)
    if options.maps:
        maps = {label: fit_score_map(probs[names == label], hits[names == label]) for label in grammar.labels}
        result = result._replace(maps={label: each for label, each in maps.items() if each is not None})
    if options.target is not None:
        thresholds = precision_thresholds(labels, probs, hits, sample.n_gold, options.target)
        result = result._replace(thresholds=thresholds)
    if options.coverage is not None:
        gold_probs = span_probs(chains, grammar, sample.gold, temperature)
        result = result._replace(coverage_threshold=conformal_threshold(gold_probs, options.coverage))
    return result


class Held(NamedTuple):
    """What cross-validation found: for each sequence by a Fit of other groups.

    sample (Sample): With what was found.
    scores (ndarray): (N,) to report of what was found.
    kept (ndarray): (N,) whether it reaches its threshold.
    covered (ndarray): (M,) whether a gold entity reaches the coverage threshold; (0,) if there is none.
    temperatures (List[float]): Of each fold.
    """

    sample: Sample
    scores: Floats
    kept: Bools
    covered: Bools
    temperatures: List[float]


def cross_validate(sample: Sample, options: Options, folds: int = 5, seed: int = 0) -> Optional[Held]:
    """Fit on all folds but one and score that one, for each fold. A group is never parted.

    RETURNS (Optional[Held]): None where there are fewer than two groups.
    """
    names, group = np.unique(sample.groups, return_inverse=True)  # (groups,), (B,)
    folds = min(folds, len(names))
    if folds < 2:
        return None
    fold = (np.random.default_rng(seed).permutation(len(names)) % folds)[group]  # (B,)
    of_gold = np.repeat(fold, [len(spans) for spans in sample.gold])  # (M,)
    found = list(sample.found)
    scores: List[Floats] = [np.zeros(0)] * len(found)
    kept: List[Bools] = [np.zeros(0, dtype=np.bool_)] * len(found)
    covered = np.zeros(0 if options.coverage is None else len(of_gold), dtype=np.bool_)
    temperatures = []
    for i in range(folds):
        result = fit(sample.take(fold != i), options)
        rest = sample.take(fold == i).at(result.temperature)
        temperatures.append(result.temperature)
        probs, ends = result.probs(rest), np.cumsum([len(spans) for spans in rest.found])[:-1]
        reports, keeps = np.split(result.reports(rest, probs), ends), np.split(result.keeps(rest, probs), ends)
        for at, of_rest in enumerate(np.flatnonzero(fold == i).tolist()):
            found[of_rest], scores[of_rest], kept[of_rest] = rest.found[at], reports[at], keeps[at]
        if result.coverage_threshold is not None:
            covered[of_gold == i] = result.covers(rest)
    return Held(sample._replace(found=found), np.concatenate(scores), np.concatenate(kept), covered, temperatures)
