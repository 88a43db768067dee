import json

import pytest
from data_helpers import codes, ents

TEXT = "Ilse left Porto."


def line(**values):
    return json.dumps({"text": TEXT, **values})


@pytest.mark.parametrize(
    "content",
    [
        line(entities=[[0, 4, "PER"], [10, 15, "B-LOC"]]),
        line(spans=[{"start": 10, "end": 15, "label": "B-LOC"}, {"start": 0, "end": 4, "label": "PER"}]),
        json.dumps([TEXT, {"entities": [(0, 4, "PER"), (10, 15, "B-LOC")]}]),
        "\ufeff" + line(entities=[[0, 4, "PER"], [10, 15, "B-LOC"]]) + "\r\n\r\n",
    ],
)
def test_jsonl_reads_every_style(read, content):
    docs, problems = read("a.jsonl", content)
    assert problems == []
    assert docs[0].text == TEXT
    assert ents(docs[0]) == [(0, 1, "PER"), (2, 3, "B-LOC")]
    assert docs[0].has_annotation("ENT_IOB", require_complete=True)


def test_jsonl_counts_code_points(read):
    docs, _ = read("a.jsonl", json.dumps({"text": "😀 Porto", "entities": [[2, 7, "LOC"]]}))
    assert [ent.text for ent in docs[0].ents] == ["Porto"]


def test_jsonl_without_entities_leaves_them_unknown(read):
    docs, problems = read("a.jsonl", line() + "\n" + line(entities=[]))
    assert problems == []
    assert [doc.has_annotation("ENT_IOB") for doc in docs] == [False, True]


def test_jsonl_keeps_name_and_metadata(read):
    docs, _ = read("a.jsonl", line(id=7, domain="web", meta={"n": 1, "source": "x", "list": [1]}) + "\n" + line())
    found = [{k: v for k, v in doc.user_data["ctx"].items() if k != "source"} for doc in docs]
    assert found == [{"id": "7", "line": 1, "domain": "web", "n": 1}, {"id": "a-2", "line": 2}]


def test_jsonl_takes_the_tokens_of_prodigy(read):
    tokens = [{"start": 0, "end": 4}, {"start": 5, "end": 9}, {"start": 10, "end": 16, "text": "Porto."}]
    docs, problems = read("a.jsonl", line(tokens=tokens, spans=[{"start": 10, "end": 16, "label": "LOC"}]))
    assert problems == []
    assert [token.text for token in docs[0]] == ["Ilse", "left", "Porto."]
    assert docs[0].text == TEXT


@pytest.mark.parametrize("answer", ["reject", "ignore"])
def test_jsonl_counts_what_the_annotator_did_not_accept(read, answer):
    docs, problems = read("a.jsonl", line(answer="accept") + "\n" + line(answer=answer))
    assert len(docs) == 1
    assert codes(problems, is_error=False) == [("CT369", 0)]


def test_jsonl_misaligned_error_names_borders(read):
    _, problems = read("a.jsonl", line(id="x", entities=[[1, 12, "LOC"]]))
    assert codes(problems) == [("CT367", 1)]
    for text in ("'x'", "1 to 12", "'lse left Po'", "'Ilse' (0 to 4)", "0 and 9"):
        assert text in str(problems[0])
    assert (problems[0].document, problems[0].char) == ("x", 1)


@pytest.mark.parametrize("span", [[9, 15, "LOC"], [11, 13, "LOC"], [10, 14, "LOC"]])
def test_jsonl_misaligned_expand_takes_the_tokens_that_are_touched(read, span):
    docs, problems = read("a.jsonl", line(entities=[span]), on_misaligned="expand")
    assert codes(problems, is_error=False) == [("CT367", 1)]
    assert ents(docs[0]) == [(2, 3, "LOC")]


def test_jsonl_misaligned_drop_leaves_the_tokens_unknown(read):
    docs, problems = read("a.jsonl", line(entities=[[1, 7, "LOC"], [10, 15, "LOC"]]), on_misaligned="drop")
    assert codes(problems, is_error=False) == [("CT367", 1)]
    assert [token.ent_iob for token in docs[0]] == [0, 0, 3, 2]


