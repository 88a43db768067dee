"""Scripts of `benchmarks/` as modules, for the tests of what they compute."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "benchmarks"


@contextmanager
def benchmark(name: str) -> Iterator[Any]:
    """Import a script, with what it imports from its folder. All of that is forgotten at the end, as other scripts
    have modules of the same names.

    name (str): Of the file, without `.py`.
    """
    before = set(sys.modules)
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", FOLDER / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[f"benchmarks_{name}"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(FOLDER))
        for each in set(sys.modules) - before:
            if each.startswith(("benchmarks_", "systems", "accuracy", "bootstrap")):
                sys.modules.pop(each)
