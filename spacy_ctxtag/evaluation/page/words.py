"""What the page calls the parts of a report, and how it writes numbers. The keys are those of `report.schema.json`."""

from typing import Any, Dict, Mapping, NamedTuple, Optional

EN_DASH = "–"
MOST = 120  # characters of a span in a heading or in a line


class Words(NamedTuple):
    """A title, and a sentence on what it means."""

    title: str
    meaning: str


ERRORS: Dict[str, Words] = {
    "missed": Words("missed", "Annotated, and no predicted span stands for it."),
    "spurious": Words("spurious", "Predicted, and no annotated span stands for it."),
    "type": Words("wrong label", "The borders are right, the label is not."),
    "too_short": Words("too short", "The right label, on a part of the annotated span."),
    "too_long": Words("too long", "The right label, on more than the annotated span."),
    "shifted": Words("shifted", "The right label, on a span that crosses the annotated one."),
    "boundary_type": Words(
        "borders and label", "It overlaps an annotated span, but neither borders nor label are right."
    ),
    "split": Words("split", "One annotated span was found in several pieces."),
    "merged": Words("merged", "Several annotated spans were found as one."),
    "correct": Words("right", "Borders and label are right."),
}
BREAKDOWNS: Dict[str, Words] = {
    "domain": Words("By domain", "Where the documents come from."),
    "seen": Words("Seen in training or not", "Whether the training data has the same text with the same label."),
    "train_frequency": Words("By frequency in training", "How often the training data has the same text and label."),
    "mention_length": Words("By length of the span", "In tokens."),
    "multiword": Words("One token or several", "A span of several tokens has more borders to get wrong."),
    "nesting": Words("Nested spans", "Annotated spans that overlap another; only recall can be told apart."),
    "sentence_length": Words("By length of the sentence", "In tokens."),
    "known_word": Words("Known and unknown words", "Whether the training data has the word."),
    "word_frequency": Words("By frequency of the word", "How often the training data has the word."),
}
IN_ORDER = ("mention_length", "sentence_length", "train_frequency", "word_frequency")  # their parts follow each other
SCHEMES: Dict[str, str] = {
    "strict": "strict: borders and label",
    "exact": "exact: borders",
    "partial": "partial: overlap counts half",
    "type": "type: overlap and label",
}
AVERAGES: Dict[str, str] = {
    "micro": "micro: all alike",
    "macro": "macro: mean over labels",
    "macro_gold": "macro: mean over annotated labels",
    "weighted": "weighted by support",
}


def title_of(component: Mapping[str, Any]) -> str:
    """RETURNS (str): What a component of the report is called in a heading."""
    titles = {"ents": "Entities", "tag": "Tags", "pos": "Parts of speech"}
    return titles.get(component["id"], f"Spans: {component['id'].removeprefix('spans:')}")


def things_of(component: Mapping[str, Any]) -> str:
    """RETURNS (str): What it consists of, in the plural."""
    return {"ents": "entities", "tag": "tags", "pos": "tags"}.get(component["id"], "spans")


def sequences_of(component: Mapping[str, Any]) -> str:
    """RETURNS (str): What its sequences are: sentences, or documents where none are annotated."""
    missing = {each["analysis"] for each in component["unavailable"]}
    return "documents" if "sentence_length" in missing else "sentences"


def reason_for(component: Mapping[str, Any], analysis: str, otherwise: str) -> str:
    """RETURNS (str): Why an analysis is missing, as the report says, or `otherwise`; a sentence."""
    reasons = [each["reason"] for each in component["unavailable"] if each["analysis"] == analysis]
    text = ("; ".join(reasons) or otherwise).rstrip(".") + "."
    return text[:1].upper() + text[1:] if text.split()[0].isalpha() else text  # not that of `doc.ents`


def percent(share: Optional[float]) -> str:
    """RETURNS (str): A share in percent, without the sign; a dash for None."""
    return EN_DASH if share is None else f"{100 * share:.1f}"


def interval(bounds: Optional[Mapping[str, float]]) -> str:
    """RETURNS (str): An interval in percent; a dash for None."""
    return EN_DASH if bounds is None else f"{percent(bounds['low'])}{EN_DASH}{percent(bounds['high'])}"


def count(n: int, noun: str, nouns: str = "") -> str:
    """RETURNS (str): "1 document", "1,200 documents"."""
    return f"{n:,} {noun if n == 1 else nouns or noun + 's'}"


def short(text: str, length: int = 22) -> str:
    """RETURNS (str): A text on one line that is not longer than this."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"
