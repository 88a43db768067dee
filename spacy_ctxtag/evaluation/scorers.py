"""The scorers of the components, on top of spaCy's own `Scorer`.

A sequence is a sentence where the reference has sentences, else a Doc.
"""

from typing import Any, Callable, Collection, Dict, Iterable, Iterator, Optional, Sequence, Tuple

from spacy.scorer import Scorer, get_ner_prf
from spacy.tokens import Token
from spacy.training import Example
from spacy.util import registry

from .mentions import score_mentions

Scores = Dict[str, Any]


def make_ner_scorer_v1() -> Callable[..., Scores]:
    """Registered as spacy-ctxtag.ner_scorer.v1."""
    return score_ner


def make_tagger_scorer_v1() -> Callable[..., Scores]:
    """Registered as spacy-ctxtag.tagger_scorer.v1."""
    return score_tagger


def make_chunker_scorer_v1() -> Callable[..., Scores]:
    """Registered as spacy-ctxtag.chunker_scorer.v1."""
    return score_chunker


def make_parser_scorer_v1() -> Callable[..., Scores]:
    """Registered as spacy-ctxtag.parser_scorer.v1."""
    return score_parser


def score_ner(
    examples: Iterable[Example], *, train_mentions: Optional[Collection[str]] = None, **kwargs: Any
) -> Scores:
    """Score entities: exact boundaries and label.

    train_mentions (Optional[Collection[str]]): Hashes of the mentions of the training data, as `ctx_ner` keeps them.
    RETURNS (Scores): As spaCy: ents_p, ents_r, ents_f (micro) and ents_per_type. Besides: ents_macro_p, ents_macro_r,
        ents_macro_f, the mean over labels that occur in the reference, and ents_seq_acc, the share of sequences without
        a mistake; ents_collapsed, 1 where there are entities and none is found, else 0; and the scores of
        `score_mentions`. None where nothing is annotated.
    """
    examples = list(examples)
    scores: Scores = get_ner_prf(examples)
    per_type = scores["ents_per_type"]
    labels = {ent.label_ for eg in examples for ent in eg.reference.ents}
    for key in "prf":
        values = [per_type[label][key] for label in sorted(labels)]
        scores[f"ents_macro_{key}"] = _mean(values)
    scores["ents_seq_acc"] = _mean([exact for eg in examples for exact in _exact_sequences(eg)])
    n_found = sum(len(eg.predicted.ents) for eg in examples)
    scores["ents_collapsed"] = float(n_found == 0) if labels else None
    scores.update(score_mentions(examples, train_mentions))
    return scores


def _exact_sequences(example: Example) -> Iterator[bool]:
    """YIELDS (bool): For each sequence in which entities are annotated, whether they are all found and no others.
    Like spaCy, it ignores predicted entities where the annotation is not known."""
    gold, guess = example.reference, example.predicted
    if not gold.has_annotation("ENT_IOB"):
        return
    known = [token.ent_iob != 0 for token in gold]
    wanted = {(ent.start_char, ent.end_char, ent.label) for ent in gold.ents}
    found = {
        (ent.start_char, ent.end_char, ent.label)
        for ent in guess.ents
        if all(known[i] for i in example.alignment.x2y[ent.start : ent.end])
    }
    annotated = [token.idx for token in gold if known[token.i]]
    for start, end in _sequences(example):
        if any(start <= at < end for at in annotated):
            yield {ent for ent in wanted if start <= ent[0] < end} == {ent for ent in found if start <= ent[0] < end}


def score_tagger(examples: Iterable[Example], *, attrs: Sequence[str] = ("tag", "pos"), **kwargs: Any) -> Scores:
    """Score token.tag_ and token.pos_, or one of them.

    RETURNS (Scores): tag_acc and pos_acc as in spaCy, and tag_seq_acc and pos_seq_acc, the share of sequences whose
        annotated tokens are all right; tag_collapsed and pos_collapsed, 1 where there are several gold values and all
        tokens get the same, else 0. None where nothing is annotated.
    """
    examples = list(examples)
    scores: Scores = {}
    for attr in attrs:
        annotated = [eg for eg in examples if eg.reference.has_annotation(attr.upper())]
        accuracy = Scorer.score_token_attr(examples, attr) if annotated else {f"{attr}_acc": None}
        scores.update(accuracy)
        scores[f"{attr}_seq_acc"] = _mean([exact for eg in annotated for exact in _exact_tags(eg, attr)])
        scores[f"{attr}_collapsed"] = _is_collapsed(annotated, attr)
    return scores


