"""One thread in a forked child: the parent's thread pools do not exist there, and waiting for them hangs.

Importing this is enough. It is Linux' default way to start the processes of `nlp.pipe(n_process=2)`.
"""

import os
import sys
from typing import Any, Optional


def use_one_thread() -> None:
    """Let torch and the tokenizers run without threads in this process."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch: Optional[Any] = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=use_one_thread)
