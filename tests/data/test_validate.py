import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from data_helpers import codes
from jsonschema import Draft202012Validator
from spacy.tokens import Doc, DocBin

from spacy_ctxtag.data.checks.known_tokens import BATCH, Known
from spacy_ctxtag.data.statistics import SplitStatistics, conflicting_mentions, unseen_share
from spacy_ctxtag.data.validate import validate

SCHEMAS = Path(__file__).parents[2] / "spacy_ctxtag" / "data" / "schemas"
LONG = "[LOC Rome] is a very old town"


@pytest.fixture
def check(nlp, tmp_path):
    """Write splits, given as contents of files or as Docs, and validate them."""

    def run(**splits):
        paths = {}
        for name, content in splits.items():
            is_text = isinstance(content, str)
            paths[name] = [tmp_path / f"{name}.{'txt' if is_text else 'spacy'}"]
            if is_text:
                paths[name][0].write_text(content)
            else:
                DocBin(store_user_data=True, docs=content).to_disk(paths[name][0])
        return validate(paths, nlp)

    return run


def test_validate_finds_nothing_in_good_data(check):
    result = check(train=f"# doc = a\n{LONG}\n# doc = b\n[LOC Kiel] too\n", test="# doc = c\n[LOC Oslo]\n")
    assert result.problems == []
    assert [split.docs for split in result.splits] == [2, 1]


def test_validate_reports_documents_without_annotation_or_text(check, nlp):
    docs = [Doc(nlp.vocab, words=["x"], user_data={"ctx": {"id": "n", "source": "y.txt", "line": 3}})]
    docs += [Doc(nlp.vocab, words=[" "]), Doc(nlp.vocab)]
    result = check(train=docs)
    assert codes(result.errors) == [("CT380", 0), ("CT381", 0), ("CT381", 0)]
    assert "(document 'n' from y.txt:3)" in str(result.errors[0])
    assert result.errors[0].path.endswith("train.spacy")


def test_validate_reports_white_space_at_the_edge_of_an_entity(check, nlp):
    doc = Doc(nlp.vocab, words=["in", "\n", "Rome"], ents=["O", "B-LOC", "I-LOC"])
    (error,) = check(train=[doc]).errors
    assert "CT382" in error.message
    assert "(document 'train-1', token 1, character 3)" in str(error)
    assert (error.document, error.token, error.char) == ("train-1", 1, 3)


def test_validate_reports_a_text_in_two_splits_with_file_and_line(check):
    result = check(train=f"# doc = a\n{LONG}\n", test=f"# doc = b\nx\n\n# doc = c\n{LONG.upper()}\n")
    assert codes(result.errors) == [("CT383", 4)]
    assert "train.txt:1" in result.errors[0].message
    assert "(document 'c')" in str(result.errors[0])


def test_validate_warns_of_repeated_short_texts_and_repeats_inside_a_split(check):
    content = f"# doc = a\n{LONG}\n\n# doc = b\n{LONG}\n\n# doc = c\nThanks !\n"
    result = check(train=content, test="# doc = d\nThanks !\n")
    assert result.errors == []
    assert codes(result.problems, is_error=False)[:2] == [("CW303", 4), ("CW303", 1)]


def test_validate_warns_of_sentences_in_two_splits(check):
    result = check(train=f"# doc = a\n{LONG}\nx\n", test=f"# doc = b\ny\n{LONG}\n")
    assert codes(result.problems) == []
    (warning,) = [problem for problem in result.problems if "CW304" in problem.message]
    assert "token 1, character 2" in str(warning)
    assert "train.txt:1 (document 'a', token 0, character 0)" in warning.message
    assert warning.line == 1


def test_validate_compares_texts_without_capitals_and_white_space(nlp, tmp_path):
    (tmp_path / "train.iob").write_text("Rome B-LOC\nis O\nvery O\nold O\n. O\n")
    (tmp_path / "test.jsonl").write_text('{"text": "ROME is very  old.", "entities": [[0, 4, "LOC"]]}\n')
    paths = {name: [tmp_path / name] for name in ("train.iob", "test.jsonl")}
    assert codes(validate(paths, nlp).errors) == [("CT383", 1)]


