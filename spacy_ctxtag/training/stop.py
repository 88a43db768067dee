"""Stopping a run between two steps: on Ctrl-C, or when the system ends the process (SIGTERM)."""

import contextlib
import os
import signal
import threading
from typing import Any, Iterator

MESSAGE = b"\nStopping after this step; again to stop at once.\n"


class Stop:
    """Whether a run is to stop, and by which signal."""

    def __init__(self) -> None:
        self.requested = False
        self.signal = 0

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """In this context the first signal only sets `requested`, and a second one is a KeyboardInterrupt. Only the
        main thread can listen."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self._receive) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _receive(self, number: int, frame: Any) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested, self.signal = True, number
        with contextlib.suppress(OSError):
            os.write(2, MESSAGE)  # printing is not safe here
