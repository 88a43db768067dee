"""A logger that appends a line of JSON for every evaluation; see `record`. It prints nothing."""

import sys
from pathlib import Path
from typing import IO, Any, Callable, Dict, Optional, Tuple, Union

from spacy.language import Language

from .record import append_record, record_of

LogStep = Callable[[Optional[Dict[str, Any]]], None]
Logger = Callable[..., Tuple[LogStep, Callable[[], None]]]


def create_jsonl_logger_v1(path: Union[str, Path]) -> Logger:
    """Registered as spacy-ctxtag.JSONL.v1.

    path (Union[str, Path]): The file. Lines are appended to what is there, so that a run that goes on has one record.
    """

    def setup(nlp: Language, stdout: IO[str] = sys.stdout, stderr: IO[str] = sys.stderr) -> Any:
        def log_step(info: Optional[Dict[str, Any]]) -> None:
            if info is not None:
                append_record(Path(path), record_of(info))

        return log_step, lambda: None

    return setup
