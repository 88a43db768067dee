"""Vectors of whole texts that an encoder has read before, for prediction alone.

It is a shim, so that Thinc tells it when weights change. Then it is emptied; copies and pickles of it are empty.
"""

import contextlib
import sys
import threading
from collections import OrderedDict
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

from spacy.attrs import IDX, LENGTH
from spacy.tokens import Doc
from thinc.api import Optimizer, Shim
from thinc.types import Floats2d, FloatsXd

from ..types import TokenVectors

ENTRY = 500  # bytes that Python needs for an entry
Key = Tuple[str, bytes]  # the text, and the borders of its tokens


class CacheInfo(NamedTuple):
    """hits, misses: Docs whose vectors were there, or not. texts, bytes: What is in the cache now."""

    hits: int
    misses: int
    texts: int
    bytes: int

    @property
    def hit_rate(self) -> float:
        """RETURNS (float): The share of Docs whose vectors were there; 0 at first."""
        return self.hits / max(1, self.hits + self.misses)


class TextCache(Shim):
    """Keeps vectors by text and token borders, for one encoder and its settings. Threads may share it.

    limit (int): Bytes. Beyond it, the text that was not asked for longest is dropped. 0: nothing is kept.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(None)
        self.limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, Floats2d] = OrderedDict()
        self._bytes = self._hits = self._misses = 0
        self._module, self._state = None, 0  # what the vectors are of, and a number that changes with its weights

    def __reduce__(self) -> Tuple[Any, ...]:
        return TextCache, (self.limit,)

    def get(self, docs: List[Doc], module: Any, encode: Callable[[List[Doc]], TokenVectors]) -> TokenVectors:
        """Look up the vectors of Docs, and encode the others, equal ones once. Hits are bit for bit what was found the
        first time. All are copies.

        module (torch.nn.Module): The encoder. With another one than before, the cache is empty.
        """
        keys = [(doc.text, doc.to_array([IDX, LENGTH]).tobytes()) for doc in docs]
        with self._lock:
            if module is not self._module:
                self._clear(module)
            state, found = self._state, {key: self._kept[key] for key in keys if key in self._kept}
            for key in found:
                self._kept.move_to_end(key)
            missing = {key: doc for key, doc in zip(keys, docs, strict=True) if key not in found}
            self._misses += len(missing)
            self._hits += len(docs) - len(missing)
        fresh = dict(zip(missing, encode(list(missing.values())) if missing else (), strict=True))
        with self._lock:
            if state == self._state:
                self._keep(fresh)
        found.update(fresh)
        return [found[key].copy() for key in keys]

    def info(self) -> CacheInfo:
        with self._lock:
            return CacheInfo(self._hits, self._misses, len(self._kept), self._bytes)

    def clear(self) -> None:
        with self._lock:
            self._clear(None)

    def _clear(self, module: Any) -> None:
        self._kept.clear()
        self._bytes, self._module, self._state = 0, module, self._state + 1

    def _keep(self, fresh: Dict[Key, Floats2d]) -> None:
        for key, vectors in fresh.items():
            if key not in self._kept and _size(key, vectors) <= self.limit:
                self._kept[key] = vectors.copy()
                self._bytes += _size(key, vectors)
        while self._bytes > self.limit:
            self._bytes -= _size(*self._kept.popitem(last=False))

    def finish_update(self, optimizer: Optimizer) -> None:
        self.clear()

    def to_device(self, device_type: str, device_id: int) -> None:
        self.clear()

    @contextlib.contextmanager
    def use_params(self, params: Dict[Tuple[int, str], FloatsXd]) -> Iterator[None]:
        self.clear()
        try:
            yield
        finally:
            self.clear()

    def to_bytes(self) -> bytes:
        return b""

    def from_bytes(self, data: bytes) -> "TextCache":
        self.clear()
        return self


def _size(key: Key, vectors: Floats2d) -> int:
    return int(vectors.nbytes) + sys.getsizeof(key[0]) + len(key[1]) + ENTRY
