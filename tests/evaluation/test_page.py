"""The page of a report, without a browser: well-formed, complete, escaped, and it refers to nothing elsewhere."""

import base64
import hashlib
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from reports import empty, renamed, sample, without_parts

from spacy_ctxtag.evaluation.page import render_page, write_page
from spacy_ctxtag.evaluation.page.documents import render_spans, render_tags
from spacy_ctxtag.evaluation.page.plots import MOST_ROWS, draw_errors, draw_reliability, draw_rows, draw_steps
from spacy_ctxtag.evaluation.page.svg import Ink, inline_svg
from spacy_ctxtag.evaluation.page.words import BREAKDOWNS, ERRORS

VOID = {"meta", "link", "br", "img", "input", "hr"}
HOSTILE = (
    '</td></script></style><script>alert(1)</script><img src="http://x.example/1.png">\'"&lt; $x_1$ {{ 7*7 }} שלום 😀'
)
ODD = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)


class Page(HTMLParser):
    """What an HTML page consists of; an element that is not closed where it was opened is an error.

    text (str): A page.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), attrs
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.open, tag
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    def attributes(self, name: str) -> list[str]:
        return [str(attrs[name]) for _, attrs in self.elements if name in attrs]

    def tags(self, *names: str) -> list[str]:
        return [tag for tag, _ in self.elements if not names or tag in names]

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


@pytest.fixture(scope="module")
def html() -> str:
    return render_page(sample())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_page_is_the_same_each_time(html: str, tmp_path: Path) -> None:
    write_page(sample(), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf8") == html


def test_page_says_its_language_and_what_it_is(html: str, page: Page) -> None:
    assert html.startswith("<!DOCTYPE html>\n")
    assert page.elements[0] == ("html", {"lang": "en"})
    assert "Evaluation of en_ctx_demo 0.1.0 on corpus/test.spacy" in html


def test_page_ids_are_unique_and_its_links_lead_somewhere(page: Page) -> None:
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    links = [link for link in page.attributes("href") if link != "data:,"]
    assert len(links) > 30
    assert {link for link in links if link[0] != "#" or link[1:] not in ids} == set()
    assert set(page.attributes("aria-labelledby")) <= set(ids)


def test_page_refers_to_nothing_elsewhere(html: str, page: Page) -> None:
    assert {*page.tags()} & {"img", "iframe", "object", "embed", "audio", "video", "base", "form"} == set()
    assert page.attributes("src") == page.attributes("srcset") == []
    assert re.findall(r"url\((?!#)|@import|https?://", html) == []
    assert [attrs["href"] for tag, attrs in page.elements if tag == "link"] == ["data:,"]


def test_page_allows_its_own_script_only(html: str, page: Page) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode("utf8")).digest()).decode("ascii")
    (policy,) = [attrs["content"] for _, attrs in page.elements if "http-equiv" in attrs]
    assert f"script-src 'sha256-{digest}';" in str(policy)
    assert str(policy).startswith("default-src 'none';")
    assert [name for _, attrs in page.elements for name in attrs if name.startswith("on")] == []


def test_page_headings_are_in_order(page: Page) -> None:
    levels = [int(tag[1]) for tag in page.tags("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels.count(1) == 1
    assert [(a, b) for a, b in zip([0, *levels], levels, strict=False) if b > a + 1] == []


def test_page_tables_have_captions_and_headings(page: Page) -> None:
    assert len(page.tags("table")) == len(page.tags("caption")) > 15
    assert {attrs.get("scope") for tag, attrs in page.elements if tag == "th"} == {"col", "row"}


def test_page_figures_have_words(page: Page) -> None:
    plots = [attrs for tag, attrs in page.elements if tag == "svg"]
    assert len(plots) == len(page.tags("figure")) == len(page.tags("figcaption")) >= 15
    assert [attrs for attrs in plots if attrs["role"] != "img" or len(str(attrs["aria-label"])) < 20] == []


SECTIONS = ["labels", "slices", "confusion", "calibration", "confident", "costly"]


EXPECTED = {f"{part}-{name}" for part in ("ents", "spans-chunks", "pos") for name in SECTIONS}
EXPECTED |= {"ents-errors", "spans-chunks-errors", "summary", "run"}


def test_page_has_every_section(page: Page) -> None:
    assert set(page.attributes("id")) >= EXPECTED


@pytest.mark.parametrize("make", [without_parts, empty])
def test_page_has_every_section_where_parts_are_missing(make: Callable[[], dict[str, Any]]) -> None:
    assert set(Page(render_page(make())).attributes("id")) >= EXPECTED


def test_page_summary_says_what_is_good_and_what_is_worst(page: Page) -> None:
    summary = page.text[page.text.index("Summary Entities F") :][:1200]
    for said in (
        "F82.8 79.7–85.2",
        "Weakest labels: PRODUCT F",
        "Largest class of errors: missed 15 of",
        "unseen F 76.9",
    ):
        assert said in summary


def test_page_has_every_number_of_the_labels(page: Page) -> None:
    for component in sample()["components"]:
        for row in component["labels"]:
            bounds = row["intervals"]["f1"]
            scores = " ".join(f"{100 * row[key]:.1f}" for key in ("precision", "recall", "f1"))
            counts = " ".join(f"{row[key]:,}" for key in ("gold", "predicted", "correct"))
            assert f"{row['name']} {counts} {scores} {100 * bounds['low']:.1f}–{100 * bounds['high']:.1f}" in page.text


def test_page_names_every_error_class_and_every_breakdown(page: Page) -> None:
    schema = sample()["components"][0]
    for each in schema["errors"]:
        assert each["class"] == "correct" or ERRORS[each["class"]].meaning in page.text
    for each in schema["breakdowns"]:
        assert f"{BREAKDOWNS[each['by']].title}, in percent." in page.text


def test_page_shows_confusions_with_their_share_of_the_row(page: Page) -> None:
    matrix = sample()["components"][0]["confusion"]["spans"]["matrix"]
    share = round(matrix[2][1] / sum(matrix[2]), 3)
    assert ("td", {"class": "", "style": f"--share: {share}"}) in page.elements
    assert ("td", {"class": "same", "style": f"--share: {round(matrix[0][0] / sum(matrix[0]), 3)}"}) in page.elements


def test_page_says_why_a_part_is_missing(page: Page) -> None:
    text = Page(render_page(without_parts())).text
    for said in (
        "No component reports probabilities for doc.ents.",
        "Seen in training or not: No training data.",
        "Nervaluate is not installed.",
        "There is no mistake: all entities are right.",
        "No document has a mistake in its tags.",
        "does not say which texts it was trained on",
        "not known: name it with --train",
        "no draws were asked for",
    ):
        assert said in text
    assert "Nothing is annotated, and nothing was predicted." in Page(render_page(empty())).text
    assert "No component reports probabilities for doc.spans['chunks']." in page.text


def test_page_without_components_says_so() -> None:
    assert "there is nothing to score" in Page(render_page({**sample(), "components": []})).text


@pytest.mark.parametrize(("n", "said"), [(0, ""), (1, "trained on 1 document of these 120"), (7, "on 7 documents")])
def test_page_warns_of_training_texts(n: int, said: str) -> None:
    report = {**sample(), "components": []}
    report["data"]["trained_on"] = n
    text = Page(render_page(report)).text
    assert ("These scores are too good." in text) == bool(n)
    assert said in text


def test_page_of_two_components_with_alike_names_has_anchors_for_both() -> None:
    report = renamed(without_parts(), lambda text: text)
    first, second, _ = report["components"]
    first["id"], second["id"] = "spans:Ä b", "spans:Ö-b"
    ids = Page(render_page(report)).attributes("id")
    assert "spans-b-labels" in ids
    assert "2-spans-b-labels" in ids
    assert len(ids) == len(set(ids))


def test_page_of_a_component_that_is_called_like_a_section_has_anchors_for_both() -> None:
    for names in (("x", "x_errors"), ("x_errors", "x")):
        report = renamed(without_parts(), lambda text: text)
        report["components"] = report["components"][:2]
        for component, name in zip(report["components"], names, strict=True):
            component["id"] = f"spans:{name}"
        ids = Page(render_page(report)).attributes("id")
        assert len(ids) == len(set(ids)), names


def test_page_gaps_have_an_empty_value() -> None:
    assert ("td", {"class": "number", "data-value": ""}) in Page(render_page(without_parts())).elements


def test_page_says_documents_where_there_are_no_sentences() -> None:
    report = sample()
    assert "faultless sentences" in Page(render_page(report)).text
    report["data"]["sentences"] = report["data"]["documents"]
    for component in report["components"]:
        component["unavailable"].append({"analysis": "sentence_length", "reason": "sentences are not annotated"})
    text = Page(render_page(report)).text
    assert "faultless sentences" not in text
    assert "faultless documents" in text
    assert "sentences without a mistake" not in text
    assert "documents without a mistake" in text
    assert f"{report['data']['documents']} sentences" not in text


def test_page_says_how_many_of_the_parts_are_drawn() -> None:
    report = sample()
    [domains] = [each for each in report["components"][0]["breakdowns"] if each["by"] == "domain"]
    domains["rows"] = [{**domains["rows"][0], "name": f"d{i}"} for i in range(MOST_ROWS + 3)]
    assert f"The {MOST_ROWS} most frequent of {MOST_ROWS + 3}." in Page(render_page(report)).text


def test_page_says_why_there_are_no_intervals() -> None:
    report = without_parts()
    report["run"]["n_samples"] = 1000
    text = Page(render_page(report)).text
    assert "A narrow band" not in text
    assert "95 % intervals by" not in text
    assert "no intervals: too few documents" in text


def test_page_says_what_it_counts() -> None:
    report = sample()
    ents = report["components"][0]
    for each in ents["errors"]:
        each["cases"] = {"split": 2, "merged": 1, "too_long": 4, "missed": 8, "spurious": 16, "type": 32}.get(
            each["class"], 0
        )
    ents["costly_documents"][0]["cost"] = 77
    report["components"][2]["costly_documents"][0]["cost"] = 1
    text = Page(render_page(report)).text
    assert "Of 63 mistakes, 24 are spans without a counterpart, 4 only have wrong borders, " in text
    assert "3 are split or merged, and in 32 the label is wrong." in text
    assert "77 spans missed or wrong" in text
    assert "1 wrong tag of" in text


def test_page_shortens_headings() -> None:
    report = sample()
    report["components"][0]["confident_errors"][0]["text"] = "a \n" * 1000
    assert f"{'a ' * 59}a…" in Page(render_page(report)).text


def test_page_of_another_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="CT725"):
        render_page({**sample(), "schema_version": 2})


def test_page_needs_matplotlib_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ValueError, match="CT726"):
        render_page(sample())


# Odd texts


def test_page_escapes_what_comes_from_outside(page: Page) -> None:
    found = Page(render_page(renamed(sample(), lambda text: text[:6] + HOSTILE)))
    assert set(found.tags()) == set(page.tags())
    assert found.tags("script", "style", "table", "mark") == page.tags("script", "style", "table", "mark")
    assert [name for _, attrs in found.elements for name in attrs if name.startswith("on")] == []
    assert "<script>alert(1)</script>" in found.text
    assert "$x_1$ {{ 7*7 }} שלום 😀" in found.text


@settings(max_examples=8)
@given(ODD)
def test_page_of_odd_labels_is_well_formed(odd: str) -> None:
    report = renamed(without_parts(), lambda text: text[:4] + odd)
    html = render_page({**report, "components": report["components"][:1]})
    html.encode("utf8")
    Page(html)


@given(ODD, ODD, st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5), ODD), max_size=5))
def test_page_rendered_spans_are_text_and_marks(text: str, more: str, spans: list[tuple[int, int, str]]) -> None:
    text = text + more + "x" * 17
    marked = [
        {"start": start, "end": start + length, "label": label, "class": "missed", "probability": 0.5}
        for start, length, label in spans
    ]
    gold, _ = render_spans({"text": text, "gold": marked, "predicted": []})
    found = Page(str(gold.html))
    assert set(found.tags()) <= {"div", "mark", "bdi", "span", "br"}
    assert len(found.tags("mark")) + len(gold.others) == len(spans)


def test_page_marks_what_differs() -> None:
    excerpt = sample()["components"][0]["confident_errors"][0]["excerpt"]
    gold, predicted = render_spans(excerpt, focus=1)
    assert [attrs["class"] for tag, attrs in Page(str(gold.html)).elements if tag == "mark"] == [
        "ent",
        "ent wrong",
        "ent",
    ]
    assert Page(str(predicted.html)).text == (
        "Delroy FrancisPERSON 0.98 sued Studio VantaaORG 0.91 too short in JamaicaLOC 0.97."
    )
    assert 'class="ent wrong focus"' in predicted.html


def test_page_marks_wrong_tags() -> None:
    wrong = {"start": 0, "end": 2, "gold": "INTJ", "predicted": "", "probability": None}
    gold, predicted = render_tags({"text": "Ah <b>", "wrong": [wrong]})
    assert Page(str(gold.html)).text == "AhINTJ (wrong) <b>"
    assert Page(str(predicted.html)).text == "Ahno tag (wrong) <b>"


def test_page_shows_the_longest_of_nested_spans_and_names_the_others() -> None:
    spans = [(0, 4, "A"), (5, 12, "B"), (0, 12, "C & D"), (13, 16, "E")]
    marked = [
        {"start": start, "end": end, "label": label, "class": "correct", "probability": None}
        for start, end, label in spans
    ]
    gold, _ = render_spans({"text": "Bank Holiday now", "gold": marked, "predicted": []})
    assert Page(str(gold.html)).text == "Bank HolidayC & D nowE"
    assert gold.others == ["Bank (A)", "Holiday (B)"]


def test_page_shows_the_span_that_it_is_about_and_not_a_longer_one() -> None:
    marked = [
        {"start": 0, "end": 12, "label": "A", "class": "spurious", "probability": 0.5},
        {"start": 5, "end": 12, "label": "B", "class": "spurious", "probability": 0.75},
    ]
    _, predicted = render_spans({"text": "Bank Holiday now", "gold": [], "predicted": marked}, focus=1)
    assert 'class="ent wrong focus"' in predicted.html
    assert predicted.others == ["✗ Bank Holiday (A)"]


def test_page_shows_each_line_break_once() -> None:
    gold, _ = render_spans({"text": "a\r\nb\rc\nd", "gold": [], "predicted": []})
    assert "\r" not in gold.html
    assert gold.html.count("<br>") == 3


def test_page_breaks_labels_that_are_long_with_what_is_said_of_them() -> None:
    marked = [{"start": 0, "end": 4, "label": "GEOPOLITICAL_ENTITY", "class": "boundary_type", "probability": 0.98}]
    gold, predicted = render_spans({"text": "Bank Holiday", "gold": marked, "predicted": marked}, focus=0)
    assert "ent-label long" in predicted.html
    assert "ent-label long" not in gold.html


@pytest.mark.parametrize(("text", "direction"), [("12 שלום, world", "rtl"), ("« hello שלום", "ltr"), ("…", "ltr")])
def test_page_texts_run_in_their_direction(text: str, direction: str) -> None:
    gold, _ = render_spans({"text": text, "gold": [], "predicted": []})
    assert f"direction: {direction}" in gold.html


# Figures


def row(name: str, f1: float | None, **more: Any) -> dict[str, Any]:
    return {"name": name, "gold": 5, "precision": f1, "recall": f1, "f1": f1, **more}


def test_plots_take_the_colours_and_fonts_of_the_page() -> None:
    svg = inline_svg(lambda: draw_rows([row("a", 0.5), row("b", 0.9)]), "x", "What is shown.")
    assert "#0101" not in svg
    assert {"var(--ink)", "var(--muted)", "var(--line)", "var(--accent)"} <= set(re.findall(r"var\(--\w+\)", svg))
    assert "font-family" not in svg
    assert "<style" not in svg
    assert ">F, in percent</text>" in svg


def test_plots_have_a_variable_for_every_colour() -> None:
    style = (Path(render_page.__code__.co_filename).parent / "templates" / "style.css").read_text(encoding="utf8")
    assert [name for name in vars(Ink) if name.isupper() and f"--{name.lower()}:" not in style] == []


def test_plots_show_the_most_frequent_of_many_labels() -> None:
    figure = draw_rows([row(f"label {i}", i / 50) for i in range(50)])
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == [f"label {i}" for i in range(MOST_ROWS)]


def test_plots_show_intervals_and_scores() -> None:
    bounds = {"low": 0.4, "high": 0.7}
    rows = [row("a", 0.5, intervals={"f1": bounds}), {**row("b", None), "recall": 0.9}]
    (axes,) = draw_rows(rows).axes
    lines = {line.get_label(): line.get_xdata().tolist() for line in axes.get_lines()}
    assert lines["F"][0] == lines["precision"][0] == 50.0
    assert lines["recall"] == [50.0, 90.0]
    ((start, end),) = [segment[:, 0].tolist() for segment in axes.collections[0].get_segments()]
    assert (start, end) == (40.0, 70.0)


def test_plots_leave_out_what_is_not_annotated() -> None:
    top, _ = draw_steps([row("0", 0.5), row("1", 0.75), row("2 to 4", 0.0, gold=0)], "occurrences").axes
    assert str(top.get_lines()[0].get_ydata().tolist()) == "[50.0, 75.0, nan]"
    assert top.get_ylim()[0] == 40.0


def test_plots_show_one_score_where_all_are_the_same() -> None:
    top, bottom = draw_steps([row("1", 0.5), row("2 to 4", 0.75)], "tokens").axes
    assert [line.get_label() for line in top.get_lines() if not line.get_label().startswith("_")] == ["F"]
    assert [text.get_text() for text in bottom.texts] == ["5", "5"]


def test_plots_of_reliability_show_bins_that_are_not_empty() -> None:
    calibration = sample()["components"][0]["calibration"]
    top, _ = draw_reliability(calibration).axes
    shown = top.collections[-1].get_offsets().tolist()
    expected = [
        [100 * each["mean_probability"], 100 * each["share_right"]] for each in calibration["bins"] if each["n"]
    ]
    assert [pytest.approx(pair) for pair in expected] == shown


def test_plots_of_errors_begin_with_the_most_frequent() -> None:
    (axes,) = draw_errors([{"class": "split", "cases": 1}, {"class": "missed", "cases": 1200}]).axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["missed", "split"]
    assert [text.get_text() for text in axes.texts] == ["1,200", "1"]


@given(ODD)
@settings(max_examples=25)
def test_plots_of_odd_names_are_well_formed(odd: str) -> None:
    from spacy_ctxtag.evaluation.page.render import printable

    def draw() -> Figure:
        figure = Figure(figsize=(2, 1))
        figure.text(0.1, 0.1, printable(odd))
        return figure

    svg = inline_svg(draw, "odd", "Odd")
    assert Page(svg).tags()[0] == "svg"