def test_validate_compares_a_document_without_sentences_as_one(check, nlp):
    words = LONG.replace("[LOC Rome]", "Rome").split()
    whole = Doc(nlp.vocab, words=words, tags=["T"] * len(words))
    starts = [True] + [False] * (len(words) - 1)
    parts = Doc(nlp.vocab, words=["Yes", *words], tags=["T"] * (len(words) + 1), sent_starts=[True, *starts])
    for train, test, token in ((whole, parts, 1), (parts, whole, 0)):
        result = check(train=[train], test=[test])
        assert [(each.path[-10:], each.token) for each in result.problems if each.code == "CW304"] == [
            ("test.spacy", token)
        ]


def test_validate_reports_a_broken_document_and_goes_on(nlp, tmp_path):
    good = Doc(nlp.vocab, words=["a", "b"], ents=["B-X", "O"])
    broken = DocBin(docs=[good, good])
    broken.span_groups[1] = b"broken"
    broken.to_disk(tmp_path / "a.spacy")
    DocBin(docs=[good]).to_disk(tmp_path / "b.spacy")
    result = validate({"train": [tmp_path / "a.spacy", tmp_path / "b.spacy"]}, nlp)
    assert [(each.code, each.path) for each in result.errors] == [("CT309", str(tmp_path / "a.spacy"))]
    assert result.splits[0].docs == 2


def test_validate_reports_a_file_that_cannot_be_read(nlp, tmp_path, monkeypatch):
    def refuse(path, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "a.txt").write_text("a")
    monkeypatch.setattr(Path, "open", refuse)
    (error,) = validate({"train": [tmp_path / "a.txt"]}, nlp).errors
    assert error.message == "[CT301] The file cannot be read: Permission denied."


def test_validate_warns_of_entities_over_sentence_borders_and_missing_tags(check, nlp):
    doc = Doc(nlp.vocab, words=["a", "b"], ents=["B-X", "I-X"], sent_starts=[True, True], tags=["T", ""], user_data={})
    found = codes(check(train=[doc]).problems, is_error=False)
    assert [code for code, _ in found] == ["CW301", "CW302", "CW305", "CW305"]


def test_validate_warns_of_labels_that_cannot_be_learnt_or_measured(check):
    result = check(
        train="# doc = a\n[ORG A] [ORG B] [LOC C] [LOC D]\n", test="# doc = b\n[LOC E] [TYPO F] [NEW G] [NEW H]\n"
    )
    messages = [problem.message for problem in result.problems]
    assert [message[1:6] for message in messages] == ["CW306", "CW307", "CW305", "CW306"]
    assert ["NEW" in messages[0], "ORG" in messages[1], "TYPO" in messages[2]] == [True, True, True]


def test_validate_counts_mentions_with_conflicting_labels(check):
    result = check(train="# doc = a\n[LOC Lyon] [LOC Lyon] [ORG Lyon] [ORG Kiel]\n")
    (warning,) = result.problems
    assert "'Lyon' carries different labels in different places: LOC 2, first at" in warning.message
    assert "; ORG 1, first at" in warning.message
    assert (warning.line, warning.token, warning.char) == (1, 2, 10)


def test_validate_warns_of_texts_that_are_nearly_the_same(check):
    text = f"{LONG} on seven hills by a river in the middle of this country"
    train = f"# doc = a\n{text}\n\n# doc = b\n{text.replace('a river', 'the river')}\n"
    result = check(train=train, test=f"# doc = c\n{text.replace('very', 'rather')}\n")
    found = [(problem.code, problem.line, problem.document) for problem in result.problems]
    assert found == [("CW313", 4, "b"), ("CW312", 1, "c")]


