"""Reads a file of behaviour tests (YAML), and finds all that is wrong with it, with line, test and what is expected.

The shape is in `docs/behaviour.md`. Nothing is run here.
"""

import random
import reprlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, FrozenSet, Iterator, List, Mapping, Optional, Sequence, Tuple

from ..data.records import DataError, Problem
from ..errors import Errors
from .behaviour_changes import SPANS, TAGS, MakeVary, make_change
from .behaviour_text import BehaviourError, Slot, Template, make_cases, parse

TYPES = ("minimal", "invariance", "directional")
SEVERITIES = ("critical", "major", "minor")
LAYERS = ("ents", *TAGS)
SUITE_KEYS = ("seed", "slots", "tests")
LARGEST, DEEPEST = 5000, 12  # values in the settings of a change, and how far they nest
_KEYS = ("name", "description", "type", "severity", "max_failure_rate", "layer", "labels", "max_cases")
KEYS = {"minimal": (*_KEYS, "texts"), "invariance": (*_KEYS, "texts", "change", "variants")}
KEYS["directional"] = (*_KEYS, "pairs")


@dataclass(frozen=True)
class Behaviour:
    """One test.

    texts (List): Of a directional test pairs, before and after; of others one text each.
    layer (str): "ents", "pos", "tag" or "spans:KEY". labels (Optional[FrozenSet[str]]): These only; None: all.
    change (Optional[MakeVary]): Of an invariance test. variants (int): How many of a text.
    max_cases (int): Fillings of a text, or of a pair.
    """

    name: str
    description: str
    type: str
    severity: str
    max_failure_rate: float
    layer: str
    labels: Optional[FrozenSet[str]]
    max_cases: int
    texts: List[Tuple[Template, ...]]
    change: Optional[MakeVary]
    variants: int

    @property
    def expected_labels(self) -> FrozenSet[str]:
        """The labels that it speaks of; an invariance test expects no certain ones."""
        if self.type == "invariance":
            return self.labels or frozenset()
        found = frozenset(label for group in self.texts for text in group for label in text.labels)
        return found if self.labels is None else self.labels


@dataclass(frozen=True)
class Suite:
    """All tests of a file."""

    path: Path
    seed: int
    tests: List[Behaviour]


def read_suite(path: Path) -> Suite:
    """Read a file of tests.

    RAISES (DataError): With all problems: the file cannot be read (CT301), is no YAML (CT742), or has something that is
        not expected there (CT741).
    """
    problems: List[Problem] = []
    suite = _read(path, problems)
    if suite is None or problems:
        raise DataError(problems)
    return suite


def _load(path: Path, problems: List[Problem]) -> Any:
    from srsly.ruamel_yaml import YAML

    try:
        text = path.read_text(encoding="utf8")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(str(path), 0, Errors.CT301.format(reason=str(error).rstrip("."))))
        return None
    try:
        return YAML(typ="rt", pure=True).load(text)
    except Exception as error:  # its own are of several kinds, some of them warnings; then RecursionError, ValueError
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or f"{type(error).__name__}: {error}"
        line = 0 if mark is None else mark.line + 1
        problems.append(Problem(str(path), line, Errors.CT742.format(reason=reason.splitlines()[0].rstrip("."))))
        return None


