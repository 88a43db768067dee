r"""The syntax of the inline markup, one piece of a line at a time, both ways. It knows no files and no documents.

A piece is what stands between two spaces: `[LABEL` opens an entity, anything else is a token `~form/TAG]` in which `~`,
`/TAG` and `]` are optional. A backslash takes the meaning away from `~ [ ] / \ # -`; `\s \t \n \r` are white space.
"""

import re
from typing import Match, Optional, Tuple

from ..errors import Errors

HEADER = re.compile(r"# ([\w.-]+) = (.*)")  # a line that describes the document
MISSING = "-"  # `[- …]`: tokens of which it is not known whether they belong to an entity

_ESCAPE = {" ": r"\s", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\\": r"\\"}
_UNESCAPE = {**{char: char for char in "~[]/\\#-"}, "s": " ", "t": "\t", "n": "\n", "r": "\r"}
_SLASHES = re.compile(r"\\.|(/)", re.DOTALL)
_CLOSING = re.compile(r"(?:[^\\]|\\.)*\]", re.DOTALL)


class MarkupError(ValueError):
    """A piece that is not well-formed; the text says what was met and what was expected."""


def closes(piece: str) -> bool:
    """Whether a piece ends with a `]` that closes an entity."""
    return piece.endswith("]") and _CLOSING.fullmatch(piece) is not None


def opens(piece: str) -> bool:
    """Whether a piece opens an entity: it begins with `[` and has no tag."""
    return piece.startswith("[") and _last_slash(piece) < 0


def read_label(text: str) -> Optional[str]:
    """The label after `[`; None for `-`, which is no label.

    text (str): What follows the bracket.
    RETURNS (Optional[str]): The label.
    RAISES (MarkupError): No label (CT317), or a bad escape (CT325).
    """
    if not text:
        raise MarkupError(Errors.CT317)
    return None if text == MISSING else unescape(text)


def write_label(label: Optional[str]) -> str:
    """What follows `[` for a label; None for "not known"."""
    if label is None:
        return MISSING
    return "\\-" if label == MISSING else _escape(label).replace("/", r"\/").replace("]", r"\]")


def read_token(piece: str) -> Tuple[str, str, bool]:
    """Read a token without its closing bracket.

    piece (str): `~form/TAG`, the tilde and the tag optional.
    RETURNS (Tuple[str, str, bool]): form, tag or "", and whether no space stands before it.
    RAISES (MarkupError): An empty piece (CT322), a tab (CT323), an empty form or tag (CT324), a bad escape (CT325).
    """
    if not piece:
        raise MarkupError(Errors.CT322)
    if "\t" in piece:
        raise MarkupError(Errors.CT323.format(piece=piece))
    glued = piece.startswith("~")
    body = piece[1:] if glued else piece
    slash = _last_slash(body)
    form, tag = (body, None) if slash < 0 else (body[:slash], body[slash + 1 :])
    if not form or tag == "" or (tag is None and form.startswith("[")):
        raise MarkupError(Errors.CT324.format(piece=piece))
    return unescape(form), unescape(tag or ""), glued


def write_token(form: str, tag: str = "", *, glued: bool = False, is_first: bool = False) -> str:
    """Write a token so that `read_token` gives it back.

    form (str): The token.
    tag (str): Its tag; "" for none.
    glued (bool): Whether no space stands before it.
    is_first (bool): Whether it opens a line, where a bare `#` would read as a header.
    RETURNS (str): The piece.
    """
    body = _escape(form)
    if tag:
        body = f"{body}/{_escape(tag).replace('/', chr(92) + '/').replace(']', chr(92) + ']')}"
    else:
        body = body.replace("/", r"\/").replace("]", r"\]")
        if body.startswith("["):
            body = "\\" + body
    if form.startswith("~") or (form == "#" and is_first and not tag):
        body = "\\" + body
    return "~" + body if glued else body


def unescape(text: str) -> str:
    """The text without its backslashes.

    text (str): An escaped form, tag or label.
    RETURNS (str): What it stands for.
    RAISES (MarkupError): A backslash before anything else than the characters above (CT325).
    """

    def replace(match: Match[str]) -> str:
        if match.group(1) not in _UNESCAPE:
            raise MarkupError(Errors.CT325.format(piece=text, met=match.group()))
        return _UNESCAPE[match.group(1)]

    return re.sub(r"\\(.?)", replace, text, flags=re.DOTALL)


def _escape(text: str) -> str:
    return "".join(_ESCAPE.get(char, char) for char in text)


def _last_slash(text: str) -> int:
    """The offset of the last slash without a backslash, -1 if there is none."""
    return max((match.start(1) for match in _SLASHES.finditer(text)), default=-1)
