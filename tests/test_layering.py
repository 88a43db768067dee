"""The tree of the package: who may import whom, how long a file may be, what its entry points need."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PACKAGE = "spacy_ctxtag"
RANKS = {
    "codes": -1,
    "errors": 0,
    "exceptions": 0,
    "types": 0,
    "warnings": 0,
    "tags": 1,
    "crf": 2,
    "data": 2,
    "layers": 3,
    "architectures": 4,
    "training": 4,
    "evaluation": 4,
    "components": 5,
    "learning": 6,
    "deploy": 6,
    "operate": 6,
    "cli": 7,
}
LINES = {"layers": 120, "components": 350}
LINES_ELSEWHERE = 500

SOURCES = sorted((ROOT / PACKAGE).rglob("*.py"))
EVERY_FILE = sorted(path for folder in (PACKAGE, "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))


def branch(module: str) -> str:
    """The part of the tree that a module belongs to: `spacy_ctxtag.crf.chains` is in `crf`, the package in ''."""
    return [*module.split("."), ""][1]


def module_name(path: Path, root: Path = ROOT) -> str:
    """The dotted name under which a file is imported."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(source: str, module: str, *, is_package: bool) -> Iterator[tuple[int, str]]:
    """Everything of ours that a source imports, at any depth, functions included.

    source (str): The source.
    module (str): Its dotted name, for relative imports.
    is_package (bool): Whether it is an `__init__.py`.
    YIELDS (tuple[int, str]): The line, and the dotted name of a module, or of a thing in one.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                parents = parents[: len(parents) - node.level + is_package]
                base = ".".join([*parents, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.split(".")[0] == PACKAGE)


def breaches(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """The imports of a source that the tree forbids, as `line: what`."""
    own = branch(module)
    found = []
    for line, name in imported_modules(source, module, is_package=is_package):
        other = branch(name)
        # A name that the package itself defines (`__version__`) belongs to nobody.
        if other not in RANKS or other == own:
            continue
        if own not in RANKS or RANKS[other] >= RANKS[own]:
            found.append(f"{line}: {module} (rank {RANKS.get(own, 'none')}) imports {name} (rank {RANKS[other]})")
    return found


def entry_point_modules() -> list[str]:
    """The modules that the entry points of the project name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    groups = project.get("entry-points", {}).values()
    return sorted({target.split(":")[0] for group in groups for target in group.values()})


def config_breakers(source: str) -> list[str]:
    """What switches off the validation of configs: annotations that are not evaluated, as `line: what`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            found += [f"{node.lineno}: {alias.name}" for alias in node.names if alias.name == "annotations"]
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = node.id if isinstance(node, ast.Name) else node.attr
            found += [f"{node.lineno}: {name}"] if name == "TYPE_CHECKING" else []
    return found


def line_limit(path: Path) -> int:
    """How many lines a file may have."""
    parts = path.parts
    return LINES.get(parts[1], LINES_ELSEWHERE) if parts[0] == PACKAGE else LINES_ELSEWHERE


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_layering_module_imports_lower_ranks_only(path: Path) -> None:
    name = module_name(path)
    assert breaches(path.read_text(encoding="utf8"), name, is_package=path.stem == "__init__") == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_layering_module_has_a_place_in_the_tree(path: Path) -> None:
    assert branch(module_name(path)) in {"", *RANKS}, f"{path} is in no part of the tree; a new part needs a rank"


@pytest.mark.parametrize("path", EVERY_FILE, ids=lambda path: str(path.relative_to(ROOT)))
def test_layering_file_is_short_enough(path: Path) -> None:
    lines = len(path.read_text(encoding="utf8").splitlines())
    assert lines <= line_limit(path.relative_to(ROOT))


def test_layering_package_has_no_drawer_for_everything() -> None:
    assert [path for path in SOURCES if path.stem in {"utils", "util", "helpers", "common", "misc"}] == []


@pytest.mark.parametrize("module", entry_point_modules())
def test_layering_registered_functions_keep_their_annotations(module: str) -> None:
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    assert config_breakers(path.read_text(encoding="utf8")) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("spacy_ctxtag.tags", "from spacy_ctxtag.crf import chains"),
        ("spacy_ctxtag.tags", "import spacy_ctxtag.crf.chains"),
        ("spacy_ctxtag.crf.chains", "from ..layers.crf import build"),
        ("spacy_ctxtag.crf.chains", "from .. import data"),
        ("spacy_ctxtag.layers.crf", "def f():\n    from ..components.ner import make"),
        ("spacy_ctxtag.training.loop", "from ..evaluation import scorers"),
        ("spacy_ctxtag.errors", "from .types import Tok2Vec"),
        ("spacy_ctxtag", "from .components import ner"),
    ],
)
def test_layering_planted_import_is_caught(module: str, source: str) -> None:
    assert len(breaches(source, module, is_package=module == PACKAGE)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("spacy_ctxtag.crf.chains", "from ..tags import Scheme\nfrom .forward_backward import run"),
        ("spacy_ctxtag.cli.main", "from .. import __version__\nfrom ..components import ner\nimport spacy"),
        ("spacy_ctxtag.errors", "from typing import List"),
    ],
)
def test_layering_lawful_import_passes(module: str, source: str) -> None:
    assert breaches(source, module) == []


def test_layering_relative_import_of_a_package_is_resolved() -> None:
    found = imported_modules("from .chains import x\nfrom ..tags import y", "spacy_ctxtag.crf", is_package=True)
    assert [name for _, name in found] == ["spacy_ctxtag.crf.chains.x", "spacy_ctxtag.tags.y"]


@pytest.mark.parametrize(
    "source",
    [
        "from __future__ import annotations",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import x",
        "import typing\nif typing.TYPE_CHECKING:\n    import x",
    ],
)
def test_layering_planted_switch_off_of_annotations_is_caught(source: str) -> None:
    assert len(config_breakers(source)) == 1


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("spacy_ctxtag/layers/crf.py", 120),
        ("spacy_ctxtag/components/ner.py", 350),
        ("spacy_ctxtag/tags.py", 500),
        ("tests/layers/test_crf.py", 500),
    ],
)
def test_layering_line_limit_depends_on_the_place(path: str, limit: int) -> None:
    assert line_limit(Path(path)) == limit
