import gzip

import pytest
from data_helpers import codes, ents, spans

from spacy_ctxtag.data.columns import guess_scheme

BIO = "Ilse\tB-PER\nMarchetti\tI-PER\nleft\tO\n\nPorto\tB-LOC\n"


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("IOB1", ["I-PER", "I-PER", "B-PER", "O", "I-B-C"]),
        ("BIO", ["B-PER", "I-PER", "B-PER", "O", "B-B-C"]),
        ("BIOES", ["B-PER", "E-PER", "S-PER", "O", "S-B-C"]),
        ("BILUO", ["B-PER", "L-PER", "U-PER", "O", "U-B-C"]),
    ],
)
@pytest.mark.parametrize("is_named", [True, False])
def test_columns_reads_every_scheme_named_or_guessed(read, scheme, tags, is_named):
    content = "".join(f"{word}\t{tag}\n" for word, tag in zip("abcde", tags, strict=True))
    docs, problems = read("a.tsv", content, scheme=scheme if is_named else "auto")
    assert problems == []
    assert ents(docs[0]) == [(0, 2, "PER"), (2, 3, "PER"), (4, 5, "B-C")]


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (["O", "O"], "BIO"),
        (["B-X", "I-X", "I-X"], "BIO"),
        (["B-X", "I-X", "I-Y"], "BIO"),
        (["I-X", "O", "I-X", "B-X"], "IOB1"),
        (["I-X", "O", "I-X", "O", "B-X"], "IOB1"),
        (["B-X", "O", "S-X"], "BIOES"),
        (["O", "L-X"], "BILUO"),
    ],
)
def test_guess_scheme_weighs_all_tags(tags, scheme):
    assert guess_scheme([tags]) == scheme


@pytest.mark.parametrize(
    ("separator", "text"),
    [("auto", "\t"), ("tab", "\t"), ("auto", " "), ("space", "  \t "), ("comma", ","), ("||", "||"), ("pipe", "|")],
)
def test_columns_reads_any_separator_and_column(read, separator, text):
    rows = [["1", "Ilse", "NNP", "B-PER", "x"], ["2", "ran", "VBD", "O", "x"]]
    content = "\n".join(text.join(row) for row in rows)
    docs, problems = read(
        "a.conll", content, separator=separator, token_column=1, tag_column=-2, pos_column=2, format="columns"
    )
    assert problems == []
    assert [(t.text, t.tag_, t.pos_) for t in docs[0]] == [("Ilse", "NNP", ""), ("ran", "VBD", "")]
    assert ents(docs[0]) == [(0, 1, "PER")]


def test_columns_without_marks_makes_documents_of_sentences(read):
    docs, _ = read("a.tsv", BIO)
    assert [doc.text for doc in docs] == ["Ilse Marchetti left ", "Porto "]
    assert [doc.user_data["ctx"]["id"] for doc in docs] == ["a-1", "a-2"]
    assert [doc.user_data["ctx"]["line"] for doc in docs] == [1, 5]
    docs, _ = read("a.tsv", BIO, n_sents=2)
    assert [token.i for token in docs[0] if token.is_sent_start] == [0, 3]
    docs, _ = read("a.tsv", BIO + "\nx\tO\n", n_sents=0)
    assert len(docs) == 1


def test_columns_does_not_know_the_spaces(read):
    docs, _ = read("a.tsv", BIO)
    assert all(doc.has_unknown_spaces for doc in docs)


@pytest.mark.parametrize("separator", ["\t", " "])
def test_columns_reads_document_marks_next_to_tokens_that_look_like_them(read, separator):
    rows = ["# doc = a", "# ~ O", "#doc ~ O", "", "# doc = b", "x ~ B-LOC", "", "-DOCSTART- ~ O", "", "y ~ O"]
    content = "\n".join(row.replace(" ~ ", separator) for row in rows) + "\n"
    docs, problems = read("a.conll", content, format="columns")
    assert problems == []
    assert [[token.text for token in doc] for doc in docs] == [["#", "#doc"], ["x"], ["y"]]
    assert [doc.user_data["ctx"]["id"] for doc in docs] == ["a", "b", "a-3"]


def test_columns_takes_a_mark_with_the_separator_as_a_token(read):
    docs, problems = read("a.tsv", "# doc = x\tO\n")
    assert problems == []
    assert docs[0][0].text == "# doc = x"


def test_columns_reads_metadata_after_a_mark_and_skips_other_comments(read):
    content = "# doc = a\n# domain = web\n# sent_id = 1\nx\tO\n\n# sent_id = 2\n# author = z\ny\tO\n"
    docs, problems = read("a.tsv", content)
    assert problems == []
    assert docs[0].text == "x y "
    assert {k: v for k, v in docs[0].user_data["ctx"].items() if k not in ("source", "line")} == {
        "id": "a",
        "domain": "web",
    }


def test_columns_keeps_unknown_tags_unknown(read):
    docs, problems = read("a.tsv", "a\t-\nb\tB-LOC\nc\t-\nd\tO\n")
    assert problems == []
    assert [token.ent_iob for token in docs[0]] == [0, 3, 0, 2]


def test_columns_without_entities_reads_parts_of_speech_only(read):
    docs, problems = read("a.tsv", "a\tNOUN\nb\t_\n", has_ents=False, pos_column=1)
    assert problems == []
    assert not docs[0].has_annotation("ENT_IOB")
    assert [(token.tag_, token.pos_) for token in docs[0]] == [("NOUN", "NOUN"), ("", "")]


