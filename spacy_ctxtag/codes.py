"""How the coded messages of `errors.py` and `warnings.py` are read."""

from typing import Any


class WithCodes(type):
    """Puts the code of a message in front of it."""

    def __getattribute__(cls, code: str) -> Any:
        message = super().__getattribute__(code)
        return message if code.startswith("__") else f"[{code}] {message}"
