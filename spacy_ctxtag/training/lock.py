"""One process at a time for a folder: two that write the same checkpoints would mix them."""

import contextlib
import errno
from pathlib import Path
from typing import Iterator, Optional

from filelock import FileLock, Timeout

from ..errors import Errors
from ..exceptions import TrainingError

FILE = ".lock"
NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}  # where it is ENOSYS, filelock makes a file of its own


@contextlib.contextmanager
def locked(folder: Path, file: Optional[Path] = None) -> Iterator[None]:
    """Be the only process that trains into a folder, where its file system knows locks.

    folder (Path): The folder. file (Optional[Path]): What is locked, for a folder that comes and goes; if None, `.lock`
        in the folder, which is then made. It may stay; what counts is who holds it, and the system takes it from a
        process that is killed.
    RAISES (TrainingError): CT607 when another process holds it.
    """
    file = file or folder / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise TrainingError(Errors.CT607.format(path=folder, lock=file)) from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()
