"""Files of behaviour tests: texts and slots, and that whatever is wrong is told with its line, not met later."""

import contextlib
import random
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_ctxtag.data.records import DataError
from spacy_ctxtag.evaluation.behaviour_changes import KINDS
from spacy_ctxtag.evaluation.behaviour_file import read_suite
from spacy_ctxtag.evaluation.behaviour_text import BehaviourError, Slot, fillings, make_cases, parse

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "configs" / "behaviour.yml"
PERSON, CITY, VERB = Slot(["Ada", "Tom Weiss"], "PERSON"), Slot(["Porto"], "LOC"), Slot(["left", "saw"], None)
SLOTS = {"person": PERSON, "city": CITY, "verb": VERB}
GOOD = """\
slots:
  person: {label: PERSON, values: [Ada]}
tests:
  - name: one
    description: First
    type: minimal
    texts: ["{person} left."]
"""


def read(text: str, folder: Path) -> Any:
    (folder / "suite.yml").write_text(text, encoding="utf8")
    return read_suite(folder / "suite.yml")


def problems(text: str, folder: Path) -> list[str]:
    """RETURNS (list[str]): What is wrong with a file, as `line: message`."""
    with pytest.raises(DataError) as error:
        read(text, folder)
    assert all(problem.path == str(folder / "suite.yml") for problem in error.value.problems)
    return [f"{problem.line}: {problem.message}" for problem in error.value.problems]


# Texts


@pytest.mark.parametrize(
    ("source", "text", "marks"),
    [
        ("It rains.", "It rains.", set()),
        ("[Ada](PERSON) left [New York](LOC).", "Ada left New York.", {(0, 3, "PERSON"), (9, 17, "LOC")}),
        ("{person} {verb} {city}", "Ada left Porto", {(0, 3, "PERSON"), (9, 14, "LOC")}),
        ("[{verb} Weiss](some thing-é)", "left Weiss", {(0, 10, "some thing-é")}),
        ("{person}, {person}", "Ada, Ada", {(0, 3, "PERSON"), (5, 8, "PERSON")}),
        (r"\{person\} [1] \[a\](b) [a] (b)", "{person} [1] [a](b) [a] (b)", set()),
        (r"[a\]b](X)\\", r"a]b" + "\\", {(0, 3, "X")}),
        ("[.](PUNCT)\n", ".\n", {(0, 1, "PUNCT")}),
    ],
)
def test_text_is_filled(source: str, text: str, marks: Any) -> None:
    values = {"person": "Ada", "verb": "left", "city": "Porto"}
    assert parse(source, SLOTS).fill(values) == (text, marks)


@pytest.mark.parametrize(
    "source",
    ["", "  ", "{", "a } b", "{nobody}", "{}", "[](LOC)", "[ a](LOC)", "[a](  )", "[{person} x](PERSON)", "{{person}}"],
)
def test_text_that_cannot_be_used_is_refused(source: str) -> None:
    with pytest.raises(BehaviourError):
        parse(source, SLOTS)


@given(text=st.text("ab é\n[](){}\\", max_size=20))
def test_text_with_escapes_is_any_text(text: str) -> None:
    escaped = re.sub(r"[\[\]{}()\\]", lambda match: "\\" + match[0], text)
    if text.strip():
        assert parse(escaped, {}).fill({}) == (text, set())


@given(text=st.text("ab[](){}\\ ", max_size=20))
def test_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BehaviourError):
        filled = parse(text, SLOTS).fill({})
        assert all(0 <= start < end <= len(filled.text) for start, end, _ in filled.marks)


def test_fillings_are_all_that_differ() -> None:
    slots = {"person": PERSON, "verb": VERB, "person2": PERSON}
    expected = [(a, v, b) for a, v, b in product(PERSON.values, VERB.values, PERSON.values) if a != b]
    found = fillings(slots, 50, random.Random(0))
    assert sorted((each["person"], each["verb"], each["person2"]) for each in found) == sorted(expected)


def test_fillings_are_drawn_where_there_are_too_many() -> None:
    large = Slot([f"w{i}" for i in range(1000)], "X")
    slots = {f"x{i}": large for i in range(6)}
    found = fillings(slots, 9, random.Random(0))
    assert len(found) == 9
    assert all(len(set(each.values())) == 6 for each in found)
    assert found == fillings(slots, 9, random.Random(0)) != fillings(slots, 9, random.Random(1))


def test_fillings_need_enough_values() -> None:
    assert fillings({"city": CITY, "city2": CITY}, 5, random.Random(0)) == []
    assert fillings({}, 5, random.Random(0)) == [{}]