@pytest.mark.parametrize("gap", ["\t", " "])
def test_columns_without_names_of_documents(read, gap):
    text = f"# newdoc\nIlse{gap}O\n\n# newdoc \n# sent_id = 1\nAnna{gap}B-PER\n"
    docs, problems = read("a.conll", text)
    assert problems == []
    assert [[token.text for token in doc] for doc in docs] == [["Ilse"], ["Anna"]]


def test_columns_has_no_space_beside_a_separator(read):
    docs, problems = read("a.csv", "Ilse ; B-PER \nleft; O\n", separator="semicolon")
    assert problems == []
    assert [(token.text, token.ent_type_) for token in docs[0]] == [("Ilse", "PER"), ("left", "")]


def test_columns_takes_a_stray_cr_before_the_line_end(read):
    docs, problems = read("a.tsv", "a\tB-X\r\r\nb\tO\r\n")
    assert (problems, ents(docs[0])) == ([], [(0, 1, "X")])


def test_columns_reads_chunks_in_a_scheme_of_their_own(read):
    rows = ["He PRP B-NP O", "saw VBD B-VP O", "New NNP B-NP I-LOC", "York NNP I-NP I-LOC", "", "It PRP B-NP O"]
    docs, problems = read("a.conll", "\n".join(rows) + "\n", chunk_column=2, n_sents=2)
    assert problems == []
    assert spans(docs[0]) == [(0, 1, "NP"), (1, 2, "VP"), (2, 4, "NP"), (4, 5, "NP")]
    assert ents(docs[0]) == [(2, 4, "LOC")]  # IOB1


def test_columns_without_entities_reads_chunks_under_any_key(read):
    docs, problems = read("a.tsv", "a\tB-NP\nb\tO\n\nc\tO\n", has_ents=False, chunk_column=1, spans_key="np")
    assert problems == []
    assert [spans(doc, "np") for doc in docs] == [[(0, 1, "NP")], []]
    assert not docs[0].has_annotation("ENT_IOB")


def test_columns_without_a_chunk_column_knows_no_chunks(read):
    docs, _ = read("a.tsv", "a\tB-NP\tO\n")
    assert len(docs[0].spans) == 0


def test_columns_takes_lines_of_separators_as_blank(read):
    docs, problems = read("a.tsv", "a\tO\r\n\t\r\nb\tO\r\n")
    assert problems == []
    assert [doc.text for doc in docs] == ["a ", "b "]


BAD = {
    "too few columns": ("a\tO\nb\nc\tO\n", {}, [("CT342", 2)]),
    "too many columns": ("a\tO\nb\tO\tx\nc\tO\n", {}, [("CT342", 2)]),
    "no such column": ("a\tO\n", {"pos_column": 4}, [("CT341", 0)]),
    "wrong separator": ("a,O\nb,O\n", {"separator": "tab"}, [("CT341", 0)]),
    "empty token": ("a\tO\n\tO\n", {}, [("CT343", 2)]),
    "empty tag": ("a\tO\nb\t\n", {}, [("CT343", 2)]),
    "unknown tag": ("a\tO\nb\tPER\n", {}, [("CT110", 2)]),
    "no label": ("a\tO\nb\tB-\n", {}, [("CT111", 2)]),
    "entity not closed": ("a\tB-X\nb\tO\n", {"scheme": "BIOES"}, [("CT112", 2)]),
    "continues nothing": ("a\tB-X\nb\tI-Y\n", {"scheme": "BIO"}, [("CT113", 2)]),
    "not IOB1": ("a\tB-X\nb\tI-X\n", {"scheme": "IOB1"}, [("CT114", 1)]),
    "tokens before the first mark": ("a\tO\n\n# doc = b\nb\tO\n", {}, [("CT340", 1)]),
    "document without tokens": ("# doc = a\n# doc = b\nb\tO\n", {}, [("CT313", 1)]),
    "unknown chunk": ("a\tB-NP\tO\nb\t-\tO\n", {"chunk_column": 1}, [("CT110", 2)]),
    "compressed": (gzip.compress(b"a\tO\n"), {}, [("CT301", 0)]),
    "lines that end with CR": ("a\tO\rb\tO\r", {}, [("CT345", 1)]),
    "one column for two": ("a\tNN\tO\n", {"chunk_column": 2}, [("CT344", 0)]),
    "no chunk column": ("a\tO\n", {"chunk_column": 3}, [("CT341", 0)]),
    "empty chunk": ("a\tO\tO\nb\t\tO\n", {"chunk_column": 1}, [("CT343", 2)]),
    "part of speech": ("a\tFOO\tO\n", {"pos_column": 1, "tag_set": "upos"}, [("CT329", 1)]),
    "repeated name": ("# doc = a\na\tO\n# doc = a\nb\tO\n", {}, [("CT307", 3)]),
    "empty file": ("", {}, [("CT308", 0)]),
    "not UTF-8": (b"a\tO\nb\xff\tO\nc\tO\n", {}, [("CT302", 2)]),
    "all at once": ("a\tX\nb\nc\tB-\n\td\ne\tO\n", {}, [("CT110", 1), ("CT342", 2), ("CT111", 3), ("CT343", 4)]),
}


@pytest.mark.parametrize("case", list(BAD))
def test_columns_reports_each_problem_with_its_line(read, case):
    content, options, expected = BAD[case]
    _, problems = read("a.tsv", content, **options)
    assert sorted(codes(problems)) == sorted(expected)
