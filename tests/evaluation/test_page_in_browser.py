"""The page of a report in a real browser: what it does, that it asks for nothing, and that it can be read.

The pictures of the pages stay in test-artefacts/.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from chromium import CHROMIUM, DRIVER, LOGS, chromium, picture, prefer, resize
from reports import empty, renamed, sample, without_parts

from spacy_ctxtag.evaluation.page import write_page

pytestmark = pytest.mark.browser

ARTEFACTS = Path(__file__).parents[2] / "test-artefacts"
HOSTILE = (
    '</td></style><script>document.title="owned"</script><img src=x onerror="document.title=1">\'"&amp; שלום \u202e😀'
)
LABEL = "GEOPOLITICAL_ENTITY_"  # of 20 characters
# By which the text of an element and what lies behind it differ, as WCAG has it; below 4.5 (3 for large text) it fails.
CONTRAST = r"""
const canvas = document.createElement("canvas");
canvas.width = canvas.height = 1;
const context = canvas.getContext("2d", { willReadFrequently: true });
const known = new Map();
const rgba = (color) => {
  if (!known.has(color)) {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    known.set(color, [...context.getImageData(0, 0, 1, 1).data].map((x) => x / 255));
  }
  return known.get(color);
};
const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
const behind = (element) => {
  const layers = [];
  for (let each = element; each; each = each.parentElement) layers.push(rgba(getComputedStyle(each).backgroundColor));
  return layers.reduceRight((below, top) => over(top, below), [1, 1, 1, 1]);
};
const light = (color) => {
  const [r, g, b] = color.slice(0, 3).map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const failures = new Set();
let n = 0;
for (const element of document.querySelectorAll("body, body *")) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !element.getClientRects().length || element.closest("script, .sr, .skip")) continue;
  const style = getComputedStyle(element);
  const below = behind(element);
  const color = rgba(element.closest("svg") ? style.fill : style.color).slice();
  color[3] *= Number(style.opacity);
  const [a, b] = [light(over(color, below)), light(below)].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  n += 1;
  if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) {
    failures.add(`${ratio.toFixed(2)} ${element.tagName} ${element.className.baseVal ?? element.className}`);
  }
}
return [n, [...failures]];
"""


# How many marks of data each plot has: what can be seen in the colours that no axis is drawn in, above the legend.
INKED = """
const probe = document.body.appendChild(document.createElement("i"));
const inks = ["accent", "second", "muted"].map((name) => {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
});
return [...document.querySelectorAll("figure svg")].map((svg) => {
  const all = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("path, use")].filter((each) => {
    const style = getComputedStyle(each), box = each.getBoundingClientRect();
    const isInk = inks.includes(style.fill) || inks.includes(style.stroke);
    return isInk && Math.max(box.width, box.height) > 2 && box.top + box.bottom < 2 * all.top + 1.3 * all.height;
  }).length;
});
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    missing = [path for path in (CHROMIUM, DRIVER) if not os.access(path, os.X_OK)]
    assert not missing, f"{missing}: install the Debian packages chromium and chromium-driver"
    with chromium() as driver:
        yield driver


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, written once."""
    path = tmp_path_factory.mktemp("pages")
    write_page(sample(), path / "sample.html")
    write_page(renamed(sample(), lambda text: text[:9] + HOSTILE), path / "hostile.html")
    write_page(without_parts(), path / "without_parts.html")
    write_page(empty(), path / "empty.html")
    write_page(with_label(LABEL), path / "long_label.html")
    return path


def with_label(label: str) -> Any:
    """The sample with an error in borders and label, of this label, in a text that turns round what follows."""
    report = sample()
    error = report["components"][0]["confident_errors"][0]
    excerpt = error["excerpt"]
    marked = excerpt["predicted"][error["index"]]
    marked.update({"label": label, "class": "boundary_type"})
    excerpt["text"] = excerpt["text"][: marked["start"]] + "\u202e" + excerpt["text"][marked["start"] + 1 :]
    return report


@pytest.fixture
def show(browser: Any, folder: Path) -> Iterator[Any]:
    """Opens a page afresh, without what an earlier test has chosen, and returns the browser."""

    def open_page(name: str = "sample", *, width: int = 1280, scheme: str = "light") -> Any:
        resize(browser, width)
        prefer(browser, scheme)
        browser.get((folder / f"{name}.html").as_uri())
        browser.execute_script("localStorage.clear()")
        for log in LOGS:  # forgets what was logged before
            browser.get_log(log)
        browser.refresh()
        return browser

    return open_page


PAGES = ["sample", "hostile", "without_parts", "empty"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_page_leaves_a_picture(show: Any, width: int, scheme: str) -> None:
    path = ARTEFACTS / f"report_{width}_{scheme}.png"
    picture(show(width=width, scheme=scheme), path)
    assert path.stat().st_size > 50_000


@pytest.mark.parametrize("name", PAGES)
def test_page_has_no_error_in_the_console(show: Any, name: str) -> None:
    assert show(name).get_log("browser") == []


def test_page_console_would_show_an_error(show: Any) -> None:
    driver = show()
    driver.execute_script("console.error('planted')")
    assert [entry["level"] for entry in driver.get_log("browser")] == ["SEVERE"]


@pytest.mark.parametrize("name", PAGES)
def test_page_asks_for_nothing_from_elsewhere(show: Any, name: str) -> None:
    schemes = requested(show(name))
    assert "file" in schemes
    assert schemes <= {"file", "data"}


def test_page_that_asks_for_something_is_caught(show: Any) -> None:
    driver = show()
    driver.get("data:text/html,<img src='http://127.0.0.1:65500/x.png'>")
    assert "http" in requested(driver)


def requested(driver: Any) -> set[str]:
    """The schemes of all addresses that were requested since the page was opened."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [each["params"] for each in messages if each["method"] == "Network.requestWillBeSent"]
    return {urlsplit(each["request"]["url"]).scheme for each in sent}