def test_cases_of_a_pair_have_the_same_values() -> None:
    group = [parse("{person} left", SLOTS), parse("{verb} {person}", SLOTS)]
    cases = make_cases(group, 50, random.Random(0))
    assert len(cases) == 4
    assert all(before.text.removesuffix(" left") == after.text.partition(" ")[2] for before, after in cases)


# Files


def test_file_is_read(tmp_path: Path) -> None:
    suite = read(GOOD, tmp_path)
    [test] = suite.tests
    assert (suite.seed, test.name, test.type, test.layer, test.severity) == (0, "one", "minimal", "ents", "major")
    assert (test.max_failure_rate, test.labels, test.max_cases) == (0.0, None, 50)
    assert test.expected_labels == {"PERSON"}


CASES = [
    ("slots:", "slotz:", "1: [CT741] the file: met the setting 'slotz'. Expected one of seed, slots, tests."),
    ("slots:", "seed: -1\nslots:", "1: [CT741] the file, `seed`: met -1. Expected a whole number from 0"),
    ("label: PERSON", "label: 5", "2: [CT741] slot 'person', `label`: met 5. Expected a text."),
    ("[Ada]", "[]", "2: [CT741] slot 'person', `values`: met a list. Expected a list of texts"),
    ("[Ada]", "[Ada, 2016-05-04]", "2: [CT741] slot 'person', `values`: met a date. Expected texts (quote"),
    ("[Ada]", "[Ada, yes, 5]", "2: [CT741] slot 'person', `values`: met 5. Expected texts (quote numbers"),
    ("name: one", "nam: one", "4: [CT741] test nothing: met the setting 'nam'."),
    ("name: one", "nam: one", "4: [CT741] test nothing, `name`: met nothing. Expected a text."),
    ("First", "", "5: [CT741] test 'one', `description`: met nothing. Expected a text."),
    ("minimal", "maximal", "6: [CT741] test 'one', `type`: met 'maximal'. Expected one of minimal, invariance, dir"),
    ("minimal", "invariance", "4: [CT741] test 'one', `change`: met nothing. Expected a mapping with a change"),
    ("minimal", "directional", "7: [CT741] test 'one': met the setting 'texts'. Expected one of name, desc"),
    (
        "{person} left",
        "{people} left",
        "7: [CT741] test 'one', the text '{people} left.': met {people}. Expected one of",
    ),
    ("{person} left", "{person} {person2}", "7: [CT741] test 'one': met names of one slot with too few values"),
    ("texts: [", "texts: [5, ", "7: [CT741] test 'one', `texts`: met 5. Expected texts."),
    ("texts: [", "max_failure_rate: 1.0\n    texts: [", "7: [CT741] test 'one', `max_failure_rate`: met 1.0. Exp"),
    ("texts: [", "max_failure_rate: true\n    texts: [", "7: [CT741] test 'one', `max_failure_rate`: met True."),
    ("texts: [", "severity: huge\n    texts: [", "7: [CT741] test 'one', `severity`: met 'huge'. Expected one of crit"),
    ("texts: [", "layer: 'spans:'\n    texts: [", "7: [CT741] test 'one', `layer`: met 'spans:'. Expected one of ents"),
    ("texts: [", "max_cases: 0\n    texts: [", "7: [CT741] test 'one', `max_cases`: met 0. Expected a whole number"),
    ("texts: [", "labels: PERSON\n    texts: [", "7: [CT741] test 'one', `labels`: met 'PERSON'. Expected a list"),
    ('["{person} left."]', "{}", "7: [CT741] test 'one', `texts`: met a mapping. Expected a list of texts."),
]


@pytest.mark.parametrize(("old", "new", "expected"), CASES)
def test_file_with_an_error_says_where_and_what_is_expected(old: str, new: str, expected: str, tmp_path: Path) -> None:
    assert GOOD.count(old) == 1
    found = problems(GOOD.replace(old, new), tmp_path)
    assert [message for message in found if message.startswith(expected)], found


