import pytest
from data_helpers import codes, ents

GOOD = """# doc = travel-04
# domain = travel
[PERSON Ilse/PROPN Marchetti/PROPN] left/VERB [- Porto/PROPN] ~,/PUNCT km/h/NOUN
She/PRON did/AUX ~n't/PART [LOC \\[x\\]\\~\\\\/PROPN]

# doc = travel-05
~/SYM//SYM
"""


def test_inline_reads_everything(read):
    docs, problems = read("a.txt", GOOD.replace("~/SYM//SYM", "\\~/SYM ~//SYM"))
    assert problems == []
    first, second = docs
    assert first.text == "Ilse Marchetti left Porto, km/h She didn't [x]~\\"
    assert ents(first) == [(0, 2, "PERSON"), (9, 10, "LOC")]
    assert [token.i for token in first if token.ent_iob == 0] == [3]
    assert [token.i for token in first if token.is_sent_start] == [0, 6]
    assert [token.pos_ for token in first][:4] == ["PROPN", "PROPN", "VERB", "PROPN"]
    assert [token.tag_ for token in first] == [token.pos_ for token in first]
    assert first.user_data["ctx"]["id"] == "travel-04"
    assert first.user_data["ctx"]["domain"] == "travel"
    assert first.user_data["ctx"]["line"] == 1
    assert [token.text for token in second] == ["~", "/"]
    assert second.text == "~/"


@pytest.mark.parametrize(
    "change", [lambda s: s.replace("\n", "\r\n"), lambda s: "\ufeff" + s, lambda s: s.rstrip("\n")]
)
def test_inline_reads_any_line_end_and_byte_order_mark(read, change):
    content = "# doc = a\nOne/NUM\n\n# doc = b\n[ORG Two/NUM]\n"
    docs, problems = read("a.txt", change(content))
    assert problems == []
    assert [(doc.text, doc.user_data["ctx"]["id"]) for doc in docs] == [("One", "a"), ("Two", "b")]


def test_inline_keeps_line_separators_inside_tokens(read):
    docs, problems = read("a.txt", "# doc = a\na\u2028b\x85c\x0cd e\n")
    assert problems == []
    assert [token.text for token in docs[0]] == ["a\u2028b\x85c\x0cd", "e"]


def test_inline_without_doc_line_is_one_document_named_after_the_file(read):
    docs, problems = read("notes.txt", "# domain = x\nOne [LOC Rome]\nTwo\n")
    assert problems == []
    assert [doc.user_data["ctx"]["id"] for doc in docs] == ["notes-1"]
    assert docs[0].user_data["ctx"]["domain"] == "x"
    assert not docs[0].has_annotation("TAG")


def test_inline_tilde_glues_across_lines(read):
    docs, _ = read("a.txt", "# doc = a\nOne\n~Two\n")
    assert docs[0].text == "OneTwo"


def test_inline_other_tags_are_fine_grained_only(read):
    docs, problems = read("a.txt", "# doc = a\n[- One/CD]\n", tag_set="xpos")
    assert problems == []
    assert (docs[0][0].tag_, docs[0][0].pos_) == ("CD", "")


def test_inline_without_entities_leaves_them_unknown(read):
    docs, problems = read("a.txt", "# doc = a\nOne/NUM\n", has_ents=False)
    assert problems == []
    assert not docs[0].has_annotation("ENT_IOB")


def test_inline_warns_of_a_tagged_file_without_entities(read):
    docs, problems = read("a.txt", "# doc = a\nOne/NUM\n")
    assert codes(problems, is_error=False) == [("CT315", 0)]
    assert docs[0][0].ent_iob == 2


BAD = {
    "header": ("# doc = a\n# nonsense\nOne\n", [("CT310", 2)]),
    "header without value": ("# doc = a\n# domain = \nOne\n", [("CT310", 2)]),
    "repeated key": ("# doc = a\n# x = 1\n# x = 2\nOne\n", [("CT311", 3)]),
    "reserved key": ("# doc = a\n# source = 1\nOne\n", [("CT311", 2)]),
    "text before the first document": ("One\n# doc = a\nTwo\n", [("CT312", 1)]),
    "document without sentence": ("# doc = a\n# doc = b\nOne\n", [("CT313", 1)]),
    "nested entity": ("# doc = a\n[LOC One [ORG Two] Three\n", [("CT316", 2)]),
    "no label": ("# doc = a\n[ One\n", [("CT317", 2)]),
    "entity without tokens": ("# doc = a\n[LOC] One\n", [("CT318", 2)]),
    "closed, never opened": ("# doc = a\nOne]\n", [("CT319", 2)]),
    "glued to nothing": ("# doc = a\n~One two\n", [("CT320", 2)]),
    "never closed": ("# doc = a\n[LOC One\nTwo\n", [("CT321", 2)]),
    "two spaces": ("# doc = a\nOne  two\n", [("CT322", 2)]),
    "space at the end": ("# doc = a\nOne \n", [("CT322", 2)]),
    "tab": ("# doc = a\nOne\ttwo\n", [("CT323", 2)]),
    "empty tag": ("# doc = a\nOne two/\n", [("CT324", 2)]),
    "empty form": ("# doc = a\nOne /X\n", [("CT324", 2)]),
    "bracket without escape": ("# doc = a\nOne ~[two\n", [("CT324", 2)]),
    "bad escape": ("# doc = a\nOne \\x\n", [("CT325", 2)]),
    "backslash at the end": ("# doc = a\nOne \\\n", [("CT325", 2)]),
    "tag in a file without": ("# doc = a\nOne two three/NUM\n", [("CT327", 2)]),
    "no tag in a file with": ("# doc = a\n[LOC One/NUM] two/NUM three\n", [("CT328", 2)]),
    "unknown part of speech": ("# doc = a\n[LOC One/NUM] two/FOO\n", [("CT329", 2)]),
    "repeated name": ("# doc = a\nOne\n\n# doc = a\nTwo\n", [("CT307", 4)]),
    "no document": ("", [("CT308", 0)]),
    "only blank lines": ("\n\n", [("CT308", 0)]),
    "not UTF-8": (b"# doc = a\nOne\ncaf\xe9\n", [("CT302", 3)]),
    "UTF-16": ("# doc = a\nOne\n".encode("utf-16"), [("CT303", 1)]),
    "all at once": (
        b"# doc = a\nOne]\n\xff\n[LOC x\n# what\n~y  z\n",
        [("CT319", 2), ("CT302", 3), ("CT321", 4), ("CT310", 5), ("CT322", 6)],
    ),
}


@pytest.mark.parametrize("case", list(BAD))
def test_inline_reports_each_problem_with_its_line(read, case):
    content, expected = BAD[case]
    _, problems = read("a.txt", content, format="inline")
    assert sorted(codes(problems)) == sorted(expected)
    assert all(problem.path.endswith("a.txt") for problem in problems)


def test_inline_reports_marks_in_a_file_without_entities(read):
    _, problems = read("a.txt", "# doc = a\n[LOC One]\n", has_ents=False)
    assert codes(problems) == [("CT314", 1)]


def test_inline_reports_a_missing_file(read, tmp_path, nlp):
    from spacy_ctxtag.data.inline import read_inline

    problems = []
    assert read_inline(tmp_path / "none.txt", problems) == []
    assert codes(problems) == [("CT301", 0)]
