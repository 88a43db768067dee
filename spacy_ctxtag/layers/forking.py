"""One thread in a forked child: the parent's thread pools do not exist there, and waiting for them hangs.

Importing this is enough. It is Linux' default way to start the processes of `nlp.pipe(n_process=2)`.
"""

import ctypes
import os
import sys
import weakref
from typing import Any, Optional

_with_threads: "weakref.WeakSet[Any]" = weakref.WeakSet()


def use_one_thread() -> None:
    """Let torch and the tokenizers run without threads in this process."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch: Optional[Any] = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def never_end_in_child(thing: Any) -> None:
    """Let a forked child keep an object for good whose end would wait for threads of its own."""
    _with_threads.add(thing)


def hold_back(lock: Any) -> None:
    """Let a fork wait for a lock (threading.RLock), which would stay locked in the child."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)


def _keep() -> None:
    for thing in _with_threads:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=use_one_thread)
    os.register_at_fork(after_in_child=_keep)