CHANGES = [
    ("{}", "met nothing. Expected one of typos, casing"),
    ("{typo: }", "met typo. Expected one of typos"),
    ("{typos: , casing: }", "met typos, casing. Expected one of"),
    ("{typos: {rat: 1}}", "met settings that cannot be used"),
    ("{typos: {rate: 5}}", "CT390"),
    ("{typos: {rate: much}}", "met settings that cannot be used"),
    ("{typos: 3}", "met settings that cannot be used"),
    ("{typos: , outside: 1}", "met `outside`"),
    ("{spaces: , outside: true}", "met `outside`"),
    ("{before: [5]}", "met `before` with something else than texts"),
    ("{before: []}", "met no sentences. Expected"),
    ("{mentions: }", "met no mentions"),
    ("{mentions: {LOC: []}}", "met no mentions"),
    ("{mentions: {LOC: [1]}}", "met `LOC` with something else than texts"),
    ('{"@augmenters": nobody.v1}', "met settings that cannot be used"),
    ('{"@augmenters": spacy-ctxtag.Synonyms.v1, path: /nowhere}', "met settings that cannot be used"),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_change_that_cannot_be_used_is_told(change: str, expected: str, tmp_path: Path) -> None:
    text = GOOD.replace("minimal", f"invariance\n    change: {change}")
    [found] = problems(text, tmp_path)
    assert found.startswith("7: [CT741] test 'one', `change`: met ")
    assert expected in found


def test_directional_without_a_change_is_told(tmp_path: Path) -> None:
    pairs = 'pairs: [{from: "[Ada](X)", to: "[Ada](X) left"}, {from: a}, {to: "{nobody}", from: b, and: c}]'
    text = re.sub(r"texts: .*", pairs, GOOD.replace("minimal", "directional"))
    found = problems(text, tmp_path)
    for expected in ("the same marks", "`to`: met nothing", "met the setting 'and'", "met {nobody}"):
        assert [message for message in found if expected in message], (expected, found)


def test_minimal_of_tags_needs_marks(tmp_path: Path) -> None:
    text = GOOD.replace("{person} left.", "It rains.").replace("texts:", "layer: pos\n    texts:")
    assert problems(text, tmp_path)[0].startswith("8: [CT741] test 'one': met a text without marks")


def test_name_that_is_there_again_is_told(tmp_path: Path) -> None:
    [found] = problems(GOOD + GOOD.partition("tests:\n")[2], tmp_path)
    assert found.startswith("8: [CT741] tests: met the name 'one' again")


def test_all_problems_are_told(tmp_path: Path) -> None:
    text = GOOD.replace("minimal", "maximal").replace("[Ada]", "[1]").replace("First", "2")
    assert [message.split(":")[0] for message in problems(text, tmp_path)] == ["2", "6", "5"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "CT741"),
        ("[]", "CT741"),
        ("5", "CT741"),
        ("tests: []", "CT741"),
        ("tests: [5]", "CT741"),
        ("tests: {}", "CT741"),
        ("slots: [a]\n" + GOOD.partition("tests")[0], "CT742"),  # twice the same key
        ("tests: [", "CT742"),
        ("a: b: c", "CT742"),
        ("\tx", "CT742"),
        ("[" * 400, "CT742"),
        ("a: &a [*a]\ntests: *a", "CT741"),
        ("tests: !!python/object/apply:os.system [echo]", "CT741"),
        ("1: 2\nnull: 3\n? [a, b]\n: c", "CT741"),
        ("--- a\n--- b", "CT742"),
    ],
)
def test_hostile_file_is_refused(text: str, code: str, tmp_path: Path) -> None:
    found = problems(text, tmp_path)
    assert all(f"[{code}]" in message for message in found)


def test_values_without_end_are_refused(tmp_path: Path) -> None:
    """Ten lists of ten lists of …."""
    laughs = [f"l{i + 1}: &l{i + 1} [{', '.join([f'*l{i}'] * 10)}]" for i in range(9)]
    change = "".join(f"\n      {line}" for line in ("l0: &l0 x", *laughs))
    found = problems(GOOD.replace("minimal", f"invariance\n    change:{change}"), tmp_path)
    assert "met more than 5000 values, or 12 levels" in found[0]
    assert len(found[0]) < 500


def test_values_that_hold_themselves_are_refused(tmp_path: Path) -> None:
    found = problems(GOOD.replace("minimal", "invariance\n    change: {before: &c [It rains., *c]}"), tmp_path)
    assert found[0].startswith("7: [CT741] test 'one', `change`: met ")
    assert len(found[0]) < 500


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "suite.yml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "suite.yml", tmp_path / "none.yml", tmp_path):
        with pytest.raises(DataError, match="CT301"):
            read_suite(path)


# What ships


def test_shipped_file_is_read_and_has_every_type() -> None:
    suite = read_suite(SHIPPED)
    assert {test.type for test in suite.tests} == {"minimal", "invariance", "directional"}
    card = (ROOT / "assets" / "README.md").read_text(encoding="utf8")
    labels = set(re.findall(r"^\| ([A-Z]+) \|", card, flags=re.MULTILINE))
    entities = [test.expected_labels for test in suite.tests if test.layer == "ents"]
    assert labels == {"PERSON", "ORG", "LOC", "PRODUCT", "EVENT", "DATE", "MONEY"}
    assert set().union(*entities) <= labels


def test_page_explains_every_change_and_its_file_is_read(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "behaviour.md").read_text(encoding="utf8")
    assert all(f"`{kind}`" in page or f'`"{kind}"`' in page for kind in KINDS)
    [example] = re.findall(r"^```yaml\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert len(read(example, tmp_path).tests) == 3
