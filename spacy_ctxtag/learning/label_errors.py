"""What a pipeline says against the annotation of documents that it has not learned from, as records for a file.

```
documents ──heads──▶ chains, tag probabilities ──temperature──▶ doubts ──▶ findings ──rank──▶ a list of all folds
```

Probabilities are of the head's own distribution at the temperature under which the annotation is the most probable
(`evaluation.calibration`), so that folds, whose pipelines differ, have one scale. The documents are scored with their
own tokens. What other components have set as entities is not taken into account.
"""

import math
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch

from ..components.ctx_tagger import CtxTagger
from ..components.ner_loss import Gold
from ..components.span_gold import GroupGold
from ..components.span_head import SpanHead
from ..components.token_chains import DocChains, gold_masks, to_chain
from ..crf import Chains, posterior
from ..data.records import doc_meta
from ..evaluation.calibration import fit_temperature, sequence_loss
from ..tags import LabelSpan
from .doubts import UNKNOWN, Doubt, Rated, find_doubts, find_tag_doubts

PLACE = "ctx_place"  # the key in user_data for the file of a document, and which one it is there, from 0
AROUND = 20  # tokens shown on either side, where there are no sentences

Finding = Dict[str, Any]
Head = Union[SpanHead, CtxTagger]


def doubting(nlp: Language) -> List[str]:
    """RETURNS (List[str]): The names of the components that can doubt an annotation: trained, with probabilities."""
    frozen = nlp.config.interpolate()["training"]["frozen_components"]
    return [name for name, pipe in nlp.pipeline if isinstance(pipe, (SpanHead, CtxTagger)) and name not in frozen]


def find_label_errors(nlp: Language, docs: Sequence[Doc], *, temperature: Optional[float] = None) -> List[Finding]:
    """Find where a pipeline contradicts the annotation of documents.

    nlp (Language): It must not have learned from these documents.
    docs (Sequence[Doc]): Annotated documents; they are not changed.
    temperature (Optional[float]): Of all heads; None: for each the one under which the annotation is the most probable.
    RETURNS (List[Finding]): In the order of the documents, all with a suspicion of at least `doubts.LEAST`; what a
        finding holds is in docs/label_errors.md.
    """
    findings: List[Finding] = []
    for name in doubting(nlp) if docs else ():
        head: Any = nlp.get_pipe(name)
        with nlp.select_pipes(disable=nlp.pipe_names[nlp.pipe_names.index(name) :]):
            predicted = list(nlp.pipe([_unannotated(doc, nlp) for doc in docs]))
        examples = [Example(doc, reference) for doc, reference in zip(predicted, docs, strict=True)]
        doubt: Any = _doubt_tags if isinstance(head, CtxTagger) else _doubt_spans
        findings.extend(doubt(head, examples, temperature))
    return findings


def rank(findings: Iterable[Finding], least: float = 0.5) -> List[Finding]:
    """Sort the findings of all folds, those to look at first at the beginning.

    least (float): Leave out those of a lower suspicion. What sorts is the weakest token of the annotated reading, since
        the probability of a reading falls with its length.
    RETURNS (List[Finding]): With "rank", from 1.
    """
    kept = [each for each in findings if each["suspicion"] >= least]
    kept.sort(
        key=lambda f: (f["weakest"], -f["log_odds"], str(f["file"]), f["number"] or 0, f["start"], f["component"])
    )
    return [{"rank": n, **each} for n, each in enumerate(kept, 1)]


def _unannotated(doc: Doc, nlp: Language) -> Doc:
    return Doc(nlp.vocab, words=[token.text for token in doc], spaces=[bool(token.whitespace_) for token in doc])


# Spans


