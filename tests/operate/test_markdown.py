"""Texts of others in Markdown: a renderer gives them back as they were, in a table, too."""

import pytest
from card_helpers import HOSTILE
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from spacy_ctxtag.operate.markdown import code, link, one_line, text

RENDERER = MarkdownIt("commonmark", {"html": True}).enable("table")
TEXTS = st.one_of(st.just(HOSTILE), st.text(), st.text(alphabet="`|\\*_[]()<>&#~$!-+=:.1a \n", max_size=12))


def cells(markdown: str) -> list[str]:
    """RETURNS (list[str]): What a reader sees in the cells of a table, tags of code left out; anything else fails."""
    found = []
    for token in RENDERER.parse(markdown):
        if token.type == "inline":
            kinds = {child.type for child in token.children or ()}
            assert kinds <= {"text", "text_special", "code_inline", "html_inline"}
            assert {child.content for child in token.children or () if child.type == "html_inline"} <= {
                "<code>",
                "</code>",
            }
            found.append("".join(child.content for child in token.children or () if child.type != "html_inline"))
    return found


@pytest.mark.parametrize("show", [text, code])
@given(value=TEXTS)
def test_markdown_text_is_read_as_it_was_in_a_table(show: object, value: str) -> None:
    table = f"| a | b |\n|---|---|\n| {show(value)} | x |"  # type: ignore[operator]
    expected = one_line(value) or ("(empty)" if show is code else "")
    assert cells(table) == ["a", "b", expected, "x"]


@given(value=TEXTS)
def test_markdown_text_begins_no_block(value: str) -> None:
    tokens = RENDERER.parse(text(value))
    assert [token.type for token in tokens] in ([], ["paragraph_open", "inline", "paragraph_close"])


@pytest.mark.parametrize(
    ("value", "expected"),
    [("per-son", "`per-son`"), ("B_LOC", "`B_LOC`"), ("a`b", "<code>a&#96;b</code>"), ("", "`(empty)`")],
)
def test_markdown_code_is_simple_where_it_can_be(value: str, expected: str) -> None:
    assert code(value) == expected


def test_markdown_one_line_has_no_control_characters() -> None:
    assert one_line("a\u202eb\n\tc\x00d") == "a b c d"
    assert one_line("می\u200cخواهم") == "می\u200cخواهم"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/a_b?c=d", "[a](https://example.org/a_b?c=d)"),
        ("javascript:alert(1)", "a"),
        ("https://example.org/) [b](x", "a"),
        ("https://example.org/|x", "a"),
        (None, "a"),
    ],
)
def test_markdown_link_leads_to_the_web_only(url: str, expected: str) -> None:
    assert link("a", url) == expected
