"""The state of a Thinc optimizer, or of a class made from it: moments, averages and counts by place, and its numbers.

Schedules are generators, which cannot be copied: they are gone through again.
"""

from typing import Any, Dict, Iterator, Tuple

import numpy as np
from thinc.api import Optimizer, get_current_ops

from ..errors import Errors
from ..exceptions import TrainingError
from .places import Key, Places
from .weights import Arrays

PREFIX = "optimizer"


def read_optimizer(optimizer: Optimizer, places: Places) -> Tuple[Dict[str, Any], Arrays]:
    """RETURNS (Tuple): Numbers, and arrays by attribute and place. RAISES (TrainingError): CT605 for anything else."""
    ops: Any = get_current_ops()
    names = {key: name for name, key in places.parameters()}
    info: Dict[str, Any] = {}
    arrays: Arrays = {}
    for attr, value in _attributes(optimizer):
        if _is_by_key(value):
            info[attr] = {"by_place": {}}
            for key, each in value.items():
                if key not in names:
                    raise TrainingError(Errors.CT605.format(what=f"`{attr}` of the unknown parameter {key[1]!r}"))
                if hasattr(each, "shape"):
                    arrays[f"{PREFIX}.{attr}/{names[key]}"] = ops.to_numpy(each)
                else:
                    info[attr]["by_place"][names[key]] = each
        elif _is_plain(value):
            info[attr] = {"plain": value}
        elif not callable(value):
            raise TrainingError(Errors.CT605.format(what=f"`{attr}` of {type(optimizer).__name__}"))
    return info, arrays


def put_back_optimizer(optimizer: Any, places: Places, info: Dict[str, Any], arrays: Arrays, steps: int) -> None:
    """Bring a new optimizer to where one was after so many steps."""
    ops: Any = get_current_ops()
    keys = dict(places.parameters())
    for _ in range(steps):
        optimizer.step_schedules()
    for attr, about in info.items():
        if "plain" in about:
            setattr(optimizer, attr, about["plain"])
            continue
        start = f"{PREFIX}.{attr}/"
        values: Dict[Key, Any] = {keys[name]: each for name, each in about["by_place"].items()}
        for name in arrays:
            if name.startswith(start):
                values[keys[name.removeprefix(start)]] = ops.asarray(np.array(arrays[name]))
        held = getattr(optimizer, attr)
        held.clear()
        held.update(values)


def _attributes(optimizer: Any) -> Iterator[Tuple[str, Any]]:
    slots = [name for kind in type(optimizer).__mro__ for name in getattr(kind, "__slots__", ())]
    for name in dict.fromkeys([*slots, *getattr(optimizer, "__dict__", {})]):
        if name not in ("schedules", "__dict__", "__weakref__") and hasattr(optimizer, name):
            yield name, getattr(optimizer, name)


def _is_by_key(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, tuple) and len(key) == 2 for key in value)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(each) for each in value)
    return value is None or isinstance(value, (bool, int, float, str))
