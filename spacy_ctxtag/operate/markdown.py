"""What others have written, inside Markdown: labels, names and sentences appear as they are, whatever is in them.

A character that means something to Markdown becomes a reference such as `&#124;`, which means nothing to any renderer.
"""

import re
from typing import Any, Optional

MEANT = re.compile(r"[\\`*\[\]<>|~&$#]|(?<![^\W_])_|_(?![^\W_])")  # a "_" inside of a word means nothing
BEGINS = re.compile(r"^(\d+(?=[.)](?:\s|$))|(?=[-+=]))(.)")  # of a list, a rule, an underlined heading
CODE = re.compile(r"[^`|\\]+")  # can stand between backticks, in a table, too
ADDRESS = re.compile(r"https?://[^\s<>()\[\]\\`|\"']+")
JOINERS = "\u200c\u200d"  # invisible, but some scripts need them


def one_line(value: Any) -> str:
    """RETURNS (str): A text without line breaks, control characters, and marks that turn the order round."""
    return " ".join("".join(each if each.isprintable() or each in JOINERS else " " for each in str(value)).split())


def text(value: Any) -> str:
    """RETURNS (str): A text on a line, as it is."""
    return BEGINS.sub(
        lambda match: match[1] + _reference(match[2]), MEANT.sub(lambda m: _reference(m[0]), one_line(value))
    )


def code(value: Any) -> str:
    """RETURNS (str): A label, a name or a setting, in the type of code."""
    line = one_line(value) or "(empty)"
    return f"`{line}`" if CODE.fullmatch(line) else f"<code>{text(line)}</code>"


def link(name: Any, url: Optional[Any] = None) -> str:
    """RETURNS (str): A name that leads somewhere; the name alone if that is no address of the web."""
    return f"[{text(name)}]({url})" if url and ADDRESS.fullmatch(str(url)) else text(name)


def _reference(character: str) -> str:
    return f"&#{ord(character)};"
