"""Explanations as data, text and HTML."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from spacy_ctxtag.evaluation.explanation import MOST, Explanation, to_page

VOID = {"meta", "br"}


def make(**changes: Any) -> Explanation:
    values: dict[str, Any] = {
        "component": "ctx_ner",
        "method": "integrated_gradients",
        "tokens": ("Dr.", "Anna", "Weiss", "left", "."),
        "spaces": (" ", " ", " ", "", ""),
        "start": 1,
        "end": 3,
        "label": "PERSON",
        "score": -0.1,
        "baseline": -5.1,
        "attributions": (2.0, 3.0, 1.0, -1.0, 0.001),
        "by_source": {"context": (1.5, 2.0, 1.0, -1.0, 0.0), "characters": (0.5, 1.0, 0.0, 0.0, 0.001)},
        "gap": -0.001,
        "steps": 10,
    }
    return Explanation(**{**values, **changes})


class Reader(HTMLParser):
    """Reads HTML strictly: every tag is closed in its place. What stands in the paragraph is kept."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "p" in self.open and "sub" not in self.open:
            self.text += data


def test_explanation_text_of_the_span() -> None:
    assert make().text == "Anna Weiss"
    assert make(start=3, end=5).text == "left."
    assert make().probability == pytest.approx(0.9048, abs=1e-4)


def test_explanation_is_json() -> None:
    found = json.loads(json.dumps(make().to_dict()))
    assert found["text"] == "Anna Weiss"
    assert found["attributions"] == [2.0, 3.0, 1.0, -1.0, 0.001]
    assert found["by_source"]["characters"] == [0.5, 1.0, 0.0, 0.0, 0.001]
    assert (found["label"], found["score"], found["gap"], found["steps"]) == ("PERSON", -0.1, -0.001, 10)


def test_text_has_a_line_for_each_token_with_sign_and_bar() -> None:
    lines = make().to_text().splitlines()
    assert "'Anna Weiss' as PERSON" in lines[0]
    assert "P 0.905" in lines[0]
    assert lines[2].split() == ["Dr.", "+2.00", "++++++++", "context", "+1.50", "characters", "+0.50"]
    assert lines[3].split()[:4] == [">", "Anna", "+3.00", "+" * 12]
    assert lines[5].split()[:3] == ["left", "-1.00", "----"]


def test_text_shows_the_strongest_tokens_in_their_order() -> None:
    n = MOST + 5
    many = make(
        tokens=tuple(f"w{i}" for i in range(n)),
        spaces=(" ",) * n,
        attributions=tuple(float(i) for i in range(n)),
        by_source={},
    )
    lines = many.to_text().splitlines()
    assert [line.split()[-3 if line.startswith(">") else 0] for line in lines[2:4]] == ["w5", "w6"]
    assert lines[-1].strip() == "5 others: +10.00"


def test_text_cannot_steer_the_terminal() -> None:
    evil = make(tokens=("\x1b[31m", "a\nb", "\u202eWeiss", "left", "."), label="PER\x1bSON")
    lines = evil.to_text().splitlines()
    assert all(each.isprintable() for line in lines for each in line)
    assert len(lines) == 7
    assert "\\x1b[31m" in lines[2]


def test_html_is_well_formed_and_has_the_text() -> None:
    reader = Reader(make().to_html())
    assert reader.text == "Dr. Anna Weiss left."


@pytest.mark.parametrize("evil", ['<script>alert("x")</script>', "a&b", "</p></figure>", "\"' onload=x"])
def test_html_is_escaped(evil: str) -> None:
    found = make(tokens=("Dr.", evil, "Weiss", "left", "."), label=evil, component=evil)
    html = to_page([found], evil)
    reader = Reader(html)
    assert reader.text == f"Dr. {evil} Weiss left."
    assert {tag for tag, _ in reader.seen} <= {
        *("html", "head", "meta", "title", "body", "figure", "figcaption", "p", "span", "sub", "b"),
        *("details", "summary", "div", "table", "thead", "tbody", "tr", "th", "td"),
    }
    assert not any(name.startswith("on") for _, attrs in reader.seen for name in attrs)


def test_html_asks_for_nothing_from_elsewhere() -> None:
    html = to_page([make(), make()], "Why?")
    assert not re.search(r"https?:|//|url\(|<script|<link|<img|@import", html)
    assert '<meta name="color-scheme" content="light dark">' in html


def test_html_tells_the_sign_by_colour_and_by_text() -> None:
    seen = [attrs for tag, attrs in Reader(make().to_html()).seen if tag == "span"]
    assert [attrs["title"] for attrs in seen] == ["+2.00", "+3.00", "+1.00", "−1.00", "+0.00"]
    assert ["0,114,178" in attrs["style"] for attrs in seen] == [True, True, True, False, True]
    assert "213,94,0" in seen[3]["style"]
    subs = re.findall(r"<sub[^>]*>([^<]*)</sub>", make().to_html())
    assert subs == ["+2.00", "+3.00", "+1.00", "−1.00"]


def test_html_sets_no_colour_of_text_or_page() -> None:
    assert not re.search(r"[;\"]\s*color\s*:|background\s*:\s*(#|white|black)", to_page([make()], "Why?"))


def test_html_of_nothing_that_matters() -> None:
    flat = make(attributions=(0.0,) * 5, by_source={})
    assert Reader(flat.to_html()).text == "Dr. Anna Weiss left."
    assert "details" not in flat.to_html()
