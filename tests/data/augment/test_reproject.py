"""Re-projection: what edits do to each layer, and what they never do, over random Docs and edits."""

import itertools
from typing import Any, List

import pytest
import spacy
from augment_helpers import SPACES, WORDS, example_of, mentions, rich_doc
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

from spacy_ctxtag.data.augment.reproject import ATTRS, DEP_, HEAD_, NORM_, Edit, blank_rows, read_rows, reproject

NLP = spacy.blank("en")


def edited(doc: Doc, *edits: Edit) -> Doc:
    """RETURNS (Doc): The reference after the edits, the given one unchanged."""
    before = doc.to_bytes()
    made = reproject(NLP, example_of(NLP, doc), edits).reference
    assert doc.to_bytes() == before
    return made


def arcs(doc: Doc) -> List[Any]:
    """RETURNS (List): The head of every token, as a word, with the label; None where it is missing."""
    return [(token.head.text, token.dep_) if token.has_head() else None for token in doc]


def test_reproject_without_edits_is_the_same_example() -> None:
    example = example_of(NLP, rich_doc(NLP))
    assert reproject(NLP, example, []) is example


def test_reproject_other_spelling_keeps_all_annotation_but_the_norm() -> None:
    old = rich_doc(NLP)
    doc = edited(old, Edit(5, 7, ["Chalres", "Babage"]), Edit(11, 12, ["ansered"]))
    assert doc.text == "Ada Lovelace wrote to Mr. Chalres Babage in London. He ansered."
    expected = read_rows(old)
    for i in (5, 6, 11):
        expected[i, NORM_] = NLP.vocab[doc[i].text].norm
    assert (read_rows(doc) == expected).all()
    assert [(s.start, s.end, s.label_, s.kb_id_, s.id_) for s in doc.spans["chunks"]] == [
        (s.start, s.end, s.label_, s.kb_id_, s.id_) for s in old.spans["chunks"]
    ]
    assert doc.spans["chunks"].attrs == old.spans["chunks"].attrs
    assert doc.cats == old.cats


def test_reproject_longer_mention_moves_everything_behind_it() -> None:
    doc = edited(rich_doc(NLP), Edit(8, 9, ["New", "York", "City"], [True, True, False]))
    assert doc.text == "Ada Lovelace wrote to Mr. Charles Babbage in New York City. He answered."
    assert mentions(doc) == [("Ada Lovelace", "PERSON"), ("Charles Babbage", "PERSON"), ("New York City", "LOC")]
    assert [ent.kb_id_ for ent in doc.ents] == ["Q7259", "Q46633", ""]
    assert doc.ents[0].id_ == "ada"
    assert [span.text for span in doc.spans["chunks"]][2:] == [
        "to Mr. Charles Babbage in New York City",
        "New York City",
    ]
    assert [sent.text for sent in doc.sents] == [
        "Ada Lovelace wrote to Mr. Charles Babbage in New York City.",
        "He answered.",
    ]
    assert doc[12].ent_iob == 0
    assert doc[12].text == "He"
    assert [token.tag_ for token in doc[7:13]] == ["ADP-7", "", "", "", "PUNCT-9", "PRON-10"]
    assert [token.lemma_ for token in doc[8:11]] == ["", "", ""]


def test_reproject_new_tokens_without_structure_have_no_heads() -> None:
    doc = edited(rich_doc(NLP), Edit(0, 2, ["Countess", "of", "Lovelace"]))
    assert arcs(doc)[:4] == [None, None, None, ("wrote", "ROOT")]


def test_reproject_dependents_of_tokens_without_structure_lose_their_heads() -> None:
    doc = edited(rich_doc(NLP), Edit(5, 7, ["a", "b", "c"]))
    assert arcs(doc)[3:8] == [("wrote", "prep"), None, None, None, None]


def test_reproject_one_token_takes_the_place_of_the_root() -> None:
    doc = edited(rich_doc(NLP), Edit(5, 7, ["Babbage"], None, blank_rows(1)))
    assert arcs(doc)[3:7] == [("wrote", "prep"), ("Babbage", "compound"), ("to", "pobj"), ("wrote", "prep")]


