import pytest
from data_helpers import codes, spans

ROWS = """# newdoc id = d1
# domain = web
# sent_id = 1
# text = I don't go.
1\tI\tI\tPRON\tPRP\tCase=Nom|Person=1\t4\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t4\taux\t_\t_
3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t_\t_
4\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\tSpaceAfter=No
4.1\tgone\tgo\tVERB\tVBN\t_\t_\t_\t_\t_
5\t.\t.\tPUNCT\t_\t_\t4\tpunct\t_\tSpaceAfter=No

# sent_id = 2
# text = Am See _
1-2\tAm\t_\t_\t_\t_\t_\t_\t_\t_
1\tAn\tan\tADP\tAPPR\t_\t3\tcase\t_\t_
2\tdem\tder\tDET\tART\t_\t3\tdet\t_\t_
3\tSee\tSee\tNOUN\tNN\t_\t0\troot\t_\t_
4\t_\t_\tPUNCT\t-\t_\t3\tpunct\t_\t_
"""


def row(number="1", form="a", upos="NOUN", feats="_", head="0", misc="_"):
    return "\t".join([number, form, form, upos, "_", feats, head, "root" if head == "0" else "dep", "_", misc])


def test_conllu_reads_everything(read):
    docs, problems = read("a.conllu", ROWS)
    assert problems == []
    (doc,) = docs
    assert doc.text == "I don't go.An dem See _"
    assert [token.i for token in doc if token.is_sent_start] == [0, 5]
    assert [token.tag_ for token in doc] == ["PRP", "VBP", "RB", "VB", "", "APPR", "ART", "NN", "-"]
    assert doc[0].pos_ == "PRON"
    assert str(doc[0].morph) == "Case=Nom|Person=1"
    assert [token.lemma_ for token in doc] == ["I", "do", "not", "go", ".", "an", "der", "See", "_"]
    assert [token.head.i for token in doc] == [3, 3, 3, 3, 3, 7, 7, 7, 7]
    assert (doc[3].dep_, doc[0].dep_) == ("ROOT", "nsubj")
    assert not doc.has_annotation("ENT_IOB")
    assert {k: v for k, v in doc.user_data["ctx"].items() if k != "source"} == {"id": "d1", "domain": "web", "line": 1}


def test_conllu_takes_universal_tags_where_the_file_has_no_others(read):
    docs, _ = read("a.conllu", row() + "\n")
    assert (docs[0][0].tag_, docs[0][0].pos_) == ("NOUN", "NOUN")


def test_conllu_without_heads_keeps_sentence_starts(read):
    docs, problems = read("a.conllu", f"{row(head='_')}\n\n{row(head='_')}\n", n_sents=2)
    assert problems == []
    assert not docs[0].has_annotation("DEP")
    assert [token.i for token in docs[0] if token.is_sent_start] == [0, 1]


def test_conllu_without_marks_makes_documents_of_sentences(read):
    content = "\n\n".join([row(), row(), row()]).replace("\n", "\r\n")
    assert [len(doc) for doc in read("a.conllu", content)[0]] == [1, 1, 1]
    assert [len(doc) for doc in read("a.conllu", content, n_sents=2)[0]] == [2, 1]
    assert [len(doc) for doc in read("a.conllu", content, n_sents=0)[0]] == [3]


def test_conllu_newdoc_without_name_opens_a_document(read):
    docs, problems = read("a.conllu", f"# newdoc\n{row()}\n\n# newdoc\n{row()}\n")
    assert problems == []
    assert [doc.user_data["ctx"]["id"] for doc in docs] == ["a-1", "a-2"]


def test_conllu_warns_where_the_words_do_not_spell_the_text(read):
    _, problems = read("a.conllu", f"# text = ab\n{row()}\n{row('2', head='1')}\n")
    assert codes(problems, is_error=False) == [("CT359", 1)]


BAD = {
    "columns": ("1\ta\n", [("CT350", 1)]),
    "empty column": (row(misc="") + "\n", [("CT350", 1)]),
    "number": (f"{row()}\n{row('3', head='1')}\n", [("CT351", 2)]),
    "no number": (row("x"), [("CT351", 1)]),
    "range": (f"{row('2-3')}\n{row()}\n", [("CT352", 1)]),
    "part of speech": (row(upos="NN"), [("CT329", 1)]),
    "features": (row(feats="Case"), [("CT353", 1)]),
    "head": (row(head="x"), [("CT354", 1)]),
    "head too large": (row(head="7"), [("CT354", 1), ("CT356", 1)]),
    "own head": (f"{row()}\n{row('2', head='2')}\n", [("CT354", 2)]),
    "head missing": (f"{row()}\n{row('2', head='_')}\n", [("CT354", 2)]),
    "range too long": (f"{row('1-2')}\n{row()}\n", [("CT355", 1)]),
    "two roots": (f"{row()}\n{row('2')}\n", [("CT356", 2)]),
    "circle": (f"{row()}\n{row('2', head='3')}\n{row('3', head='2')}\n", [("CT357", 2), ("CT357", 3)]),
    "document without sentence": (f"# newdoc id = a\n\n# newdoc id = b\n{row()}\n", [("CT313", 1)]),
    "repeated name": (f"# newdoc id = a\n{row()}\n\n# newdoc id = a\n{row()}\n", [("CT307", 4)]),
    "empty file": ("", [("CT308", 0)]),
    "not UTF-8": (row().encode() + b"\n\n" + row(form="\xe9").encode("latin1"), [("CT302", 3)]),
    "all at once": (f"{row(upos='X X')}\nx\n\n{row('4')}\n", [("CT329", 1), ("CT350", 2), ("CT351", 4)]),
}


@pytest.mark.parametrize("case", list(BAD))
def test_conllu_reports_each_problem_with_its_line(read, case):
    content, expected = BAD[case]
    _, problems = read("a.conllu", content)
    found = codes(problems)
    assert sorted(found) == sorted(expected if case != "head too large" else expected[:1])


def test_conllu_trees_and_noun_chunks_stand_side_by_side(read):
    docs, problems = read("a.conllu", ROWS, noun_chunks=True)
    assert problems == []
    assert spans(docs[0]) == [(0, 1, "NP"), (6, 8, "NP")]
    assert docs[0].has_annotation("DEP")