def _doubt_spans(head: SpanHead, examples: Sequence[Example], temperature: Optional[float]) -> Iterator[Finding]:
    grammar, golds = head.grammar, [head.loss.read(eg, head.grammar) for eg in examples]
    chains, found = _run(head, [eg.predicted for eg in examples])
    masks = [
        mask
        for gold, of_doc in zip(golds, found, strict=True)
        for mask in gold_masks(grammar, gold.spans, gold.missing, of_doc, gold.open_tags)
    ]
    if temperature is None:
        temperature = fit_temperature(sequence_loss(chains, grammar, masks))
    chains = chains.divided_by(temperature)
    emissions = iter(chains.emissions)
    source = head.loss.gold
    layer = f"spans:{source.key}" if isinstance(source, GroupGold) else "ents"
    for eg, gold, of_doc in zip(examples, golds, found, strict=True):
        every = sorted({*head.labels, *source.labels_of(eg.reference)})
        names = {(span.start, span.end): span.label_ for span in source.read(eg, every).spans}
        own = Chains([next(emissions) for _ in of_doc.tokens], chains.start, chains.transition, chains.end)
        for tokens, each in zip(of_doc.tokens, posterior(own, grammar), strict=True):
            spans, closed = _read_chain(eg.predicted, names, gold, tokens, of_doc, head)
            wrong = frozenset(to_chain(gold.wrong, tokens, of_doc.words)[0])
            for doubt in find_doubts(each, spans, closed, wrong):
                yield _finding(head.name, layer, eg.reference, _moved(doubt, tokens), names, head.labels)


def _run(head: SpanHead, docs: Sequence[Doc]) -> Tuple[Chains, List[DocChains]]:
    """Score the chains of Docs, some at a time."""
    k = len(head.grammar.tags)
    emissions, found = [], []
    ends = np.zeros(k), np.zeros((k, k)), np.zeros(k)
    for batch in minibatch(docs, size=64):  # type: ignore[no-untyped-call]
        chains, some = head.chains(batch)
        emissions.extend(chains.emissions)
        found.extend(some)
        ends = chains.start, chains.transition, chains.end
    return Chains(emissions, *ends), found


def _read_chain(
    doc: Doc,
    names: Dict[Tuple[int, int], str],
    gold: Gold,
    tokens: NDArray[np.int64],
    of_doc: DocChains,
    head: SpanHead,
) -> Tuple[List[LabelSpan], NDArray[np.bool_]]:
    """RETURNS (Tuple): The annotated spans of a chain, and (T', labels) where nothing can be proposed: tokens whose
    annotation is not known, or that lie in a span which cannot be one of the model's, and labels not annotated."""
    index = {label: n for n, label in enumerate(head.labels)}
    spans = [(*borders, index.get(label, UNKNOWN)) for borders, label in names.items()]
    trimmed = [span for span in spans if not (doc[span[0]].is_space or doc[span[1] - 1].is_space)]
    inside, cut = to_chain(trimmed, tokens, of_doc.words)
    free = gold.missing.copy()
    for start, end, _ in set(spans) - set(trimmed):
        free[start:end] = True
    rows = free[tokens]
    rows[cut] = True
    closed = np.repeat(rows[:, None], len(head.labels), axis=1)
    if gold.open_tags is not None:
        closed |= gold.open_tags[1 :: len(head.grammar.prefixes)]
    return sorted(inside), closed


def _moved(doubt: Doubt, tokens: NDArray[np.int64]) -> Doubt:
    """A doubt of a chain, in tokens of the Doc."""

    def move(spans: Sequence[Rated]) -> List[Rated]:
        return [((int(tokens[i]), int(tokens[j - 1]) + 1, label), prob) for (i, j, label), prob in spans]

    start, end = int(tokens[doubt.start]), int(tokens[doubt.end - 1]) + 1
    return doubt._replace(start=start, end=end, annotated=move(doubt.annotated), proposed=move(doubt.proposed))


# Tags


