"""The folder of a Hugging Face encoder as bytes, for `nlp.to_bytes`; `nlp.to_disk` leaves it out of a model's bytes."""

import contextlib
import tempfile
from contextvars import ContextVar
from pathlib import Path
from typing import Callable, Dict, Iterator

_weights_apart: ContextVar[bool] = ContextVar("weights_apart", default=False)


@contextlib.contextmanager
def weights_apart() -> Iterator[None]:
    """In this context a model's bytes leave out the encoder's weights, which `HFShim.save` writes as files instead."""
    token = _weights_apart.set(True)
    try:
        yield
    finally:
        _weights_apart.reset(token)


def are_apart() -> bool:
    """RETURNS (bool): Whether this is such a context."""
    return _weights_apart.get()


def pack(save: Callable[[Path], None]) -> Dict[str, bytes]:
    """RETURNS (Dict[str, bytes]): The files that `save` writes into a folder, by their names."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "encoder"
        save(folder)
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


@contextlib.contextmanager
def unpacked(files: Dict[str, bytes]) -> Iterator[Path]:
    """Have a folder with the files of `pack` for a while."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / Path(name).name).write_bytes(content)
        yield Path(folder)