def score_chunker(examples: Iterable[Example], *, spans_key: str, **kwargs: Any) -> Scores:
    """Score the spans of one layer as spaCy's spancat does: exact boundaries and label.

    spans_key (str): `doc.spans[spans_key]` is scored.
    RETURNS (Scores): As spaCy, each name with the key in it: spans_KEY_p, spans_KEY_r, spans_KEY_f (micro) and
        spans_KEY_per_type, without these where no document has the layer; and spans_KEY_collapsed, 1 where there are
        spans and none is found, else 0, None where there are none.
    """
    examples = list(examples)
    spancat = registry.get("scorers", "spacy.spancat_scorer.v1")()
    scores: Scores = spancat(examples, spans_key=spans_key, **kwargs)
    gold, found = (
        any(doc.spans[spans_key] for doc in docs if spans_key in doc.spans)
        for docs in ((eg.reference for eg in examples), (eg.predicted for eg in examples))
    )
    scores[f"spans_{spans_key}_collapsed"] = float(not found) if gold else None
    return scores


def score_parser(examples: Iterable[Example], **kwargs: Any) -> Scores:
    """Score trees and sentences as spaCy's `parser` does, trees on the documents that have them.

    spaCy's own scorer takes the i-th token of all further documents for missing once that of one document was. So here
    no token is missing: those without a gold dependency have the label None, on both sides, which is ignored.

    RETURNS (Scores): dep_uas, dep_las, dep_las_per_type, sents_p, sents_r, sents_f. None where nothing is annotated.
    """
    examples = list(examples)
    trees = [eg for eg in examples if eg.reference.has_annotation("DEP")]
    missing = {token for eg in trees for token in _without_head(eg)}

    def read(token: Token, attr: str) -> Optional[str]:
        return None if token in missing else token.dep_.lower()

    settings: Any = {"getter": read, "ignore_labels": ("p", "punct", None), "missing_values": frozenset()}
    scores: Scores = registry.get("scorers", "spacy.parser_scorer.v1")()(examples, **kwargs)
    return {**scores, **Scorer.score_deps(trees, "dep", **{**kwargs, **settings})}


def _without_head(example: Example) -> Iterator[Token]:
    """YIELDS (Token): Tokens of the reference without a dependency, and the predicted ones that are part of these."""
    gold, aligned = example.reference, example.alignment.x2y
    yield from (token for token in gold if not token.dep)
    single = (token for token in example.predicted if aligned.lengths[token.i] == 1)
    yield from (token for token in single if not gold[int(aligned[token.i][0])].dep)


def _exact_tags(example: Example, attr: str) -> Iterator[bool]:
    """YIELDS (bool): For each sequence with annotated tokens, whether these are all right."""
    gold, guess = (_values(doc, attr) for doc in (example.reference, example.predicted))
    for start, end in _sequences(example):
        wanted = {at: value for at, value in gold.items() if start <= at[0] < end}
        if wanted:
            yield all(guess.get(at) == value for at, value in wanted.items())


def _is_collapsed(examples: Sequence[Example], attr: str) -> Optional[float]:
    """RETURNS (Optional[float]): 1 where all tokens get one value, or none, but there are several, else 0."""
    gold = {value for eg in examples for value in _values(eg.reference, attr).values()}
    if not gold:
        return None
    found = {value for eg in examples for value in _values(eg.predicted, attr).values()}
    return float(len(found) < 2 <= len(gold))


def _mean(values: Sequence[float]) -> Optional[float]:
    return sum(values) / len(values) if values else None


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