def test_validate_does_not_look_for_near_duplicates_where_it_is_told_so(nlp, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(f"# doc = a\n{LONG}\n\n# doc = b\n{LONG} now\n")
    assert codes(validate({"train": [path]}, nlp, similarity=1.0).problems, is_error=False) == []
    with pytest.raises(ValueError, match=r"CT304.*near-duplicates"):
        validate({"train": [path]}, nlp, similarity=0.0)


def test_validate_counts_and_lists_tokens_that_an_encoder_does_not_know(nlp, tmp_path):
    def judge(docs):
        words = [token.text for doc in docs for token in doc]
        return Known(np.array([word in "x☃" for word in words]), np.array([word == "o" for word in words]))

    paths = {"train": tmp_path / "a.txt", "test": tmp_path / "b.txt"}
    paths["train"].write_text("# doc = a\nx y\n\n" + "".join(f"# doc = b{i}\nz{i} x ☃\n\n" for i in range(BATCH)))
    paths["test"].write_text("# doc = c\no x\n")
    result = validate({name: [path] for name, path in paths.items()}, nlp, judge=judge, encoder="E5", similarity=1.0)
    found = [(each.code, each.path, each.line, each.token) for each in result.problems]
    train, test = str(paths["train"]), str(paths["test"])
    assert found == [("CW316", train, 1, 0), ("CW316", train, 4, 2), ("CW317", test, 1, 0)]
    assert f"'x' ({BATCH + 2} ×) has a piece that E5 does not know" in result.problems[0].message
    assert (result.unknown["train"], result.unknown["test"], dict(result.deleted)) == (2 * BATCH + 1, 1, {"test": 1})


def test_validate_sorts_problems_by_severity_and_code(check):
    result = check(train=f"# doc = a\n{LONG} [ORG x]\n\n# doc = b\ny]\n", test=f"# doc = c\n{LONG} [ORG x]\n")
    assert [(key, len(group)) for key, group in result.by_code().items()] == [
        ((False, "CT319"), 1),
        ((False, "CT383"), 1),
    ]


def test_validate_result_is_described_by_its_schema(check):
    schema = json.loads((SCHEMAS / "problems.schema.json").read_text(encoding="utf8"))
    train = f"# doc = a\n# domain = web\n{LONG}\n\n# doc = b\n[LOC x\n\n# doc = c\nRome \\~ [PER Rome]\n"
    result = check(train=train, test=f"# doc = d\n{LONG}\n\n# doc = e\n[NEW z]\n").to_json()
    jsonschema.validate(result, schema, Draft202012Validator)
    assert result["codes"] == {"CT321": 1, "CT383": 1, "CW305": 2, "CW306": 1, "CW307": 1, "CW308": 1}
    assert (result["errors"], result["warnings"]) == (2, 5)
    first = result["problems"][0]
    assert (first["code"], first["line"], first["document"], first["token"], first["char"]) == (
        "CT321",
        6,
        "b",
        0,
        None,
    )
    assert result["splits"][0]["labels"] == {"entities": {"LOC": 1, "PER": 1}}
    assert result["splits"][0]["domains"] == {"web": 1}


def test_validate_lists_problems_of_reading_with_the_others(check):
    result = check(train="# doc = a\n[LOC x\n\n# doc = b\ny\n", test="# doc = c\nz]\n")
    assert codes(result.problems) == [("CT321", 2), ("CT319", 2)]


def test_validate_without_any_document(nlp):
    assert codes(validate({}, nlp).problems) == [("CT373", 0)]


def test_statistics_counts_and_compares(nlp):
    train, other = SplitStatistics("train"), SplitStatistics("test")
    train.add(Doc(nlp.vocab, words=["a", "b"], ents=["B-X", "B-Y"], sent_starts=[True, True], tags=["T", ""]), "web")
    other.add(Doc(nlp.vocab, words=["a", "b", "c", "a"], ents=["B-X", "B-X", "", "B-X"]))
    assert (train.docs, train.sents, train.tokens, train.tagged, train.domains["web"]) == (1, 2, 2, 1, 1)
    assert (other.sents, other.unknown, other.labels) == (0, 1, {"entities": {"X": 3}})
    assert train.labels == {"entities": {"X": 1, "Y": 1}, "tags": {"T": 1}}
    assert unseen_share(train, other) == pytest.approx(1 / 3)
    assert unseen_share(train, SplitStatistics("dev")) == 0.0
    assert conflicting_mentions([train, other]) == {"b": {"Y": 1, "X": 1}}
