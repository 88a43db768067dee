"""The folder of a checkpoint: `state.json` and `tensors.safetensors`. It is whole at any moment, the older one until
the new one is complete.
"""

import json
import os
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional

import numpy as np

from ..errors import Errors
from ..exceptions import TrainingError
from .folders import remove_folder, replace_folder, whole_folder, write_json
from .weights import Arrays

FOLDER, STATE, TENSORS = "checkpoint", "state.json", "tensors.safetensors"
FORMAT = 1


class Checkpoint(NamedTuple):
    """What a run needs to go on: `info` as JSON can hold it, and arrays."""

    info: Dict[str, Any]
    arrays: Arrays


def write_checkpoint(output: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint of a run, whose folder is `output`."""
    from safetensors.numpy import save_file

    def write(path: Path) -> None:
        path.mkdir()
        arrays = {name: np.asarray(array, order="C") for name, array in checkpoint.arrays.items()}
        save_file(arrays, path / TENSORS)
        with (path / TENSORS).open("rb") as file:
            os.fsync(file.fileno())
        write_json(path / STATE, {"format": FORMAT, **checkpoint.info})

    replace_folder(output / FOLDER, write)


def read_checkpoint(output: Path) -> Optional[Checkpoint]:
    """RETURNS (Optional[Checkpoint]): The last one of a run, if there is one.

    RAISES (TrainingError): CT602 when it cannot be read.
    """
    from safetensors.numpy import load_file

    path = whole_folder(output / FOLDER)
    if path is None:
        return None
    try:
        info = json.loads((path / STATE).read_text(encoding="utf8"))
        if info["format"] != FORMAT:
            raise ValueError(f"format {info['format']}, expected {FORMAT}")
        return Checkpoint(info, load_file(path / TENSORS))
    except Exception as error:  # JSON and safetensors raise what they like
        raise TrainingError(Errors.CT602.format(path=path, reason=error)) from error


def remove_checkpoint(output: Path) -> None:
    """Remove the checkpoint of a run, and unfinished ones."""
    remove_folder(output / FOLDER)
