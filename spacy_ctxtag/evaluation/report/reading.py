"""From Docs to records. Predictions are brought to the tokens of the annotation as spaCy's `Scorer` does it."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from spacy.attrs import ENT_IOB, IDX, IS_SPACE, LENGTH
from spacy.tokens import Doc, Span, Token
from spacy.training import Example

from ...data.records import doc_meta
from .records import NO_TAG, Frame, Guess, Mention, SpanRecord, TagRecord

SCORES = "scores"  # the attribute of a span group with one probability for each of its spans


def read_frame(doc: Doc, number: int) -> Frame:
    """RETURNS (Frame): What the layers of an annotated document share."""
    meta = doc_meta(doc)
    source, line = meta.get("source"), meta.get("line")
    domain = meta.get("domain") or doc.user_data.get("domain") or (Path(source).stem if source else None)
    start, length, space = doc.to_array([IDX, LENGTH, IS_SPACE]).reshape(-1, 3).T.astype("int64")
    has_sentences = len(doc) > 1 and doc.has_annotation("SENT_START")  # which every Doc with one token has
    return Frame(
        number,
        str(meta.get("id") or number),
        None if source is None else str(source),
        line if isinstance(line, int) and line > 0 else None,
        None if domain is None else str(domain),
        doc.text,
        start.tolist(),
        (start + length).tolist(),
        (space == 1).tolist(),
        [(sent.start, sent.end) for sent in doc.sents] if has_sentences else [(0, len(doc))],
        has_sentences,
    )


def read_ents(eg: Example, frame: Frame) -> Optional[SpanRecord]:
    """RETURNS (Optional[SpanRecord]): doc.ents; None where they are not annotated. A predicted entity over a token
    whose annotation is unknown is neither right nor wrong, and left out."""
    gold = eg.reference
    if not gold.has_annotation("ENT_IOB"):
        return None
    known = [iob != 0 for iob in gold.to_array([ENT_IOB]).reshape(-1).tolist()]
    aligned, found = eg.alignment.x2y, []
    judged = list(known)
    for ent in eg.predicted.ents:
        at = aligned[ent.start : ent.end]
        if not len(at):
            continue
        start, end = int(at[0]), int(at[-1]) + 1
        if all(known[start:end]):
            found.append(Mention(start, end, ent.label_, _score(ent)))
        else:
            judged[start:end] = [False] * (end - start)
    wanted = [Mention(ent.start, ent.end, ent.label_) for ent in gold.ents]
    return SpanRecord(frame, wanted, sorted(found, key=_place), known, judged)


def read_group(eg: Example, frame: Frame, key: str) -> Optional[SpanRecord]:
    """RETURNS (Optional[SpanRecord]): doc.spans[key], each span and label once; None where the reference has no such
    group. A predicted span that is not made of tokens of the reference is left out, as spaCy does it."""
    gold = eg.reference
    if key not in gold.spans:
        return None
    group: Any = eg.predicted.spans.get(key, ())
    scores: Any = getattr(group, "attrs", {}).get(SCORES)
    has_scores = scores is not None and len(scores) == len(group)
    aligned = eg.alignment.x2y
    found: Dict[Tuple[int, int, str], Mention] = {}
    for i, span in enumerate(group):
        at = aligned[span.start : span.end]
        if not len(at) or _squeeze(gold[int(at[0]) : int(at[-1]) + 1].text) != _squeeze(span.text):
            continue
        probability = _clip(scores[i]) if has_scores else _score(span)
        mention = Mention(int(at[0]), int(at[-1]) + 1, span.label_, probability)
        found.setdefault(_place(mention), mention)
    wanted = sorted({(span.start, span.end, span.label_) for span in gold.spans[key]})
    every = [True] * len(gold)
    return SpanRecord(frame, [Mention(*each) for each in wanted], [found[at] for at in sorted(found)], every, every)


def read_tags(eg: Example, frame: Frame, attr: str) -> Optional[TagRecord]:
    """RETURNS (Optional[TagRecord]): token.tag_ or token.pos_; None where they are not annotated. A predicted token
    counts where it lies in one token of the reference whose tag is known."""
    if not eg.reference.has_annotation(attr.upper()):
        return None
    name, score = f"{attr}_", f"ctx_{attr}_score"
    gold = [getattr(token, name) for token in eg.reference]
    has_scores = Token.has_extension(score)
    aligned = eg.alignment.x2y
    single, first, data = (aligned.lengths == 1).tolist(), aligned.starts.tolist(), aligned.data.tolist()
    found: Dict[Tuple[int, str], Guess] = {}
    for i, token in enumerate(eg.predicted):
        if not single[i] or token.is_space or not gold[data[first[i]]]:
            continue
        tag, at = getattr(token, name), data[first[i]]
        probability = _clip(token._.get(score)) if has_scores and tag else None
        found.setdefault((at, tag or NO_TAG), Guess(at, tag or NO_TAG, probability))
    return TagRecord(frame, gold, sorted(found.values(), key=lambda guess: guess.token))


def annotated_keys(doc: Doc) -> List[str]:
    """RETURNS (List[str]): The keys of the span groups of a reference."""
    return sorted(doc.spans)


def is_ours(group: Any) -> bool:
    """RETURNS (bool): Whether a component of this package made a span group."""
    return bool(group.attrs.get("source") == "spacy-ctxtag")


def _score(span: Span) -> Optional[float]:
    return _clip(span._.ctx_score) if Span.has_extension("ctx_score") else None


def _clip(probability: Any) -> Optional[float]:
    """A probability that rounding has not put outside [0, 1]."""
    return None if probability is None else min(max(float(probability), 0.0), 1.0)


def _place(mention: Mention) -> Tuple[int, int, str]:
    return mention[:3]


def _squeeze(text: str) -> str:
    return text.lower().strip().replace(" ", "")
