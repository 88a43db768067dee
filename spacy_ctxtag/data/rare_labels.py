"""The registered reader that repeats examples with rare labels: repeat-factor sampling (Gupta et al. 2019, section 5).

    r(example) = max over its labels of max(1, sqrt(t / f(label)))

with f(label) the share of examples that have the label. An example comes r times in an epoch: as often as its whole
part says, and once more with the probability of the rest.
"""

import random
from collections import Counter
from math import ceil, sqrt
from typing import Any, Callable, Dict, Iterable, Iterator, List, Set

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..errors import Errors

SPANS = "spans."


def create_rare_labels_v1(
    corpus: Any, threshold: float = 0.1, max_repeat: float = 10.0, annotation: str = "ents"
) -> Callable[[Language], Iterator[Example]]:
    """Make the reader `spacy-ctxtag.RareLabels.v1`. Each time it is read, it gives its examples in random order, none
    of them less than once.

    corpus (Any): Any corpus reader. It is read again for repetitions, so that an augmenter in it makes other examples.
    threshold (float): t, the share of examples below which a label is rare, in (0, 1].
    max_repeat (float): No label raises its examples to more than so many times.
    annotation (str): Whose labels count: "ents", "tag", "pos", or "spans." and a key of `doc.spans`.
    RETURNS (Callable[[Language], Iterator[Example]]): The reader.
    RAISES (ValueError): CT304 for a setting out of its range.
    """
    known = annotation in ("ents", "tag", "pos") or annotation.startswith(SPANS)
    for name, value, holds, expected in (
        ("threshold", threshold, 0 < threshold <= 1, "a share above 0, 1 at most"),
        ("max_repeat", max_repeat, max_repeat >= 1, "1 or more"),
        ("annotation", annotation, known, "'ents', 'tag', 'pos', or 'spans.' and a key"),
    ):
        if not holds:
            raise ValueError(Errors.CT304.format(name=name, met=value, expected=expected))

    def read_corpus(nlp: Language) -> Iterator[Example]:
        rng = random.Random(random.getrandbits(64))
        taken = list(corpus(nlp))
        factors = repeat_factors([_labels(eg.reference, annotation) for eg in taken], threshold, max_repeat)
        for times in range(1, ceil(max(factors.values(), default=1.0))):
            for eg in corpus(nlp):
                factor = max((factors.get(each, 1.0) for each in _labels(eg.reference, annotation)), default=1.0)
                if rng.random() < factor - times:
                    taken.append(eg)
        rng.shuffle(taken)
        yield from taken

    return read_corpus


def repeat_factors(labels: List[Set[str]], threshold: float, max_repeat: float) -> Dict[str, float]:
    """RETURNS (Dict[str, float]): How often examples with a label come, at least; from the labels of each example."""
    counts = Counter(each for of_example in labels for each in of_example)
    return {label: min(max_repeat, max(1.0, sqrt(threshold * len(labels) / count))) for label, count in counts.items()}


def _labels(doc: Doc, annotation: str) -> Set[str]:
    if annotation in ("tag", "pos"):
        return {getattr(token, f"{annotation}_") for token in doc} - {""}
    key = annotation[len(SPANS) :]
    spans: Iterable[Any] = doc.ents if annotation == "ents" else doc.spans.get(key, ())
    return {span.label_ for span in spans}
