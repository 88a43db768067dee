"""spaCy's printer, but with colours on a terminal only, and with lines left whole, so that a search finds them."""

import sys
from typing import Any, Optional, Union

from wasabi.printer import Printer
from wasabi.util import color as colored
from wasabi.util import locale_escape


class LinePrinter(Printer):
    """A Printer whose messages stay on the lines they have; wasabi wraps them at 80 characters."""

    def text(
        self,
        title: Any = "",
        text: Any = "",
        color: Optional[Union[str, int]] = None,
        bg_color: Optional[Union[str, int]] = None,
        icon: Optional[str] = None,
        spaced: bool = False,
        show: bool = True,
        no_print: bool = False,
        exits: Optional[int] = None,
    ) -> Any:
        """Print a message; settings as in wasabi."""
        sign = self.icons.get(icon or "", "")
        line = locale_escape(f"{sign} {title}" if sign else str(title))
        if self.show_color and color is not None:
            line = colored(line, fg=self.colors.get(str(color), color), bg=bg_color)
        pretty, self.pretty = self.pretty, False  # the rest of the work, without the wrapping
        try:
            return super().text(line, text, spaced=spaced, show=show, no_print=no_print, exits=exits)
        finally:
            self.pretty = pretty


msg = LinePrinter()
msg.show_color = msg.show_color and sys.stdout.isatty()


def count(n: int, noun: str) -> str:
    """A number with its noun: "1 error", "2,000 errors".

    n (int): How many.
    noun (str): The noun, in the singular.
    RETURNS (str): Both.
    """
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def printable(text: str) -> str:
    """A text that cannot move the cursor, colour the terminal, or fail to be written.

    text (str): Any text; names and labels of data may hold anything.
    RETURNS (str): The text, with escapes for what is not a printable character.
    """
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
