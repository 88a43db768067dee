"""The agreement of annotators as `agreement.json` has it, from documents laid over each other.

    annotators   [{name, documents}]
    documents    total, by_one, by_two_or_more, by_all, other_tokens (whose annotators have different tokens)
    layers       "entities", "pos", "tag": those that two annotators have of a unit
      labels     ["O", …] of entities, else the tags
      all        documents, units, fleiss, alpha;  of entities also fleiss_annotated, alpha_annotated
      pairs      [{a, b, documents, units, accuracy, kappa, confusion}];  of entities also kappa_annotated, f,
                 f_overlap, mentions {a, b}, borders {matched, same, first, last}, labels {label: {a, b, f, f_overlap}}

A figure is {value, low, high}, null where undefined; see `agreement.py`. "…_annotated" leaves out the units that all
say "O" of. `confusion` holds {"a says": {"b says": units}}, without zeros.
"""

from typing import Any, Dict, Hashable, List, Sequence, Set, Tuple

import numpy as np

from .agreement import (
    N_SAMPLES,
    UNKNOWN,
    Counts,
    Estimate,
    code,
    cohen_kappa,
    confusion,
    count_alpha,
    count_borders,
    count_fleiss,
    count_spans,
    estimate,
    f_spans,
    fleiss_kappa,
    krippendorff_alpha,
    ratio,
    votes,
)
from .annotations import ENTITIES, OUTSIDE, TAGS, Annotation, SharedDoc, UnitSpan

Figures = Dict[str, Any]


def compute_agreement(
    shared: Sequence[SharedDoc], annotators: Sequence[str], *, n_samples: int = N_SAMPLES, seed: int = 0
) -> Figures:
    """Compute all figures.

    shared (Sequence[SharedDoc]): The documents.
    annotators (Sequence[str]): Names of the A annotators.
    n_samples, seed (int): Draws of documents for intervals.
    RETURNS (Figures): What `agreement.json` holds.
    """
    having = [sum(each is not None for each in doc.annotations) for doc in shared]
    return {
        "annotators": [
            {"name": name, "documents": sum(doc.annotations[i] is not None for doc in shared)}
            for i, name in enumerate(annotators)
        ],
        "documents": {
            "total": len(shared),
            "by_one": having.count(1),
            "by_two_or_more": sum(n > 1 for n in having),
            "by_all": having.count(len(annotators)),
            "other_tokens": sum(not all(each.has_same_tokens for each in doc.annotations if each) for doc in shared),
        },
        "layers": {
            layer: _Layer(shared, annotators, layer).figures(n_samples=n_samples, seed=seed)
            for layer in find_layers(shared)
        },
    }


def find_layers(shared: Sequence[SharedDoc]) -> List[str]:
    """RETURNS (List[str]): The layers that two annotators have of the same units; not "tag" where it equals "pos"."""

    def has(doc: SharedDoc, layer: str) -> bool:
        values = zip(*(each.layers[layer] for each in doc.annotations if each is not None), strict=True)
        return any(sum(value is not None for value in of_unit) > 1 for of_unit in values)

    found = [layer for layer in (ENTITIES, *TAGS) if any(has(doc, layer) for doc in shared)]
    everything = [each.layers for doc in shared for each in doc.annotations if each is not None]
    if {*TAGS} <= {*found} and all(layers["tag"] == layers["pos"] for layers in everything):
        found.remove("tag")
    return found


