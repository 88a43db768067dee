"""One process at a time for a folder: two that write the same checkpoints would mix them."""

import contextlib
from pathlib import Path
from typing import Iterator

from filelock import FileLock, Timeout

from ..errors import Errors
from ..exceptions import TrainingError

FILE = ".lock"  # stays; what counts is who holds it, and the system takes it from a process that is killed


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only process that trains into a folder. It is made if it does not exist.

    RAISES (TrainingError): CT607 when another one does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / FILE, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise TrainingError(Errors.CT607.format(path=folder)) from error
    except NotImplementedError:  # a file system without locks
        pass
    try:
        yield
    finally:
        lock.release()
