"""Which words moved the log-probability of a span: what `explain` of a component gives, as data, text and HTML."""

import math
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Dict, List, Sequence, Tuple

MOST = 20  # tokens that the text shows
SHOWN = 0.05  # of the largest attribution: from there on the HTML writes the number below the token
BAR = 12  # characters
RAISES, LOWERS = "0,114,178", "213,94,0"  # blue and orange that can be told apart by almost everybody
DEEPEST = 0.55  # how opaque the colour of the largest attribution is; the text's own colour stays readable on it

STYLE = "margin:1em 0;font-family:system-ui,sans-serif"
SMALL = "font-size:0.85em"
CELL = "padding:0 0.8em;text-align:right"


@dataclass(frozen=True)
class Explanation:
    """What each token of a Doc did to log P of one span with one label, in nats.

    component (str): Which component was asked. method (str): "integrated_gradients" or "occlusion".
    tokens (Tuple[str, ...]): Of the Doc. spaces (Tuple[str, ...]): What stands behind each, "" or " ".
    start, end (int), label (str): The span, in tokens, end exclusive.
    score (float): log P of the span. baseline (float): What it would be if no word could be seen.
    attributions (Tuple[float, ...]): Of each token. By integrated gradients they add up to score - baseline, but for
        the gap; by occlusion, each is how much log P falls without the token.
    by_source (Dict[str, Tuple[float, ...]]): What of them came by the encoder ("context"), by "characters", by
        "orthography", or by an "extra" layer. Nothing for occlusion.
    gap (float): score - baseline - the sum of all attributions.
    steps (int): How often the model was run.
    """

    component: str
    method: str
    tokens: Tuple[str, ...]
    spaces: Tuple[str, ...]
    start: int
    end: int
    label: str
    score: float
    baseline: float
    attributions: Tuple[float, ...]
    by_source: Dict[str, Tuple[float, ...]]
    gap: float
    steps: int

    @property
    def text(self) -> str:
        """RETURNS (str): The text of the span."""
        pairs = list(zip(self.tokens, self.spaces, strict=True))[self.start : self.end]
        return "".join(token + space for token, space in pairs[:-1]) + pairs[-1][0]

    @property
    def probability(self) -> float:
        """RETURNS (float): P of the span."""
        return math.exp(self.score)

    def to_dict(self) -> Dict[str, Any]:
        """RETURNS (Dict): All of it, as JSON takes it, with the text of the span."""
        return {"text": self.text, **asdict(self)}

    def to_text(self) -> str:
        """RETURNS (str): For a terminal: a line for each token, at most 20 of them, the strongest. What could steer the
        terminal is written out."""
        strongest = sorted(range(len(self.tokens)), key=lambda i: -abs(self.attributions[i]))[:MOST]
        shown = sorted(strongest)
        words = {i: _printable(self.tokens[i]) for i in shown}
        width = max([len(word) for word in words.values()] + [5])
        largest = self._largest()
        lines = [_printable(self._about()), ""]
        for i in shown:
            value = self.attributions[i]
            bar = ("+" if value > 0 else "-") * round(BAR * abs(value) / largest)
            mark = ">" if self.start <= i < self.end else " "
            parts = "  ".join(f"{name} {each[i]:+.2f}" for name, each in self.by_source.items())
            lines.append(f"{mark} {words[i]:<{width}} {value:+8.2f}  {bar:<{BAR}}  {parts}".rstrip())
        rest = [value for i, value in enumerate(self.attributions) if i not in words]
        if rest:
            lines.append(f"  {len(rest)} others: {sum(rest):+.2f}")
        return "\n".join(lines)

    def to_html(self) -> str:
        """RETURNS (str): A piece of HTML that needs nothing else: tokens on a blue ground raise log P, those on orange
        lower it, and the number says so, too. Colours of text and page are those around it, dark or light."""
        tokens = [self._token(i) for i in range(len(self.tokens))]
        tokens[self.start] = '<b style="border-bottom:2px solid">' + tokens[self.start]
        tokens[self.end - 1] += "</b>"
        joined = "".join(token + escape(space) for token, space in zip(tokens, self.spaces, strict=True))
        return (
            f'<figure class="ctx-explanation" style="{STYLE}">\n'
            f"<figcaption>{escape(self._about())}</figcaption>\n"
            f'<p dir="auto" style="white-space:pre-wrap;line-height:2.6">{joined}</p>\n'
            f"{self._table()}</figure>\n"
        )

    def _about(self) -> str:
        done = {"integrated_gradients": "integrated gradients", "occlusion": "occlusion"}.get(self.method, self.method)
        return (
            f"{self.text!r} as {self.label}: log P {self.score:.2f} (P {self.probability:.3f}), with no word to see "
            f"{self.baseline:.2f}. In nats, by {done}, {self.steps} steps, gap {self.gap:+.3f}."
        )

    def _largest(self) -> float:
        return max((abs(value) for value in self.attributions), default=0.0) or 1.0

    def _token(self, i: int) -> str:
        value, share = self.attributions[i], abs(self.attributions[i]) / self._largest()
        colour = RAISES if value > 0 else LOWERS
        style = f"background:rgba({colour},{DEEPEST * share:.2f});border-radius:3px;padding:0.2em 0.1em"
        number = f'<sub style="{SMALL}">{_signed(value)}</sub>' if share >= SHOWN else ""
        return f'<span style="{style}" title="{_signed(value)}">{escape(self.tokens[i])}{number}</span>'

    def _table(self) -> str:
        if not self.by_source:
            return ""
        names = list(self.by_source)
        rows: List[str] = []
        for i, token in enumerate(self.tokens):
            cells = [self.attributions[i], *(self.by_source[name][i] for name in names)]
            values = "".join(f'<td style="{CELL}">{_signed(value)}</td>' for value in cells)
            rows.append(f'<tr><th scope="row" style="text-align:left">{escape(token)}</th>{values}</tr>')
        header = "".join(f'<th scope="col" style="{CELL}">{escape(name)}</th>' for name in ["nats", *names])
        body = "\n".join(rows)
        return (
            f'<details style="{SMALL}"><summary>By source</summary>\n<div style="overflow-x:auto"><table>\n'
            f'<thead><tr><th scope="col" style="text-align:left">token</th>{header}</tr></thead>\n'
            f"<tbody>\n{body}\n</tbody></table></div></details>\n"
        )


def to_page(explanations: Sequence[Explanation], title: str) -> str:
    """RETURNS (str): A page of HTML that needs nothing else, dark where the reader's others are."""
    body = "\n".join(each.to_html() for each in explanations)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n</head>\n"
        '<body style="max-width:60em;margin:2em auto;padding:0 1em">\n'
        f"{body}</body>\n</html>\n"
    )


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _printable(text: str) -> str:
    """RETURNS (str): The same, with what is not printed (line breaks, colours, changes of direction) written out."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)
