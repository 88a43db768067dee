import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_ctxtag.data.inline import read_inline
from spacy_ctxtag.data.inline_writer import to_inline
from spacy_ctxtag.data.markup import closes, opens, read_label, read_token, write_label, write_token

HARD = ["[", "]", "/", "~", "\\", "#", "-", "//", "[x", "x]", "~~", "\\]", "a/b", "[-", "# doc", " ", "\n", "\t", "\r"]
forms = st.one_of(st.sampled_from(HARD), st.text(alphabet="[]/~\\#- ab\n\u00a0\ufeff", min_size=1, max_size=5))
labels = st.sampled_from(["LOC", "-", "B-X", "a/b", "x]", "[y", "ä ö", "\\"])
tags = st.sampled_from(["NOUN", "-LRB-", "a/b", "]", "\\", "~"])
VOCAB = Vocab()


@st.composite
def docs(draw):
    words = draw(st.lists(forms, min_size=1, max_size=8))
    size = len(words)
    spaces = [*draw(st.lists(st.booleans(), min_size=size - 1, max_size=size - 1)), False]
    starts = [True, *draw(st.lists(st.booleans(), min_size=size - 1, max_size=size - 1))]
    fine = draw(st.one_of(st.none(), st.lists(tags, min_size=size, max_size=size)))
    doc = Doc(VOCAB, words=words, spaces=spaces, sent_starts=starts, tags=fine)
    kinds = draw(st.lists(st.sampled_from("OM123"), min_size=size, max_size=size))
    spans, missing, i = [], [], 0
    while i < size:
        if kinds[i] == "M":
            missing.append(doc[i : i + 1])
        elif kinds[i] != "O":
            end = next((j for j in range(i + 1, size) if starts[j]), size)
            end = min(end, i + int(kinds[i]))
            spans.append(Span(doc, i, end, label=draw(labels)))
            i = end - 1
        i += 1
    doc.set_ents(spans, missing=missing)
    return doc


def state(doc):
    return (
        [(t.text, bool(t.whitespace_), t.tag_, bool(t.is_sent_start), t.ent_iob, t.ent_type_) for t in doc],
        {key: value for key, value in doc.user_data.get("ctx", {}).items() if key not in ("source", "line")},
    )


@given(doc=docs())
def test_to_inline_is_read_back_as_it_was(doc, tmp_path_factory):
    doc.user_data["ctx"] = {"id": "x-1", "domain": "a b"}
    path = tmp_path_factory.getbasetemp() / "roundtrip.txt"
    path.write_text(to_inline([doc]), encoding="utf8", newline="")
    problems = []
    (record,) = read_inline(path, problems, tag_set="xpos")
    assert [problem for problem in problems if problem.is_error] == []
    assert state(record.to_doc(VOCAB)) == state(doc)


@given(form=forms, tag=st.one_of(st.just(""), tags), glued=st.booleans(), is_first=st.booleans())
def test_write_token_is_read_back_as_it_was(form, tag, glued, is_first):
    piece = write_token(form, tag, glued=glued, is_first=is_first)
    assert " " not in piece
    assert not opens(piece)
    assert not closes(piece)
    assert closes(piece + "]")
    assert read_token(piece) == (form, tag, glued)


@given(label=st.one_of(st.none(), labels))
def test_write_label_is_read_back_as_it_was(label):
    piece = "[" + write_label(label)
    assert opens(piece)
    assert not closes(piece)
    assert read_label(piece[1:]) == label


def test_to_inline_numbers_documents_and_keeps_only_what_fits_a_line():
    doc = Doc(VOCAB, words=["a"], user_data={"ctx": {"domain": "x", "note": "2\nlines", "bad key": 1, "n": 3, "": 1}})
    assert to_inline([doc, doc]) == (
        "# doc = doc-1\n# domain = x\n# n = 3\n[- a]\n\n# doc = doc-2\n# domain = x\n# n = 3\n[- a]\n"
    )


def test_to_inline_leaves_out_tags_and_entities_on_demand():
    doc = Doc(VOCAB, words=["a"], pos=["NOUN"], ents=["B-LOC"])
    assert to_inline([doc], has_tags=False).endswith("[LOC a]\n")
    assert to_inline([doc], has_ents=False).endswith("\na/NOUN\n")


@pytest.mark.parametrize(
    ("doc", "code"),
    [
        (Doc(VOCAB), "CT330"),
        (Doc(VOCAB, words=["a", "b"], pos=["NOUN", ""]), "CT331"),
        (Doc(VOCAB, words=["a", "b"], sent_starts=[True, True], ents=["B-X", "I-X"]), "CT332"),
    ],
)
def test_to_inline_refuses_what_cannot_be_read_back(doc, code):
    with pytest.raises(ValueError, match=code):
        to_inline([doc])
