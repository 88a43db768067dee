"""From the scores of chains to the entities of Docs: the best analysis, others near it, and exact probabilities.

Everything here reads one posterior per chain. Chains are sentences or whole Docs; what is decided over several of them
(`mbr`, `n_best`) is decided for the Doc. Spans are (start, end exclusive, label index) in tokens of the Doc.
"""

from dataclasses import dataclass, field
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from ..crf import (
    Chains,
    Posterior,
    expected_entities,
    mbr,
    mbr_f,
    n_best,
    posterior,
    span_log_probs,
    spans_above,
    viterbi,
)
from ..errors import Errors
from ..tags import Grammar, LabelSpan, tags_to_spans
from .token_chains import DocChains

Floats = NDArray[np.float64]
Masks = Sequence[Optional[NDArray[np.bool_]]]
Analysis = Tuple[List[LabelSpan], float]  # the entities of a whole Doc, and the probability of exactly these

DECODERS = ("viterbi", "mbr", "mbr_f")
MAP = "[[x, …], [y, …]] for each label: as many numbers in [0, 1], both rising"
LEAST = 0.01  # `mbr_f` does not look at spans below this: an expected F of 0.02 or more needs none of them


class Entities(NamedTuple):
    """What is predicted for one Doc: N entities as (start, end exclusive, label index) in tokens, and probabilities.

    spans, scores: The entities of the analysis chosen, those set beforehand included, with probability 1.
    alternatives: All other spans that are probable enough, with their probabilities.
    analyses: The best analyses of the whole Doc, best first.
    """

    spans: List[LabelSpan]
    scores: List[float]
    alternatives: Sequence[Tuple[LabelSpan, float]] = ()
    analyses: Sequence[Analysis] = ()


