"""Where annotators disagree, as a list for somebody who decides: a JSON line each, the most frequent confusion first.

    {"document": "law-05", "layer": "entities", "kind": "LOC / ORG", "times": 3, "start": 10, "end": 15,
     "text": "Porto", "sentence": "They sued Porto.", "says": {"ann": [[10, 15, "ORG"]], "bob": [[10, 15, "LOC"]],
     "cy": null}, "adjudicated": null}

Mentions that overlap each other are decided together. `start` and `end` are characters of the document as the first
annotator has it; null in `says` is somebody who was not asked, or does not know. See `adjudication.py` for the rest.
"""

from collections import Counter
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from spacy.tokens import Doc

from .annotations import ENTITIES, Annotation, SharedDoc

CONTEXT = 100  # characters on either side, where there are no sentences
NONE = "none"

Disagreement = Dict[str, Any]


def list_disagreements(
    shared: Sequence[SharedDoc], annotators: Sequence[str], layers: Sequence[str]
) -> List[Disagreement]:
    """List what annotators do not agree on.

    shared (Sequence[SharedDoc]): The documents.
    annotators (Sequence[str]): Names of the A annotators.
    layers (Sequence[str]): "entities", "pos", "tag".
    RETURNS (List[Disagreement]): Most frequent kind first, and then as they come.
    """
    found: List[Disagreement] = []
    for layer in layers:
        for doc in shared:
            pieces = _of_entities(doc) if layer == ENTITIES else _of_tags(doc, layer)
            for (low, high), answers in pieces:
                known = [answer for answer in answers if answer is not None]
                if any(answer != known[0] for answer in known[1:]):
                    found.append(_describe(doc, layer, low, high, dict(zip(annotators, answers, strict=True))))
    times = Counter((each["layer"], each["kind"]) for each in found)
    for each in found:
        each["times"] = times[each["layer"], each["kind"]]
    order = {layer: i for i, layer in enumerate(layers)}
    return sorted(found, key=lambda each: (order[each["layer"]], -each["times"], each["kind"]))


_Piece = Tuple[Tuple[int, int], List[Optional[Any]]]  # first unit, one after the last; what each says


def _of_entities(doc: SharedDoc) -> Iterator[_Piece]:
    """YIELDS (_Piece): Stretches of mentions that overlap, with those of each, as characters."""
    spans = sorted({span for each in doc.annotations if each is not None for span in each.spans})
    stretches: List[List[int]] = []
    for start, end, _ in spans:
        if stretches and start < stretches[-1][1]:
            stretches[-1][1] = max(end, stretches[-1][1])
        else:
            stretches.append([start, end])
    for low, high in stretches:
        yield (low, high), [_mentions(doc, each, low, high) for each in doc.annotations]


def _mentions(doc: SharedDoc, annotation: Optional[Annotation], low: int, high: int) -> Optional[List[List[Any]]]:
    """RETURNS (Optional[List]): [start, end, label] of the mentions there; None where it is not known."""
    if annotation is None or None in annotation.layers[ENTITIES][low:high]:
        return None
    inside = sorted(span for span in annotation.spans if low <= span[0] < high)
    return [[doc.units[start][0], doc.units[end - 1][1], label] for start, end, label in inside]


def _of_tags(doc: SharedDoc, layer: str) -> Iterator[_Piece]:
    for unit in range(len(doc.units)):
        yield (unit, unit + 1), [None if each is None else each.layers[layer][unit] for each in doc.annotations]


def _describe(doc: SharedDoc, layer: str, low: int, high: int, says: Dict[str, Any]) -> Disagreement:
    start, end = doc.units[low][0], doc.units[high - 1][1]
    return {
        "document": doc.name,
        "layer": layer,
        "kind": _kind(layer, [answer for answer in says.values() if answer is not None]),
        "times": 0,
        "start": start,
        "end": end,
        "text": doc.base.text[start:end],
        "sentence": _sentence(doc.base, start, end),
        "says": says,
        "adjudicated": None,
    }


def _kind(layer: str, answers: Sequence[Any]) -> str:
    """RETURNS (str): The answers, each once, as "LOC / ORG" or "ORG / none"; "ORG, borders" if only these differ."""
    if layer != ENTITIES:
        return " / ".join(sorted(set(answers)))
    labels = {" + ".join(label for _, _, label in answer) for answer in answers}
    if len(labels) == 1:
        return f"{labels.pop()}, borders"
    return " / ".join([*sorted(labels - {""}), *([NONE] if "" in labels else [])])


def _sentence(doc: Doc, start: int, end: int) -> str:
    """RETURNS (str): The sentences that characters are in; where there are none, some text around."""
    span = doc.char_span(start, end, alignment_mode="expand") if doc.has_annotation("SENT_START") else None
    if span is None:
        return doc.text[max(0, start - CONTEXT) : end + CONTEXT]
    return doc.text[span[0].sent.start_char : span[-1].sent.end_char]
