"""The scorers of the components, on top of spaCy's own `Scorer`.

A sequence is a sentence where the reference has sentences, else a Doc.
"""

from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple

from spacy.scorer import Scorer, get_ner_prf
from spacy.tokens import Token
from spacy.training import Example

Scores = Dict[str, Any]


def make_ner_scorer_v1() -> Callable[..., Scores]:
    """Registered as spacy-ctxtag.ner_scorer.v1."""
    return score_ner


def make_tagger_scorer_v1() -> Callable[..., Scores]:
    """Registered as spacy-ctxtag.tagger_scorer.v1."""
    return score_tagger


def score_ner(examples: Iterable[Example], **kwargs: Any) -> Scores:
    """Score entities: exact boundaries and label.

    RETURNS (Scores): As spaCy: ents_p, ents_r, ents_f (micro) and ents_per_type. Besides: ents_macro_p, ents_macro_r,
        ents_macro_f, the mean over labels that occur in the reference, and ents_seq_acc, the share of sequences without
        a mistake. None where nothing is annotated.
    """
    examples = list(examples)
    scores: Scores = get_ner_prf(examples)
    per_type = scores["ents_per_type"]
    labels = {ent.label_ for eg in examples for ent in eg.reference.ents}
    for key in "prf":
        values = [per_type[label][key] for label in sorted(labels)]
        scores[f"ents_macro_{key}"] = sum(values) / len(values) if values else None
    exact = [
        {(e.start_char, e.end_char, e.label) for e in eg.reference.ents if start <= e.start_char < end}
        == {(e.start_char, e.end_char, e.label) for e in eg.predicted.ents if start <= e.start_char < end}
        for eg in examples
        if eg.reference.has_annotation("ENT_IOB")
        for start, end in _sequences(eg)
    ]
    scores["ents_seq_acc"] = sum(exact) / len(exact) if exact else None
    return scores


def score_tagger(examples: Iterable[Example], **kwargs: Any) -> Scores:
    """Score token.tag_ and token.pos_, whichever the reference has.

    RETURNS (Scores): tag_acc and pos_acc as in spaCy, and tag_seq_acc and pos_seq_acc, the share of sequences whose
        annotated tokens are all right. None where nothing is annotated.
    """
    examples = list(examples)
    scores: Scores = {}
    for attr in ("tag", "pos"):
        if any(eg.reference.has_annotation(attr.upper()) for eg in examples):
            scores.update(Scorer.score_token_attr(examples, attr))
            scores[f"{attr}_seq_acc"] = _sequence_accuracy(examples, attr)
    return scores


def _sequence_accuracy(examples: List[Example], attr: str) -> Any:
    exact = []
    for eg in examples:
        gold, guess = (_values(doc, attr) for doc in (eg.reference, eg.predicted))
        for start, end in _sequences(eg):
            wanted = {at: value for at, value in gold.items() if start <= at[0] < end}
            if wanted:
                exact.append(all(guess.get(at) == value for at, value in wanted.items()))
    return sum(exact) / len(exact) if exact else None


def _values(doc: Iterable[Token], attr: str) -> Dict[Tuple[int, int], str]:
    """RETURNS (Dict): From the character offsets of tokens, white space aside, to their values."""
    return {
        (token.idx, token.idx + len(token)): getattr(token, f"{attr}_")
        for token in doc
        if getattr(token, attr) and not token.is_space
    }


def _sequences(example: Example) -> Iterator[Tuple[int, int]]:
    """YIELDS (Tuple): Character offsets of the sequences of a reference."""
    doc = example.reference
    if len(doc) == 0:
        return
    if doc.has_annotation("SENT_START"):
        yield from ((sent.start_char, sent.end_char) for sent in doc.sents)
    else:
        yield 0, len(doc.text)