def test_page_forbids_scripts_that_are_not_its_own(show: Any) -> None:
    driver = show()
    planted = "const s = document.createElement('script'); s.textContent = 'window.owned = 1'; document.body.append(s);"
    driver.execute_script(planted)
    assert driver.execute_script("return window.owned") is None


# Sorting


def column(driver: Any, section: str, heading: str) -> tuple[Any, int]:
    """The first table of a section that has a column of this heading, and its index."""
    for table in driver.find_elements("css selector", f"#{section} table.sortable"):
        headings = [th.text.rstrip(" ↕↑↓") for th in table.find_elements("css selector", "thead th")]
        if heading in headings:
            return table, headings.index(heading)
    raise LookupError(heading)


def texts(table: Any, index: int) -> list[str]:
    return [
        row.find_elements("css selector", "th, td")[index].text
        for row in table.find_elements("css selector", "tbody tr")
    ]


def click(table: Any, index: int) -> str | None:
    """Click a heading. RETURNS (Optional[str]): Its aria-sort then."""
    th = table.find_elements("css selector", "thead th")[index]
    th.find_element("tag name", "button").click()
    return th.get_attribute("aria-sort")


@pytest.mark.parametrize(
    ("heading", "key", "orders"),
    [
        ("gold", lambda text: float(text.replace(",", "")), ["descending", "ascending", "descending"]),
        ("F", float, ["descending", "ascending", "descending"]),
        ("label", str, ["ascending", "descending", "ascending"]),
    ],
)
def test_page_sorts_by_a_click(show: Any, heading: str, key: Any, orders: list[str]) -> None:
    table, index = column(show(), "pos", heading)
    before = texts(table, index)
    for order in orders:
        assert click(table, index) == order
        assert texts(table, index) == sorted(before, key=key, reverse=order == "descending")
    assert len(table.find_elements("css selector", "[aria-sort]")) == 1


def test_page_sorts_numbers_as_numbers(show: Any) -> None:
    table, index = column(show(), "pos", "gold")
    click(table, index)
    numbers = [int(text.replace(",", "")) for text in texts(table, index)]
    assert numbers == sorted(numbers, reverse=True)
    assert texts(table, index) != sorted(texts(table, index), reverse=True)


def test_page_sorting_moves_whole_rows_and_says_so(show: Any) -> None:
    driver = show()
    table, index = column(driver, "ents", "F")
    rows = {row.text for row in table.find_elements("css selector", "tbody tr")}
    click(table, index)
    assert {row.text for row in table.find_elements("css selector", "tbody tr")} == rows
    assert driver.find_element("id", "status").get_attribute("textContent") == "Sorted by F, descending."


def test_page_sorts_gaps_last(show: Any) -> None:
    driver = show()
    table, _ = column(driver, "spans-chunks", "label")
    driver.execute_script(
        "const cell = arguments[0].tBodies[0].rows[0].cells[5]; cell.dataset.value = ''; cell.textContent = '–';", table
    )
    for _ in range(2):
        click(table, 5)
        assert texts(table, 5)[-1] == "–"


def test_page_has_a_button_in_every_heading(show: Any) -> None:
    headings = show().find_elements("css selector", "table.sortable thead th")
    assert len(headings) > 50
    assert [th.text for th in headings if len(th.find_elements("tag name", "button")) != 1] == []


# Looks


def test_page_shows_its_plots(show: Any) -> None:
    driver = show()
    plots = driver.find_elements("css selector", "figure svg")
    assert len(plots) == len(driver.find_elements("tag name", "figure")) >= 15
    for plot in plots:
        box = plot.rect
        assert box["width"] > 200
        assert box["height"] > 60
    assert min(driver.execute_script(INKED)) > 0