@pytest.mark.parametrize("on_misaligned", ["drop", "expand"])
def test_jsonl_misaligned_white_space_is_dropped(read, on_misaligned):
    docs, problems = read("a.jsonl", line(entities=[[4, 5, "X"], [10, 15, "LOC"]]), on_misaligned=on_misaligned)
    assert codes(problems, is_error=False) == [("CT367", 1)]
    assert "It was dropped" in str(problems[0])
    assert ents(docs[0]) == [(2, 3, "LOC")]


def test_jsonl_labels_have_no_space_around_them(read):
    docs, problems = read("a.jsonl", line(entities=[[10, 15, " LOC"]]))
    assert (problems, ents(docs[0])) == ([], [(2, 3, "LOC")])


BAD = {
    "no JSON": ('{"text"\n', [("CT360", 1)]),
    "too deep": ("[" * 100_000, [("CT360", 1)]),
    "no object": ("3\n", [("CT361", 1)]),
    "no text": ('{"entities": []}\n', [("CT361", 1)]),
    "empty text": ('{"text": ""}\n', [("CT362", 1)]),
    "half a surrogate pair": ('{"text": "a \\ud83d b"}\n', [("CT363", 1)]),
    "carriage return": (line() + "\r" + line(), [("CT345", 1)]),
    "longer than the tokenizer takes": (line() + "\n" + json.dumps({"text": "a " * 500_001}), [("CT368", 2)]),
    "half of a pair in metadata": (line(meta={"title": "x\ud83d"}), [("CT376", 1)]),
    "half of a pair in a name": (line(id="\ud800"), [("CT376", 1)]),
    "number of 65 bits": (line(meta={"hash": 2**64}), [("CT376", 1)]),
    "label of spaces": (line(entities=[[0, 4, " "]]), [("CT366", 1)]),
    "tokens that are no list": (line(tokens=3), [("CT364", 1)]),
    "no tokens": (line(tokens=[]), [("CT364", 1)]),
    "tokens that skip text": (line(tokens=[{"start": 0, "end": 4}, {"start": 10, "end": 16}]), [("CT364", 1)]),
    "tokens that end early": (line(tokens=[{"start": 0, "end": 4}]), [("CT364", 1)]),
    "tokens with other text": (line(tokens=[{"start": 0, "end": 4, "text": "Else"}]), [("CT364", 1)]),
    "entities that are no list": (line(entities="x"), [("CT365", 1)]),
    "span without label": (line(spans=[{"start": 0, "end": 4}]), [("CT366", 1)]),
    "span of two values": (line(entities=[[0, 4]]), [("CT366", 1)]),
    "span beyond the text": (line(entities=[[0, 99, "X"]]), [("CT366", 1)]),
    "empty span": (line(entities=[[4, 4, "X"]]), [("CT366", 1)]),
    "offset that is no number": (line(entities=[["0", 4, "X"]]), [("CT366", 1)]),
    "misaligned": (line(entities=[[0, 3, "X"]]), [("CT367", 1)]),
    "white space only": (line(entities=[[4, 5, "X"]]), [("CT367", 1)]),
    "white space at an edge": (line(entities=[[4, 9, "X"]]), [("CT367", 1)]),
    "label with half of a surrogate pair": (line(entities=[[0, 4, "\ud83d"]]), [("CT366", 1)]),
    "overlap": (line(entities=[[0, 4, "X"], [0, 9, "Y"]]), [("CT370", 1)]),
    "same span twice": (line(entities=[[0, 4, "X"], [0, 4, "X"]]), [("CT370", 1)]),
    "repeated name": (line(id="a") + "\n" + line(id="a"), [("CT307", 2)]),
    "empty file": ("", [("CT308", 0)]),
    "not UTF-8": (line().encode() + b'\n{"text": "\xe9"}', [("CT302", 2)]),
    "all at once": (
        line(entities=[[0, 3, "X"], [5, 5, "Y"]]) + "\n\n{\n" + line(entities={}),
        [("CT367", 1), ("CT366", 1), ("CT360", 3), ("CT365", 4)],
    ),
}


@pytest.mark.parametrize("case", list(BAD))
def test_jsonl_reports_each_problem_with_its_line(read, case):
    content, expected = BAD[case]
    _, problems = read("a.jsonl", content)
    assert sorted(codes(problems)) == sorted(expected)
