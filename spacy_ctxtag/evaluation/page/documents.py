"""Excerpts with their spans or tags, rendered by displaCy: gold on one side, predicted on the other.

displaCy escapes texts, but not labels, and its colours are made for white paper. So labels are escaped here, and its
template is replaced by one with classes, which the page's style sheet colours, light or dark.
"""

import unicodedata
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from markupsafe import Markup, escape

from .words import ERRORS, MOST, short

TEMPLATE = '<mark class="ent{kind}">{text}<span class="ent-label{size}">{label}{more}</span></mark>'
LONG = 24  # characters of a label, and what is said beside it, that may be broken into lines
Span = Mapping[str, Any]


class Side(NamedTuple):
    """A text with its spans as HTML, and those that cannot be shown in it, since they lie in others or cross them."""

    html: Markup
    others: List[str]


class Pair(NamedTuple):
    """Both sides of an excerpt."""

    gold: Side
    predicted: Side


def render_spans(excerpt: Mapping[str, Any], focus: Optional[int] = None) -> Pair:
    """Render an excerpt with spans.

    excerpt (Mapping): text, and gold and predicted spans, as in the report.
    focus (Optional[int]): Which of the predicted spans it is about.
    RETURNS (Pair): HTML.
    """
    sides = []
    for name in ("gold", "predicted"):
        spans = [
            {
                "start": span["start"],
                "end": span["end"],
                "params": _params(
                    span["label"],
                    span["probability"],
                    "" if span["class"] == "correct" else ERRORS[span["class"]].title,
                    is_said=name == "predicted" or span["class"] == "missed",
                    is_focus=name == "predicted" and i == focus,
                ),
            }
            for i, span in enumerate(excerpt[name])
        ]
        sides.append(_render(excerpt["text"], spans))
    return Pair(*sides)


def render_tags(excerpt: Mapping[str, Any], focus: Optional[int] = None) -> Pair:
    """Render an excerpt with wrong tags.

    excerpt (Mapping): text, and wrong tokens, as in the report.
    focus (Optional[int]): Which of these it is about.
    RETURNS (Pair): HTML.
    """
    sides = []
    for name in ("gold", "predicted"):
        spans = [
            {
                "start": token["start"],
                "end": token["end"],
                "params": _params(
                    token[name] or "no tag",
                    token["probability"] if name == "predicted" else None,
                    "wrong",
                    is_said=False,
                    is_focus=name == "predicted" and i == focus,
                ),
            }
            for i, token in enumerate(excerpt["wrong"])
        ]
        sides.append(_render(excerpt["text"], spans))
    return Pair(*sides)


def _render(text: str, spans: Sequence[Span]) -> Side:
    from spacy import displacy

    shown, hidden = _beside_each_other(spans)
    manual = {
        "text": text.replace("\r\n", " \n").replace("\r", "\n"),  # of the same length; HTML has no other line breaks
        "ents": [{**span, "label": ""} for span in shown],
        "settings": {"direction": _direction(text)},
    }
    html = displacy.render(manual, style="ent", manual=True, jupyter=False, options={"template": TEMPLATE})
    return Side(Markup(html), [_said_of(text, span) for span in hidden])


def _said_of(text: str, span: Span) -> str:
    """RETURNS (str): A span that cannot be shown, in words."""
    mark = "✗ " if "wrong" in span["params"]["kind"] else ""
    return f"{mark}{short(text[span['start'] : span['end']], MOST)} ({span['params']['label'].unescape()})"


def _params(label: str, probability: Optional[float], error: str, *, is_said: bool, is_focus: bool) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): What the template is filled with, besides the text; escaped."""
    more = "" if probability is None else f" {probability:.2f}"
    more += f" {error}" if error and is_said else ""
    heard = Markup('<span class="sr"> ({})</span>').format(error) if error and not is_said else ""
    kind = (" wrong" if error else "") + (" focus" if is_focus else "")
    size = " long" if len(label) + len(more) > LONG else ""
    return {"label": escape(label), "more": escape(more) + heard, "kind": kind, "size": size}


def _beside_each_other(spans: Sequence[Span]) -> Tuple[List[Span], List[Span]]:
    """RETURNS (Tuple[List, List]): Those that displaCy can show in one line, and the others. Of several, the one that
    the excerpt is about is shown, else the longest."""

    def rank(span: Span) -> Tuple[bool, int, int]:
        return "focus" not in span["params"]["kind"], span["start"] - span["end"], span["start"]

    shown: List[Span] = []
    hidden: List[Span] = []
    for span in sorted(spans, key=rank):
        crosses = any(span["start"] < each["end"] and each["start"] < span["end"] for each in shown)
        (hidden if crosses else shown).append(span)
    return sorted(shown, key=lambda each: each["start"]), sorted(hidden, key=lambda each: each["start"])


def _direction(text: str) -> str:
    """RETURNS (str): "rtl" if the first letter that has a direction runs from right to left, else "ltr"."""
    strong = (kind for kind in map(unicodedata.bidirectional, text) if kind in ("L", "R", "AL"))
    return "ltr" if next(strong, "L") == "L" else "rtl"
