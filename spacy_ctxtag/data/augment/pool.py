"""Things that were met while reading, by kind, of which one is drawn at random."""

import random
from typing import Dict, Generic, Hashable, List, Optional, Set, Tuple, TypeVar

T = TypeVar("T")


class Pool(Generic[T]):
    """Distinct things by kind; each counts once, however often it was met.

    size (int): How many are kept of a kind; those that come later are left out.
    """

    def __init__(self, size: int = 10_000) -> None:
        self.size = size
        self._things: Dict[Hashable, List[Tuple[str, T]]] = {}
        self._names: Dict[Hashable, Set[str]] = {}

    def wants(self, kind: Hashable, name: str) -> bool:
        """RETURNS (bool): Whether a thing of this name is neither known nor one too many."""
        names = self._names.get(kind, ())
        return name not in names and len(names) < self.size

    def add(self, kind: Hashable, name: str, thing: T) -> None:
        """Keep a thing, if it is wanted."""
        if self.wants(kind, name):
            self._things.setdefault(kind, []).append((name, thing))
            self._names.setdefault(kind, set()).add(name)

    def draw(self, rng: random.Random, kind: Hashable, but: str) -> Optional[T]:
        """Draw one of a kind.

        but (str): The name of the one that is not wanted.
        RETURNS (Optional[T]): The thing; None if there is no other.
        """
        things = self._things.get(kind, ())
        if not things:
            return None
        at = rng.randrange(len(things))
        name, thing = things[at]
        if name == but:
            name, thing = things[(at + 1) % len(things)]
        return None if name == but else thing