def test_page_plot_check_sees_an_empty_plot(show: Any) -> None:
    driver = show()
    before = driver.execute_script(INKED)
    assert before[1] > 0
    marks = "document.querySelectorAll('figure svg')[1].querySelectorAll('path, use')"
    driver.execute_script(f"for (const each of {marks}) each.style.fill = each.style.stroke = 'var(--line)'")
    assert driver.execute_script(INKED) == [before[0], 0, *before[2:]]


def test_page_plots_have_text_in_the_fonts_of_the_page(show: Any) -> None:
    driver = show()
    fonts = "return [...document.querySelectorAll('svg text')].map((text) => getComputedStyle(text).fontFamily)"
    assert set(driver.execute_script(fonts)) == {
        driver.execute_script("return getComputedStyle(document.body).fontFamily")
    }
    assert "PRODUCT" in driver.find_element("css selector", "#ents figure svg").text


def colors(driver: Any) -> list[str]:
    """The colours of the page, of a plot, and of a marked span."""
    return driver.execute_script(
        """
        const of = (selector, name) => getComputedStyle(document.querySelector(selector))[name];
        return [of("body", "backgroundColor"), of("body", "color"), of("svg text", "fill"),
                of("mark.wrong", "backgroundColor"), of(".heat td.same", "backgroundColor")];
        """
    )


def test_page_follows_the_system_into_the_dark(show: Any) -> None:
    light, dark = (colors(show(scheme=scheme)) for scheme in ("light", "dark"))
    assert [a for a, b in zip(light, dark, strict=True) if a == b] == []


@pytest.mark.parametrize(("scheme", "pressed"), [("light", "true"), ("dark", "false")])
def test_page_toggle_overrules_the_system_and_is_kept(show: Any, scheme: str, pressed: str) -> None:
    driver = show(scheme=scheme)
    before, toggle = colors(driver), driver.find_element("id", "theme")
    toggle.click()
    assert toggle.get_attribute("aria-pressed") == pressed
    after = colors(driver)
    assert [a for a, b in zip(before, after, strict=True) if a == b] == []
    driver.refresh()
    assert colors(driver) == after


@pytest.mark.parametrize("name", PAGES)
def test_page_does_not_scroll_sideways_on_a_phone(show: Any, name: str) -> None:
    driver = show(name, width=390)
    driver.execute_script("for (const each of document.querySelectorAll('details')) each.open = true")
    width, inner = driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert (width, inner) == (390, 390)


def test_page_with_long_labels_does_not_scroll_sideways_on_a_small_phone(show: Any) -> None:
    driver = show("long_label", width=320)
    assert LABEL in driver.find_element("css selector", "mark.focus .ent-label").text
    width, inner = driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert (width, inner) == (320, 320)


def test_page_texts_that_turn_round_leave_labels_as_they_are(show: Any) -> None:
    driver = show("long_label")
    first, last = driver.execute_script(
        """
        const text = document.querySelector("mark.focus .ent-label").firstChild, range = document.createRange();
        return [0, 10].map((i) => {
          range.setStart(text, i);
          range.setEnd(text, i + 1);
          return range.getBoundingClientRect().left;
        });
        """
    )
    assert first < last


def test_page_tables_scroll_in_their_own_box_on_a_phone(show: Any) -> None:
    driver = show(width=390)
    box = driver.find_element("css selector", "#pos .scroll")
    assert driver.execute_script("return arguments[0].scrollWidth > arguments[0].clientWidth", box)
    assert box.get_attribute("tabindex") == "0"
    assert box.get_attribute("aria-label")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["sample", "without_parts"])
def test_page_has_the_contrast_of_wcag_aa(show: Any, name: str, scheme: str) -> None:
    driver = show(name, scheme=scheme)
    driver.execute_script("for (const each of document.querySelectorAll('details')) each.open = true")
    n, failures = driver.execute_script(CONTRAST)
    assert n > 300
    assert failures == []


def test_page_contrast_check_sees_a_failure(show: Any) -> None:
    driver = show()
    driver.execute_script("document.querySelector('h1 bdi').style.color = 'light-dark(#bbb, #444)'")
    assert len(driver.execute_script(CONTRAST)[1]) == 1


def test_page_hostile_texts_stay_text(show: Any) -> None:
    driver = show("hostile")
    assert driver.title.startswith("Evaluation of ")
    assert len(driver.find_elements("tag name", "script")) == 1
    assert driver.find_elements("tag name", "img") == []
    assert "<script>document.title" in driver.find_element("css selector", "#ents mark").text
    assert "<script>document.title" in texts(*column(driver, "ents", "label"))[0]
    assert driver.find_element("tag name", "h1").text.count("<script>") >= 1


def test_page_is_ready_for_print(show: Any) -> None:
    driver = show(scheme="dark")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    driver.execute_script("dispatchEvent(new Event('beforeprint'))")
    closed = driver.find_elements("css selector", "details:not([open])")
    background = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    shown = driver.find_element("id", "theme").is_displayed()
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert (closed, background, shown) == ([], "rgb(255, 255, 255)", False)
