"""Read something off an object once, however often it is asked for. Two threads may both read, and find the same."""

from functools import wraps
from typing import Any, Callable, TypeVar
from weakref import WeakKeyDictionary

Found = TypeVar("Found")


def once(read: Callable[[Any], Found]) -> Callable[[Any], Found]:
    """Decorate a function of an object that does not change, such as a tokenizer. It is remembered with the object."""
    known: WeakKeyDictionary[Any, Found] = WeakKeyDictionary()

    @wraps(read)
    def remembered(each: Any) -> Found:
        if each not in known:
            known[each] = read(each)
        return known[each]

    return remembered