class _Layer:
    """One layer of all documents, in numbers."""

    def __init__(self, shared: Sequence[SharedDoc], annotators: Sequence[str], layer: str) -> None:
        self.annotators, self.has_spans = annotators, layer == ENTITIES
        said = {v for doc in shared for each in doc.annotations if each for v in each.layers[layer] if v is not None}
        self.labels = [OUTSIDE, *sorted(said - {OUTSIDE})] if self.has_spans else sorted(said)
        self.shared = shared
        self.ratings = [self._rate(doc, layer) for doc in shared]  # (A, T) each

    def _rate(self, doc: SharedDoc, layer: str) -> Any:
        none = np.full(len(doc.units), UNKNOWN)
        return np.stack([none if each is None else code(each.layers[layer], self.labels) for each in doc.annotations])

    def figures(self, **options: int) -> Figures:
        n = len(self.annotators)
        pairs = [self._pair(i, j, **options) for i in range(n) for j in range(i + 1, n)]
        return {"labels": self.labels, "all": self._all(**options), "pairs": [each for each in pairs if each["units"]]}

    def _all(self, **options: int) -> Figures:
        n, k = len(self.annotators), len(self.labels)
        rated = [votes(ratings, k) for ratings in self.ratings]
        rated = [each for each in rated if (each.sum(axis=-1) > 1).any()]
        kinds = {"": rated}
        if self.has_spans:
            kinds["_annotated"] = [each[each[:, 1:].any(axis=-1)] for each in rated]
        counts: Counts = {}
        for kind, tables in kinds.items():
            counts[f"fleiss{kind}"] = np.stack([count_fleiss(each, n) for each in tables])
            counts[f"alpha{kind}"] = np.stack([count_alpha(each) for each in tables])

        def measure(sums: Counts) -> Dict[Hashable, Any]:
            return {
                name: fleiss_kappa(each, n) if name.startswith("fleiss") else krippendorff_alpha(each)
                for name, each in sums.items()
            }

        found = {str(name): each._asdict() for name, each in estimate(counts, measure, **options).items()}
        units = sum(int((each.sum(axis=-1) > 1).sum()) for each in rated)
        return {"documents": len(rated), "units": units, **found}

    def _pair(self, i: int, j: int, **options: int) -> Figures:
        k, labels = len(self.labels), self.labels[1:]
        both = [d for d, ratings in enumerate(self.ratings) if (ratings[[i, j]] != UNKNOWN).all(axis=0).any()]
        about: Figures = {"a": self.annotators[i], "b": self.annotators[j], "documents": len(both)}
        if not both:
            return {**about, "units": 0}
        counts = {"tokens": np.stack([confusion(self.ratings[d][i], self.ratings[d][j], k) for d in both])}
        if self.has_spans:
            spans = [self._spans(d, i, j) for d in both]
            counts["spans"] = np.stack([count_spans(a, b, labels) for a, b in spans])
            counts["borders"] = np.stack([count_borders(a, b, labels) for a, b in spans])
        found = estimate(counts, _measure_pair, **options)
        total = counts["tokens"].sum(axis=0)
        about.update(units=int(total.sum()), **{name: found[name]._asdict() for name in ("accuracy", "kappa")})
        if self.has_spans:
            about.update(_about_spans(found, counts, labels))
        return {**about, "confusion": _nested(total, self.labels)}

    def _spans(self, d: int, i: int, j: int) -> List[Set[UnitSpan]]:
        """RETURNS (List[Set[UnitSpan]]): The mentions of either, without those on units that one does not know of."""
        known = (self.ratings[d][[i, j]] != UNKNOWN).all(axis=0)
        both: List[Annotation] = [each for n in (i, j) if (each := self.shared[d].annotations[n]) is not None]
        return [{span for span in each.spans if known[span[0] : span[1]].all()} for each in both]


def _measure_pair(sums: Counts) -> Dict[Hashable, Any]:
    tokens = sums["tokens"]  # (…, K, K)
    same, n = np.trace(tokens, axis1=-2, axis2=-1), tokens.sum(axis=(-2, -1))
    found: Dict[Hashable, Any] = {"accuracy": ratio(same, n), "kappa": cohen_kappa(tokens)}
    if "spans" not in sums:
        return found
    annotated = tokens.copy()
    annotated[..., 0, 0] = 0
    found["kappa_annotated"] = cohen_kappa(annotated)
    spans, borders = sums["spans"], sums["borders"]  # (…, L, 4), (…, 4)
    for name, column in (("f", 0), ("f_overlap", 1)):
        hits, a, b = (spans[..., n] for n in (column, 2, 3))
        found[name] = f_spans(hits.sum(axis=-1), a.sum(axis=-1), b.sum(axis=-1))
        for label in range(spans.shape[-2]):
            found[name, label] = f_spans(hits[..., label], a[..., label], b[..., label])
    for column, name in enumerate(("same", "first", "last"), 1):
        found["borders", name] = ratio(borders[..., column], borders[..., 0])
    return found


def _about_spans(found: Dict[Hashable, Estimate], counts: Counts, labels: Sequence[str]) -> Figures:
    spans = counts["spans"].sum(axis=0)  # (L, 4)
    by_label: Dict[str, Any] = {}
    for n, label in enumerate(labels):
        a, b = int(spans[n, 2]), int(spans[n, 3])
        if a + b:
            figures = {name: found[name, n]._asdict() for name in ("f", "f_overlap")}
            by_label[label] = {"a": a, "b": b, **figures}
    return {
        **{name: found[name]._asdict() for name in ("kappa_annotated", "f", "f_overlap")},
        "mentions": {"a": int(spans[:, 2].sum()), "b": int(spans[:, 3].sum())},
        "borders": {
            "matched": int(counts["borders"][:, 0].sum()),
            **{name: found["borders", name]._asdict() for name in ("same", "first", "last")},
        },
        "labels": by_label,
    }


def _nested(total: Any, labels: Sequence[str]) -> Dict[str, Dict[str, int]]:
    """RETURNS (Dict): {"a says": {"b says": n}}, without zeros."""
    cells: List[Tuple[str, Dict[str, int]]] = [
        (a, {b: int(n) for b, n in zip(labels, row, strict=True) if n}) for a, row in zip(labels, total, strict=True)
    ]
    return {a: row for a, row in cells if row}