@dataclass(frozen=True)
class Decoding:
    """How `ctx_ner` decides, and its settings in the config.

    name (str): Of the component, for errors.
    decode (str): What is set. "viterbi": the entities of the most probable analysis. "mbr": the disjoint spans with the
        greatest Σ (P - mbr_cost). "mbr_f": those with the greatest 2 ΣP / (their number + expected number of entities).
    mbr_cost (float): What an entity costs in "mbr", in (0, 1).
    temperature (float): All scores of the lattice are divided by it; above 1, the model is less sure.
    alternatives (Optional[float]): Also give every other span with at least this probability.
    n_best (int): More than 1: also give so many whole analyses.
    thresholds (Dict[str, float]): By label, instead of the general threshold: entities below it are dropped.
    score_maps (Dict[str, List[List[float]]]): By label, [[x, …], [y, …]]: the corners of a piecewise linear map from
        the exact probability to the score that is reported. Decisions and thresholds go by the exact one.
    RAISES (ValueError): CT404 for a value out of its range.
    """

    name: str
    decode: str = "viterbi"
    mbr_cost: float = 0.5
    temperature: float = 1.0
    alternatives: Optional[float] = None
    n_best: int = 1
    thresholds: Dict[str, float] = field(default_factory=dict)
    score_maps: Dict[str, List[List[float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for setting, value, holds, expected in (
            ("decode", self.decode, self.decode in DECODERS, f"one of {', '.join(DECODERS)}"),
            ("mbr_cost", self.mbr_cost, 0 < self.mbr_cost < 1, "a number between 0 and 1"),
            ("temperature", self.temperature, 0 < self.temperature < np.inf, "a number above 0"),
            ("alternatives", self.alternatives, self.alternatives is None or 0 < self.alternatives <= 1, "in (0, 1]"),
            ("n_best", self.n_best, self.n_best >= 1, "a whole number, 1 or more"),
            ("thresholds", self.thresholds, all(0 <= v <= 1 for v in self.thresholds.values()), "numbers in [0, 1]"),
            ("score_maps", self.score_maps, all(map(_is_map, self.score_maps.values())), MAP),
        ):
            if not holds:
                raise ValueError(Errors.CT404.format(name=self.name, setting=setting, value=value, expected=expected))

    def check_labels(self, labels: Sequence[str]) -> None:
        """RAISES (ValueError): CT409 for a setting of a label that is not among these."""
        check_labels(self.name, labels, thresholds=self.thresholds, score_maps=self.score_maps)

    def __call__(self, chains: Chains, grammar: Grammar, masks: Masks, docs: Sequence[DocChains]) -> List[Entities]:
        """Decode the chains of Docs, Doc after Doc, under masks of allowed tags."""
        chains = chains.divided_by(self.temperature)
        paths = iter(viterbi(chains, grammar, masks) if self.decode == "viterbi" else ())
        posteriors = iter(posterior(chains, grammar, masks))  # second, since it takes memory until the end
        ranked = iter(n_best(chains, grammar, self.n_best, masks) if self.n_best > 1 else ())
        results = []
        for doc in docs:
            of_doc = [next(posteriors) for _ in doc.tokens]
            if self.decode == "viterbi":
                best = [tags_to_spans(grammar, next(paths)) for _ in doc.tokens]
                spans, scores = spans_of_doc(doc, best, [_probs(p, s) for p, s in zip(of_doc, best, strict=True)])
            else:
                spans, scores = self._least_risk(doc, of_doc)
            others: List[Tuple[LabelSpan, float]] = []
            if self.alternatives is not None:
                chosen = set(spans)
                others = [pair for pair in candidates(doc, of_doc, self.alternatives) if pair[0] not in chosen]
            analyses = self._rank(doc, grammar, of_doc, [next(ranked) for _ in doc.tokens]) if self.n_best > 1 else []
            results.append(Entities(spans, scores, others, analyses))
        return results

    def _least_risk(self, doc: DocChains, posteriors: Sequence[Posterior]) -> Tuple[List[LabelSpan], List[float]]:
        """Choose the disjoint spans with the least expected loss (Kumar & Byrne 2004; Goel & Byrne 2000)."""
        found = candidates(doc, posteriors, self.mbr_cost if self.decode == "mbr" else LEAST)
        spans = np.array([span for span, _ in found], dtype=np.intp).reshape(-1, 3)
        probs = np.array([prob for _, prob in found])
        if self.decode == "mbr":
            chosen = mbr(spans, probs, self.mbr_cost)
        else:
            chosen = mbr_f(spans, probs, sum(expected_entities(each) for each in posteriors))
        picked = [found[i] for i in chosen]
        return [span for span, _ in picked], [prob for _, prob in picked]

    def _rank(
        self,
        doc: DocChains,
        grammar: Grammar,
        posteriors: Sequence[Posterior],
        ranked: Sequence[Sequence[Tuple[NDArray[np.intp], float]]],
    ) -> List[Analysis]:
        """The best analyses of a Doc from the best paths of its chains, which do not depend on each other."""
        best: List[Tuple[float, List[NDArray[np.intp]]]] = [(0.0, [])]
        for each, paths in zip(posteriors, ranked, strict=True):
            joined = [(log + score - each.log_z, [*before, path]) for log, before in best for path, score in paths]
            best = sorted(joined, key=lambda pair: -pair[0])[: self.n_best]
        analyses = []
        for log_prob, paths_of_doc in best:
            spans, _ = spans_of_doc(doc, [tags_to_spans(grammar, path) for path in paths_of_doc])
            analyses.append((spans, float(np.exp(min(log_prob, 0.0)))))
        return analyses


def check_labels(name: str, labels: Sequence[str], **settings: Iterable[str]) -> None:
    """RAISES (ValueError): CT409 for a label in one of the settings, given by name, that is not in `labels`."""
    for setting, named in settings.items():
        for label in named:
            if label not in labels:
                listed = ", ".join(labels)
                raise ValueError(Errors.CT409.format(name=name, setting=setting, label=label, labels=listed))


def _is_map(corners: List[List[float]]) -> bool:
    """Whether a score map has two lists of the same length, both rising within [0, 1]."""
    if len(corners) != 2 or not len(corners[0]) == len(corners[1]) > 0:
        return False
    return all(0 <= a <= b <= 1 for of in corners for a, b in zip([0.0, *of], [*of, 1.0], strict=True))


def _probs(each: Posterior, spans: Sequence[LabelSpan]) -> List[float]:
    probs: List[float] = np.exp(span_log_probs(each, spans)).tolist() if spans else []
    return probs


def candidates(doc: DocChains, posteriors: Sequence[Posterior], least: float) -> List[Tuple[LabelSpan, float]]:
    """RETURNS (List): Every span of a Doc whose probability is at least `least`, in order, with its probability."""
    found = [spans_above(each, least) for each in posteriors]
    in_chains: List[List[LabelSpan]] = [[(i, j, k) for i, j, k in spans.tolist()] for spans, _ in found]
    spans, scores = spans_of_doc(doc, in_chains, [np.exp(log_probs).tolist() for _, log_probs in found])
    return list(zip(spans, scores, strict=True))


def spans_of_doc(
    doc: DocChains, in_chains: Sequence[Sequence[LabelSpan]], scores: Sequence[Sequence[float]] = ()
) -> Tuple[List[LabelSpan], List[float]]:
    """Move the spans of all chains of a Doc, and their scores, into one list, in tokens of the Doc."""
    spans = [
        (int(tokens[i]), int(tokens[j - 1]) + 1, label)
        for tokens, chain in zip(doc.tokens, in_chains, strict=True)
        for i, j, label in chain
    ]
    return spans, [score for chain in scores for score in chain]
