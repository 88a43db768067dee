"""Processes that end with the one that has started them: they are told, and then awaited."""

import contextlib
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set

ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
MESSAGE = b"\nEnding the trainings, each after its step; again to end them at once.\n"


class Children:
    """The processes that are running. Threads may share it."""

    def __init__(self) -> None:
        self.signal = 0  # the last one that has come
        self._running: Set[subprocess.Popen[bytes]] = set()
        self._lock = threading.RLock()  # a handler may interrupt the thread that holds it

    def run(self, command: List[str], log: Path, environment: Optional[Dict[str, str]]) -> int:
        """Run a command to its end, in a session of its own: Ctrl-C does not reach it but through this process.

        log (Path): What it prints is put at its end.
        environment (Optional[Dict[str, str]]): None for that of this process.
        RETURNS (int): Its exit code; that of a process that was ended if none may start any more.
        """
        with self._lock:
            if self.signal:
                return -self.signal
            with log.open("ab") as file:
                child = subprocess.Popen(
                    command, stdout=file, stderr=subprocess.STDOUT, env=environment, start_new_session=True
                )
            self._running.add(child)
        try:
            return child.wait()
        finally:
            with self._lock:
                self._running.discard(child)

    @contextlib.contextmanager
    def ending_with_this(self) -> Iterator[None]:
        """In this context every SIGINT, SIGTERM or SIGHUP goes on to the processes, as SIGTERM, and no further one is
        started. One that is ignored, as SIGHUP under `nohup`, stays so. Only the main thread can listen.

        RAISES (KeyboardInterrupt): At the end, if one came.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heard = [each for each in ENDING if signal.getsignal(each) is not signal.SIG_IGN]
        before = {each: signal.signal(each, self._receive) for each in heard}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
            if self.signal:
                raise KeyboardInterrupt

    def _receive(self, number: int, frame: Any) -> None:
        self.signal = number
        with contextlib.suppress(OSError):
            os.write(2, MESSAGE)  # printing is not safe here
        with self._lock:
            for child in self._running:
                child.terminate()