def _doubt_tags(tagger: CtxTagger, examples: Sequence[Example], temperature: Optional[float]) -> Iterator[Finding]:
    index = {label: n for n, label in enumerate(tagger.labels)}
    probs = [np.log(np.maximum(tagger.tag_probs(eg.predicted), 1e-30)).astype("float64") for eg in examples]
    words = [[getattr(token, f"{tagger.target}_") for token in eg.reference] for eg in examples]
    known = [
        [bool(tag) and not token.is_space for tag, token in zip(tags, eg.predicted, strict=True)]
        for tags, eg in zip(words, examples, strict=True)
    ]
    gold = [[index.get(tag, UNKNOWN) for tag in tags] for tags in words]
    if temperature is None:
        temperature = _fit_tags(probs, gold, known)
    for eg, log_probs, tags, are_known, of_doc in zip(examples, probs, words, known, gold, strict=True):
        names = {(at, at + 1): tag for at, tag in enumerate(tags)}
        for doubt in find_tag_doubts(_at(log_probs, temperature), of_doc, are_known):
            yield _finding(tagger.name, tagger.target, eg.reference, doubt, names, tagger.labels)


def _fit_tags(
    probs: Sequence[NDArray[np.float64]], gold: Sequence[Sequence[int]], known: Sequence[Sequence[bool]]
) -> float:
    """RETURNS (float): The temperature under which the annotated tags are the most probable."""
    rows, tags = np.concatenate(probs), np.array([tag for of_doc in gold for tag in of_doc], dtype=np.intp)
    keep = np.array([each for of_doc in known for each in of_doc], dtype=bool) & (tags != UNKNOWN)
    rows, tags = rows[keep], tags[keep]
    if not len(tags):
        return 1.0
    return fit_temperature(lambda t: -float(_at(rows, t)[np.arange(len(tags)), tags].mean()))


def _at(log_probs: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """RETURNS (ndarray): (T, K) log-probabilities at another temperature."""
    scores = log_probs / temperature
    scores = scores - scores.max(axis=1, keepdims=True)
    normalized: NDArray[np.float64] = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return normalized


# Findings


def _finding(
    component: str,
    layer: str,
    doc: Doc,
    doubt: Doubt,
    names: Dict[Tuple[int, int], str],
    labels: Sequence[str],
) -> Finding:
    """The record of a doubt.

    names (Dict[Tuple[int, int], str]): The labels of the annotated spans. labels (Sequence[str]): Those of the head.
    """
    meta, place = doc_meta(doc), doc.user_data.get(PLACE, {})
    first, last = _context(doc, doubt.start, doubt.end)
    file = place.get("file", meta.get("source"))
    source = {key: meta[key] for key in ("source", "line") if meta.get(key) not in (None, file)}
    return {
        "kind": doubt.kind,
        "suspicion": round(doubt.suspicion, 6),
        "log_odds": round(doubt.log_odds, 4),
        "weakest": _probability(doubt.weakest),
        "document": meta.get("id"),
        "file": file,
        "number": place.get("number"),
        **source,
        "component": component,
        "layer": layer,
        "text": doc[first:last].text,
        "text_start": doc[first].idx,
        **_borders(doc, doubt.start, doubt.end),
        "annotated": [_span(doc, each, names[each[0][:2]]) for each in doubt.annotated],
        "proposed": [_span(doc, each, labels[each[0][2]]) for each in doubt.proposed],
        "annotated_probability": _probability(math.exp(doubt.log_annotated)),
        "proposed_probability": _probability(math.exp(doubt.log_proposed)),
    }


def _span(doc: Doc, rated: Rated, label: str) -> Dict[str, Any]:
    (start, end, _), prob = rated
    about = {"text": doc[start:end].text, "label": label, **_borders(doc, start, end)}
    return {**about, "probability": None if prob is None else _probability(prob)}


def _borders(doc: Doc, start: int, end: int) -> Dict[str, int]:
    last = doc[end - 1]
    return {"start": start, "end": end, "start_char": doc[start].idx, "end_char": last.idx + len(last)}


def _context(doc: Doc, start: int, end: int) -> Tuple[int, int]:
    """RETURNS (Tuple[int, int]): The tokens of the sentences that some tokens lie in, or of what is around them."""
    if doc.has_annotation("SENT_START"):
        return doc[start].sent.start, doc[end - 1].sent.end
    return max(0, start - AROUND), min(len(doc), end + AROUND)


def _probability(value: float) -> float:
    return float(f"{value:.6g}")