def test_reproject_donor_brings_its_inner_structure_and_identifiers() -> None:
    old = rich_doc(NLP)
    doc = edited(old, Edit(8, 9, ["Ada", "Lovelace"], [True, False], read_rows(old)[0:2]))
    assert arcs(doc)[7:11] == [("wrote", "prep"), ("Lovelace", "compound"), ("in", "pobj"), ("wrote", "punct")]
    assert [token.tag_ for token in doc[8:10]] == ["PROPN-0", "PROPN-1"]
    assert [(ent.text, ent.label_, ent.kb_id_, ent.id_) for ent in doc.ents][2] == (
        "Ada Lovelace",
        "LOC",
        "Q7259",
        "ada",
    )


def test_reproject_dependents_of_other_tokens_than_the_root_lose_their_heads() -> None:
    old = Doc(NLP.vocab, words=["a", "b", "c"], heads=[1, 2, 2], deps=["x", "y", "ROOT"])
    doc = edited(old, Edit(1, 3, ["d"]))  # "a" depended on "b", which is not the root of "b c"
    assert arcs(doc) == [None, ("d", "ROOT")]


@pytest.mark.parametrize(
    "edit",
    [
        Edit(1, 3, ["x"]),  # cuts "Ada Lovelace"
        Edit(4, 8, ["x"]),  # swallows "Charles Babbage"
        Edit(2, 4, ["x", "y", "z"]),  # cuts the chunk that begins with "to"
        Edit(9, 11, ["x"]),  # swallows a sentence start
    ],
)
def test_reproject_leaves_out_edits_that_would_cut_or_lose_annotation(edit: Edit) -> None:
    example = example_of(NLP, rich_doc(NLP))
    assert reproject(NLP, example, [edit]) is example


def test_reproject_custom_attributes_move_with_their_tokens() -> None:
    doc = edited(rich_doc(NLP), Edit(0, 2, ["Ada"]))
    assert doc.user_data["ctx"] == {"id": "a"}
    assert doc.user_data[("._.", "of_doc", None, None)] == 1
    assert doc.user_data[("._.", "of_token", doc[5].idx, None)] == "Babbage"
    assert doc.user_data[("._.", "of_span", doc[3].idx, doc[5].idx + 7)] == "Mr. Charles Babbage"
    assert len(doc.user_data) == 4


def test_reproject_custom_attribute_of_a_replaced_token_is_gone() -> None:
    doc = edited(rich_doc(NLP), Edit(5, 7, ["Alan", "Mathison", "Turing"]))
    assert [key[1] for key in doc.user_data if isinstance(key, tuple)] == ["of_doc", "of_span"]
    assert doc.text[slice(*next(key[2:] for key in doc.user_data if key[1] == "of_span"))] == "Mr. Alan Mathison Turing"


def test_reproject_inserted_tokens_belong_to_what_is_around_them() -> None:
    doc = edited(rich_doc(NLP), Edit(1, 1, [" "], [False]), Edit(3, 3, [" "], [False]), Edit(11, 11, [" "], [False]))
    assert doc.text == "Ada  Lovelace wrote  to Mr. Charles Babbage in London. He  answered."
    assert [doc[i].ent_iob_ for i in (1, 4, 13)] == ["I", "O", ""]
    assert [doc[i].is_sent_start for i in (1, 4, 13)] == [False, False, False]
    assert next(span.text for span in doc.spans["chunks"]) == "Ada  Lovelace"
    assert [doc[i].has_head() for i in (1, 4, 13)] == [False, False, False]


def test_reproject_unknown_sentence_starts_stay_unknown_behind_the_first_token() -> None:
    doc = Doc(NLP.vocab, words=["a", "b"])
    for edit in (Edit(0, 1, ["x", "y"]), Edit(1, 1, ["x"]), Edit(0, 2, ["x", "y", "z"])):
        assert [token.is_sent_start for token in edited(doc, edit)][:3] == [True, None, None]


def test_reproject_predicted_doc_has_the_tokens_of_the_tokenizer() -> None:
    doc = Doc(NLP.vocab, words=["don't"], spaces=[False])
    made = reproject(NLP, Example(Doc(NLP.vocab, words=["don't"]), doc), [Edit(0, 1, ["Don't"])])
    assert [token.text for token in made.predicted] == ["Do", "n't"]


def test_reproject_unknown_spaces_stay_unknown() -> None:
    doc = Doc(NLP.vocab, words=["don't", "."])
    made = reproject(NLP, Example(doc.copy(), doc), [Edit(0, 1, ["Don't"])])
    assert made.reference.has_unknown_spaces
    assert [token.text for token in made.predicted] == ["Don't", "."]