class _Table:
    """A mapping of the file. What is not as expected becomes a problem, and a value that does no harm."""

    def __init__(self, node: Any, where: str, line: int, report: Callable[[int, str], None]) -> None:
        self.where, self.line, self.report = where, line, report
        self.values: Mapping[Any, Any] = node if isinstance(node, dict) else {}
        self.lines = getattr(getattr(node, "lc", None), "data", None) or {}
        if not isinstance(node, dict):
            self.refuse(None, _met(node), "a mapping of settings")

    def refuse(self, key: Any, met: str, expected: str) -> None:
        """Report what was met at a key, or instead of the whole mapping."""
        where = self.where if key is None else f"{self.where}, `{key}`"
        self.report(self.line_of(key), Errors.CT741.format(where=where, met=met, expected=expected))

    def line_of(self, key: Any) -> int:
        """RETURNS (int): The line of a key, from 1."""
        return int(self.lines[key][0]) + 1 if key in self.lines else self.line

    def check_keys(self, known: Sequence[str]) -> None:
        """Report keys that are not known."""
        for key in self.values:
            if key not in known:
                met, expected = f"the setting {_met(key)}", f"one of {', '.join(known)}"
                self.report(self.line_of(key), Errors.CT741.format(where=self.where, met=met, expected=expected))

    def get(self, key: str, fits: Callable[[Any], bool], expected: str, default: Any) -> Any:
        """RETURNS (Any): A value; where it does not fit, or is missing without a default, that is reported."""
        if key not in self.values and default is not None:
            return default
        value = self.values.get(key)
        if not fits(value):
            self.refuse(key, _met(value), expected)
            return default
        return value

    def text(self, key: str, default: Optional[str] = None) -> str:
        """RETURNS (str): A text."""
        return str(self.get(key, _is_text, "a text", default) or "")

    def choice(self, key: str, known: Sequence[str], default: Optional[str] = None) -> str:
        """RETURNS (str): One of some words."""
        return str(self.get(key, lambda value: value in known, f"one of {', '.join(known)}", default) or "")

    def number(self, key: str, default: int, least: int, most: int) -> int:
        """RETURNS (int): A whole number."""
        fits = partial(_is_whole, least=least, most=most)
        return int(self.get(key, fits, f"a whole number from {least} to {most}", default))

    def items(self, key: str, fits: Callable[[Any], bool], expected: str) -> Iterator[Tuple[int, Any]]:
        """YIELDS (Tuple[int, Any]): Line and value of those in a list of at least one that fit."""
        values = self.get(key, lambda value: isinstance(value, list) and len(value) > 0, f"a list of {expected}", None)
        lines = getattr(getattr(values, "lc", None), "data", None) or {}
        for at, value in enumerate(values or ()):
            line = int(lines[at][0]) + 1 if at in lines else self.line_of(key)
            if fits(value):
                yield line, value
            else:
                where = f"{self.where}, `{key}`"
                self.report(line, Errors.CT741.format(where=where, met=_met(value), expected=expected))

    def texts(self, key: str) -> List[str]:
        """RETURNS (List[str]): A list of texts."""
        return [str(value) for _, value in self.items(key, _is_text, "texts (quote numbers and dates)")]


def _read(path: Path, problems: List[Problem]) -> Optional[Suite]:
    root = _load(path, problems)
    if problems:
        return None

    def report(line: int, message: str) -> None:
        problems.append(Problem(str(path), line, message))

    table = _Table(root, "the file", 1, report)
    table.check_keys(SUITE_KEYS)
    seed = table.number("seed", 0, 0, 2**32 - 1)
    slots: Dict[str, Slot] = {}
    given = table.get("slots", lambda value: isinstance(value, dict), "slots by their names", {})
    for name, node in (given or {}).items():
        each = _Table(node, f"slot {_met(name)}", _Table(given, "slots", 1, report).line_of(name), report)
        each.check_keys(("label", "values"))
        label = each.text("label", "")
        slots[str(name)] = Slot(list(dict.fromkeys(each.texts("values"))), label or None)
    tests: List[Behaviour] = []
    for line, node in table.items("tests", lambda value: isinstance(value, dict), "tests, each a mapping of settings"):
        test = _read_test(_Table(node, f"test {_met(node.get('name'))}", line, report), slots)
        if test.name and test.name in {other.name for other in tests}:
            again = f"the name {test.name!r} again"
            report(line, Errors.CT741.format(where="tests", met=again, expected="other names"))
        tests.append(test)
    return Suite(path, seed, tests)


