"""The published schemas and the readers agree: what a reader takes conforms, and what conforms is taken, or gives one
of the errors that a schema cannot express."""

import copy
import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from spacy_ctxtag.data.augment.paraphrase_file import create_paraphrase_file_v1
from spacy_ctxtag.data.augment.replace_mentions import read_gazetteer
from spacy_ctxtag.data.augment.synonyms import read_lexicon
from spacy_ctxtag.data.jsonl import read_jsonl
from spacy_ctxtag.data.records import DataError, Problem

FOLDER = Path(__file__).parents[2] / "spacy_ctxtag" / "data" / "schemas"
FILES = sorted(FOLDER.glob("*.json"))
BEYOND = {
    "CT363",
    "CT364",
    "CT366",
    "CT367",
    "CT368",
    "CT370",
    "CT376",
}  # what `jsonl.schema.json` says that it cannot say


def load(name: str) -> Draft202012Validator:
    """RETURNS (Draft202012Validator): A schema of the package."""
    return Draft202012Validator(json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf8")))


JSONL = load("jsonl")

ODD = st.sampled_from([None, True, False, 0, 1, 3, 4.0, 2.5, -1, "", "x", [], {}, [0, 4, "X"], {"start": 0}])


def mostly(good: Any, *odd: Any) -> Any:
    """RETURNS (SearchStrategy): Values that fit, and seldom some that may not."""
    return st.integers(0, 11).flatmap(lambda n: good if n else st.one_of(ODD, *odd))


def some(fields: Dict[str, Any]) -> Any:
    """RETURNS (SearchStrategy): Objects with any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


TEXT = mostly(st.sampled_from(["Ada left", "Ada left", "Ada", " "]), st.just("a \ud83d"))
OFFSET = mostly(st.sampled_from([0, 3, 4, 8]), st.integers(0, 9))
LABEL = mostly(st.sampled_from(["PER", "LOC"]), st.sampled_from(["\ud83d", " "]))
FIELDS = {"start": OFFSET, "end": OFFSET, "label": LABEL}
SPAN = mostly(
    st.one_of(
        st.sampled_from([[0, 3, "PER"], [4, 8, "LOC"], {"start": 0, "end": 3, "label": "PER"}]),
        st.tuples(OFFSET, OFFSET, LABEL).map(list),
        st.fixed_dictionaries(FIELDS, optional={"token_start": ODD}),
    ),
    some(FIELDS),
    st.lists(ODD, max_size=4),
)
SPANS = mostly(st.one_of(st.none(), st.lists(SPAN, max_size=3)))
ALL_TOKENS = [{"start": 0, "end": 3, "text": "Ada", "id": 0}, {"start": 4, "end": 8, "ws": False}]
WORD = mostly(st.sampled_from(["Ada", "left"]))
TOKEN = mostly(st.fixed_dictionaries({"start": OFFSET, "end": OFFSET}, optional={"text": WORD, "id": ODD}))
TOKENS = mostly(st.one_of(st.none(), st.just(ALL_TOKENS), st.lists(TOKEN, min_size=1, max_size=2)))
ANSWER = mostly(st.sampled_from(["accept", "accept", "reject", "ignore"]))
VALUE = mostly(ODD, st.sampled_from([2**64, 2**100, "\ud83d"]))
OTHERS = {"id": VALUE, "meta": mostly(ODD, some({"a": VALUE, "id": VALUE})), "domain": VALUE}
ANNOTATION = some({"entities": SPANS, "spans": SPANS, "tokens": TOKENS, "answer": ANSWER, **OTHERS})
RECORD = st.tuples(ANNOTATION, TEXT).map(lambda pair: {**pair[0], "text": pair[1]})
PAIR = st.tuples(TEXT, ANNOTATION).map(list)
LINE = mostly(st.one_of(RECORD, RECORD, PAIR), ANNOTATION, st.lists(RECORD, max_size=3))


def read(nlp: Any, path: Path, line: Any) -> List[str]:
    """RETURNS (List[str]): The codes of the errors of a file of one line."""
    path.write_text(json.dumps(line) + "\n", encoding="utf8")
    problems: List[Problem] = []
    for record in read_jsonl(path, problems, nlp):
        record.to_doc(nlp.vocab)
    return [problem.code for problem in problems if problem.is_error]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("schemas") / "a.jsonl"


@settings(max_examples=400)
@given(LINE)
def test_schemas_jsonl_agrees_with_the_reader(nlp: Any, path: Path, line: Any) -> None:
    errors = read(nlp, path, line)
    if JSONL.is_valid(line):
        assert set(errors) <= BEYOND
    else:
        assert errors


GOOD = [
    {"text": "Ada left", "entities": [[0, 3, "PER"]]},
    {"text": "Ada left", "spans": [{"start": 0, "end": 3, "label": "PER", "token_end": 0}], "tokens": ALL_TOKENS},
    {"text": "Ada left", "entities": None, "spans": None, "tokens": None, "answer": "accept", "meta": {"n": 1}},
    {"text": "Ada left", "entities": [], "spans": "not looked at", "id": 7},
    {"text": "Ada left", "id": 2**100, "meta": {"line": 2**100, "n": 2**64 - 1}},
    {"text": "Ada left", "entities": "whatever", "answer": "reject"},
    ["Ada left", {"entities": [[0, 3, "PER"]], "text": 3}],
]


@pytest.mark.parametrize("line", GOOD, ids=json.dumps)
def test_schemas_jsonl_takes_what_the_reader_takes(nlp: Any, path: Path, line: Any) -> None:
    assert read(nlp, path, line) == []
    assert JSONL.is_valid(line)


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (["text"], ""),
        (["text"], None),
        (["tokens"], []),
        (["tokens", 0, "start"], "0"),
        (["tokens", 0, "text"], None),
        (["spans"], {}),
        (["spans", 0], "PER"),
        (["spans", 0, "label"], ""),
        (["spans", 0, "end"], True),
        (["spans", 0, "start"], -1),
        (["entities"], 3),
    ],
)
def test_schemas_jsonl_refuses_what_the_reader_refuses(nlp: Any, path: Path, at: List[Any], value: Any) -> None:
    line = copy.deepcopy(GOOD[1])
    inner: Any = line
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    assert read(nlp, path, line) != []
    assert not JSONL.is_valid(line)


WORDS = st.one_of(st.sampled_from(["a", " b ", "", " ", "\u2003", "\x85"]), ODD)
READERS = {
    "gazetteer": (read_gazetteer, some({"label": WORDS, "mention": WORDS})),
    "lexicon": (
        read_lexicon,
        some({"word": WORDS, "synonyms": st.one_of(WORDS, st.lists(WORDS, max_size=2)), "pos": WORDS}),
    ),
    "paraphrases": (
        create_paraphrase_file_v1,
        some({"text": WORDS, "paraphrases": st.one_of(WORDS, st.lists(WORDS, max_size=2))}),
    ),
}


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
def test_schemas_of_augmenters_agree_with_their_readers(path: Path, name: str, data: Any) -> None:
    reader, lines = READERS[name]
    line = data.draw(st.one_of(lines, ODD))
    path.write_text(json.dumps(line) + "\n", encoding="utf8")
    try:
        reader(path)
        is_taken = True
    except DataError:
        is_taken = False
    assert load(name).is_valid(line) == is_taken


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_schemas_are_schemas(file: Path) -> None:
    schema = json.loads(file.read_text(encoding="utf8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["title"]