def test_reproject_partly_known_heads_do_not_set_sentence_starts() -> None:
    doc = Doc(NLP.vocab, words=["a", "b", "c"], heads=[0, 0, 2], deps=["ROOT", "x", None])
    made = edited(doc, Edit(0, 1, ["A"]))
    assert [token.is_sent_start for token in made] == [token.is_sent_start for token in doc]
    assert arcs(made) == [("A", "ROOT"), ("A", "x"), None]


# Random Docs and edits.

LABELS = ["PERSON", "per-son", "Örtlichkeit"]
WORD = st.sampled_from(["Ada", "x", "London", ",", "naïve", "3,000", "東京"])


@st.composite
def docs(draw: Any) -> Doc:
    """Docs of up to eight tokens with some layers, each with holes."""
    words = draw(st.lists(WORD, min_size=1, max_size=8))
    n = len(words)
    layers: dict[str, Any] = {}
    for layer in ("tags", "lemmas", "morphs"):
        if draw(st.booleans()):
            values = {"morphs": ["", "Case=Nom", "Case=Acc|Number=Sing"]}.get(layer, ["", "p", "q"])
            layers[layer] = draw(st.lists(st.sampled_from(values), min_size=n, max_size=n))
    if draw(st.booleans()):
        heads = [draw(st.integers(0, i)) for i in range(n)]
        deps = [draw(st.sampled_from(["dep", "other", None])) for _ in range(n)]
        layers["heads"] = [i if dep is None else head for i, (head, dep) in enumerate(zip(heads, deps, strict=True))]
        layers["deps"] = deps
    elif draw(st.booleans()):
        layers["sent_starts"] = draw(st.lists(st.sampled_from([True, False, None]), min_size=n, max_size=n))
    doc = Doc(NLP.vocab, words=words, spaces=draw(st.lists(st.booleans(), min_size=n, max_size=n)), **layers)
    if draw(st.booleans()):
        borders = sorted(draw(st.sets(st.integers(0, n), max_size=4)))
        spans = [Span(doc, *pair, draw(st.sampled_from(LABELS)), kb_id="kb") for pair in itertools.pairwise(borders)]
        kinds = [draw(st.sampled_from(["entity", "missing", "outside"])) for _ in spans]
        grouped = {kind: [s for s, k in zip(spans, kinds, strict=True) if k == kind] for kind in ("entity", "missing")}
        doc.set_ents(grouped["entity"], missing=grouped["missing"])
    for key in draw(st.sets(st.sampled_from(["chunks", "other"]))):
        pairs = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(1, n)), max_size=3))
        doc.spans[key] = [Span(doc, i, j, "S") for i, j in pairs if i < j]
    return doc


@st.composite
def edits_of(draw: Any, doc: Doc) -> List[Edit]:
    """Sorted edits of all kinds that do not overlap."""
    n = len(doc)
    borders = sorted(draw(st.sets(st.integers(0, n), max_size=6)))
    edits = []
    for start, end in list(itertools.pairwise(borders))[:: draw(st.sampled_from([1, 2]))]:
        kind = draw(st.sampled_from(["rewrite", "replace", "donor", "insert"]))
        words = draw(st.lists(WORD, min_size=1, max_size=3))
        if kind == "rewrite":
            edits.append(Edit(start, end, draw(st.lists(WORD, min_size=end - start, max_size=end - start))))
        elif kind == "replace":
            edits.append(Edit(start, end, words))
        elif kind == "insert" and start:
            edits.append(Edit(start, start, words))
        else:
            at = draw(st.integers(0, n - 1))
            rows = read_rows(doc)[at : at + len(words)].copy()
            edits.append(Edit(start, end, words[: len(rows)], None, rows))
    return edits


CASES = docs().flatmap(lambda doc: st.tuples(st.just(doc), edits_of(doc)))


def is_lawful(doc: Doc, edit: Edit) -> bool:
    """The rule, told in sets of tokens."""
    tokens = set(range(edit.start, edit.end))
    spans = [*doc.ents, *(span for group in doc.spans.values() for span in group)]
    cuts = any(tokens & set(range(s.start, s.end)) and not tokens <= set(range(s.start, s.end)) for s in spans)
    return not edit.is_new or (not cuts and not any(doc[i].sent_start == 1 for i in sorted(tokens)[1:]))