def _read_test(table: _Table, slots: Mapping[str, Slot]) -> Behaviour:
    kind = table.choice("type", TYPES)
    if kind:
        table.check_keys(KEYS[kind])
    layer = table.get(
        "layer",
        lambda value: value in LAYERS or (_is_text(value) and value.startswith(SPANS) and value != SPANS),
        f"one of {', '.join(LAYERS)}, or {SPANS}KEY",
        "ents",
    )
    labels = frozenset(table.texts("labels")) if "labels" in table.values else None
    texts: List[Tuple[Template, ...]] = []
    if kind == "directional":
        for line, node in table.items("pairs", lambda value: isinstance(value, dict), "pairs {from: …, to: …}"):
            pair = _Table(node, table.where, line, table.report)
            pair.check_keys(("from", "to"))
            sides = [_read_text(pair, line, pair.text(key), slots) for key in ("from", "to")]
            _add(table, line, [side for side in sides if side is not None], texts, layer, size=2)
    elif kind:
        for line, source in table.items("texts", _is_text, "texts"):
            text = _read_text(table, line, str(source), slots)
            _add(table, line, [] if text is None else [text], texts, layer if kind == "minimal" else "", size=1)
    rate = table.get("max_failure_rate", _is_share, "a number from 0 to below 1", 0.0)
    return Behaviour(
        name=table.text("name"),
        description=table.text("description"),
        type=kind,
        severity=table.choice("severity", SEVERITIES, "major"),
        max_failure_rate=float(rate),
        layer=str(layer),
        labels=labels,
        max_cases=table.number("max_cases", 50, 1, 1000),
        texts=texts,
        change=_read_change(table, str(layer)) if kind == "invariance" else None,
        variants=table.number("variants", 1, 1, 100),
    )


def _read_text(table: _Table, line: int, source: str, slots: Mapping[str, Slot]) -> Optional[Template]:
    """RETURNS (Optional[Template]): A text; None where it cannot be used, which is reported."""
    try:
        return parse(source, slots) if source else None
    except BehaviourError as error:
        where = f"{table.where}, the text {_met(source)}"
        table.report(line, Errors.CT741.format(where=where, met=error.met, expected=error.expected))
        return None


def _add(
    table: _Table, line: int, group: List[Template], texts: List[Tuple[Template, ...]], layer: str, *, size: int
) -> None:
    """Take texts that belong together, if each case that they make can be told right from wrong."""
    if len(group) < size:
        return
    cases = make_cases(group, 1, random.Random(0))
    met, expected = "", ""
    if not cases:
        met, expected = "names of one slot with too few values", "a different value for each of them"
    elif size == 2:
        before, after = ([(text.text[a:b], label) for a, b, label in text.marks] for text in cases[0])
        if sorted(before) == sorted(after):
            met, expected = "the same marks in `from` and `to`", "what the change adds or removes to be marked"
    elif layer in TAGS and not group[0].labels:
        met, expected = "a text without marks", "words marked with their tags, such as [left](VERB)"
    if met:
        table.report(line, Errors.CT741.format(where=table.where, met=met, expected=expected))
    texts.append(tuple(group))


def _read_change(table: _Table, layer: str) -> Optional[MakeVary]:
    what = "a mapping with a change, such as {typos: }"
    node = table.get("change", lambda value: isinstance(value, dict), what, None)
    if node is None:
        return None
    try:
        return make_change(_plain(node, [LARGEST]), layer)
    except BehaviourError as error:
        table.refuse("change", error.met, error.expected)
        return None


def _plain(node: Any, left: List[int], depth: int = 0) -> Any:
    """RETURNS (Any): The same, of Python's own types. RAISES (BehaviourError): Too much, as where it holds itself."""
    left[0] -= 1
    if left[0] < 0 or depth > DEEPEST:
        raise BehaviourError(f"more than {LARGEST} values, or {DEEPEST} levels of them", "fewer; augmenters read files")
    if isinstance(node, dict):
        return {str(key): _plain(value, left, depth + 1) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value, left, depth + 1) for value in node]
    for plain in (bool, int, float, str):
        if isinstance(node, plain):
            return plain(node)
    return node


_SHORT = reprlib.Repr()
_SHORT.maxstring = 80


def _met(value: Any) -> str:
    """RETURNS (str): A value in few words; a large one is not spelt out."""
    if value is None:
        return "nothing"
    if isinstance(value, (str, int, float)):
        return _SHORT.repr(_plain(value, [1]))
    names = {"CommentedMap": "a mapping", "CommentedSeq": "a list"}
    return names.get(type(value).__name__, f"a {type(value).__name__}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