def plan(doc: Doc, edits: List[Edit]) -> List[List[int]]:
    """For each old token, the new tokens that stand for it: its own, or all those of an edit that has replaced it."""
    where: List[List[int]] = []
    at = 0
    lawful = [edit for edit in edits if is_lawful(doc, edit)]
    for i in range(len(doc)):
        at += sum(len(edit.words) for edit in lawful if edit.start == edit.end == i)
        inside = [edit for edit in lawful if edit.is_new and edit.start <= i < edit.end]
        if not inside:
            where.append([at])
            at += 1
        elif i == inside[0].start:
            where.append(list(range(at, at + len(inside[0].words))))
            at += len(inside[0].words)
        else:
            where.append(where[-1])
    return where


@given(CASES)
def test_reproject_tokens_outside_of_edits_keep_everything(case: Any) -> None:
    doc, edits = case
    made, where = edited(doc, *edits), plan(doc, edits)
    old, new = read_rows(doc), read_rows(made)
    lawful = [edit for edit in edits if is_lawful(doc, edit)]
    touched = {i for edit in lawful for i in range(edit.start, edit.end)}
    replaced = {i for edit in lawful if edit.is_new for i in range(edit.start, edit.end)}
    for token in doc:
        (at, *more) = where[token.i]
        if token.i not in touched:
            assert not more
            assert (made[at].text, made[at].whitespace_) == (token.text, token.whitespace_)
        if token.i in replaced:
            continue
        columns = [i for i in range(len(ATTRS)) if i != HEAD_ and (i != NORM_ or token.i not in touched)]
        if made[at].dep == 0:  # a head that is gone takes its label along
            assert token.dep == 0 or token.head.i in replaced
            columns = [i for i in columns if i != DEP_]
        elif token.head.i not in replaced:
            assert made[at].head.i == where[token.head.i][0]
        else:
            assert made[at].head.i in where[token.head.i]
        assert (new[at, columns] == old[token.i, columns]).all()


@given(CASES)
def test_reproject_entities_and_spans_are_all_there_over_their_tokens(case: Any) -> None:
    doc, edits = case
    made, where = edited(doc, *edits), plan(doc, edits)

    def moved(span: Span) -> Any:
        covered = [i for old in range(span.start, span.end) for i in where[old]]
        return min(covered), max(covered) + 1, span.label_

    assert [(ent.start, ent.end, ent.label_) for ent in made.ents] == [moved(ent) for ent in doc.ents]
    assert list(made.spans) == list(doc.spans)
    for key, group in doc.spans.items():
        assert [(span.start, span.end, span.label_) for span in made.spans[key]] == [moved(span) for span in group]


@given(CASES)
def test_reproject_words_are_those_of_the_lawful_edits(case: Any) -> None:
    doc, edits = case
    expected: List[str] = []
    at = 0
    for edit in [edit for edit in edits if is_lawful(doc, edit)]:
        expected += [*(token.text for token in doc[at : edit.start]), *edit.words]
        at = edit.end
    assert [token.text for token in edited(doc, *edits)] == expected + [token.text for token in doc[at:]]


@given(CASES)
def test_reproject_missing_annotation_is_not_made_up(case: Any) -> None:
    doc, edits = case
    made = edited(doc, *edits)
    for attr in ("ENT_IOB", "TAG", "LEMMA", "MORPH", "DEP"):
        if not doc.has_annotation(attr):
            assert not made.has_annotation(attr)
    if not any(token.sent_start for token in doc[1:]):  # the first token always is one
        assert not any(token.sent_start for token in made[1:])
    for old, new in zip(doc, plan(doc, edits), strict=True):
        if old.ent_iob == 0:
            assert {made[i].ent_iob for i in new} <= {0}


@given(CASES)
def test_reproject_heads_end_at_roots_and_the_doc_can_be_stored(case: Any) -> None:
    doc, edits = case
    made = edited(doc, *edits)
    for token in made:
        for _ in range(len(made)):
            token = token.head
        assert token.head == token
    (again,) = DocBin(docs=[made], store_user_data=True).get_docs(NLP.vocab)
    assert {**again.to_json(), "sents": []} == {**made.to_json(), "sents": []}  # spaCy takes these from heads


def test_reproject_helpers_agree_with_spacy() -> None:
    doc = rich_doc(NLP)
    assert len(read_rows(doc)) == len(WORDS) == len(SPACES)
    assert not blank_rows(2).any()
