"""Mention replacement and synonyms, and the files that they read."""

from pathlib import Path
from typing import Any, List

import pytest
from augment_helpers import annotate, example_of, mentions, rich_doc, show, variants
from spacy.language import Language
from spacy.tokens import DocBin

from spacy_ctxtag.data.augment.replace_mentions import create_replace_mentions_v1, read_gazetteer
from spacy_ctxtag.data.augment.synonyms import create_synonyms_v1, read_lexicon
from spacy_ctxtag.data.records import DataError

LINE = "[PERSON Ada Lovelace] left [LOC London] ~, and [LOC London] let her ~."


@pytest.fixture
def gazetteer(tmp_path: Path) -> Path:
    path = tmp_path / "gazetteer.tsv"
    path.write_text("LOC\tNew York\n\nLOC\tRome\nORG\tO'Neil & Sons\n", encoding="utf8")
    return path


def made_of(augmenter: Any, nlp: Language, line: str, n: int = 40) -> List[str]:
    return sorted({show(made.reference) for made in variants(augmenter, nlp, annotate(nlp, line), n)})


def test_replace_mentions_stay_within_the_label_and_the_same_is_replaced_by_the_same(
    nlp: Language, gazetteer: Path
) -> None:
    augmenter = create_replace_mentions_v1(level=1.0, rate=1.0, gazetteer=gazetteer)
    assert made_of(augmenter, nlp, LINE) == [
        "[PERSON Ada Lovelace] left [LOC New York] ~, and [LOC New York] let her ~.",
        "[PERSON Ada Lovelace] left [LOC Rome] ~, and [LOC Rome] let her ~.",
    ]


def test_replace_mentions_uses_those_of_the_documents_so_far(nlp: Language) -> None:
    augmenter = create_replace_mentions_v1(level=1.0, rate=1.0)
    assert made_of(augmenter, nlp, LINE) == [LINE]
    made_of(augmenter, nlp, "[PERSON Tom] went to [LOC Ponta Delgada]")
    assert made_of(augmenter, nlp, LINE) == [
        "[PERSON Tom] left [LOC Ponta Delgada] ~, and [LOC Ponta Delgada] let her ~."
    ]


def test_replace_mentions_of_some_labels(nlp: Language) -> None:
    augmenter = create_replace_mentions_v1(level=1.0, rate=1.0, labels=["LOC"])
    made_of(augmenter, nlp, "[PERSON Tom] went to [LOC Ponta Delgada]")
    assert made_of(augmenter, nlp, LINE) == [
        "[PERSON Ada Lovelace] left [LOC Ponta Delgada] ~, and [LOC Ponta Delgada] let her ~."
    ]


def test_replace_mentions_takes_them_with_their_annotation_from_a_file(nlp: Language, tmp_path: Path) -> None:
    DocBin(docs=[rich_doc(nlp)]).to_disk(tmp_path / "train.spacy")
    augmenter = create_replace_mentions_v1(level=1.0, rate=1.0, path=tmp_path / "train.spacy")
    example = annotate(nlp, "[PERSON Tom] left", tags=["X", "Y"], heads=[1, 1], deps=["nsubj", "ROOT"])
    made = {
        made.reference[: len(made.reference) - 1].text: made.reference for made in variants(augmenter, nlp, example)
    }
    doc = made["Charles Babbage"]
    assert [token.tag_ for token in doc] == ["PROPN-5", "PROPN-6", "Y"]
    assert [(token.head.text, token.dep_) for token in doc] == [
        ("Babbage", "compound"),
        ("left", "nsubj"),
        ("left", "ROOT"),
    ]
    assert doc.ents[0].kb_id_ == "Q46633"
    assert sorted(made) == ["Ada Lovelace", "Charles Babbage"]


def test_replace_mentions_from_a_gazetteer_have_no_tags_but_a_single_word_has_a_head(
    nlp: Language, tmp_path: Path
) -> None:
    (tmp_path / "one.jsonl").write_text('{"label": "PERSON", "mention": "Tom"}\n', encoding="utf8")
    augmenter = create_replace_mentions_v1(level=1.0, rate=1.0, gazetteer=tmp_path / "one.jsonl")
    (made,) = augmenter(nlp, example_of(nlp, rich_doc(nlp)))
    doc = made.reference
    assert doc.text == "Tom wrote to Mr. Tom in London. He answered."
    assert [doc[i].tag_ for i in range(3)] == ["", "VERB-2", "ADP-3"]
    assert [(doc[i].head.text, doc[i].dep_) for i in (0, 3, 4)] == [
        ("wrote", "nsubj"),
        ("Tom", "compound"),
        ("to", "pobj"),
    ]
    assert [ent.kb_id_ for ent in doc.ents] == ["", "", ""]


def test_replace_mentions_skips_one_in_which_a_span_begins(nlp: Language, gazetteer: Path) -> None:
    example = annotate(nlp, "in [LOC Greater London]")
    example.reference.spans["chunks"] = [example.reference[2:3]]
    augmenter = create_replace_mentions_v1(level=1.0, rate=1.0, gazetteer=gazetteer)
    assert list(augmenter(nlp, example)) == [example]


def test_replace_mentions_of_a_gazetteer_are_tokenized(nlp: Language, gazetteer: Path) -> None:
    augmenter = create_replace_mentions_v1(level=1.0, rate=1.0, gazetteer=gazetteer)
    (made,) = augmenter(nlp, annotate(nlp, "[ORG Acme] ~, yes"))
    assert mentions(made.reference) == [("O'Neil & Sons", "ORG")]
    assert made.reference.text == "O'Neil & Sons, yes"
    assert [token.text for token in made.predicted] == [token.text for token in made.reference]


def test_gazetteer_lists_all_lines_that_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "bad.tsv"
    path.write_text("LOC\tRome\nLOC\nLOC\t \nLOC\ta\tb\n", encoding="utf8")
    with pytest.raises(DataError, match=r"CT391") as caught:
        read_gazetteer(path)
    assert [(problem.path, problem.line) for problem in caught.value.problems] == [(str(path), n) for n in (2, 3, 4)]


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("a.jsonl", "{'label': 1}\n", r"a.jsonl:1: \[CT360\]"),
        ("a.jsonl", '{"label": "LOC"}\n', r"a.jsonl:1: \[CT391\]"),
        ("a.jsonl", '["LOC", "Rome"]\n', r"a.jsonl:1: \[CT391\]"),
        ("a.tsv", "\n", r"a.tsv: \[CT392\]"),
        ("a.tsv", None, r"a.tsv: \[CT301\]"),
    ],
)
def test_gazetteer_that_cannot_be_read(tmp_path: Path, name: str, text: Any, code: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf8")
    with pytest.raises(DataError, match=code):
        create_replace_mentions_v1(gazetteer=tmp_path / name)


def test_replace_mentions_of_a_missing_file(nlp: Language, tmp_path: Path) -> None:
    augmenter = create_replace_mentions_v1(path=tmp_path / "none.spacy")
    with pytest.raises(DataError, match="CT305"):
        list(augmenter(nlp, annotate(nlp, LINE)))


@pytest.fixture
def lexicon(tmp_path: Path) -> Path:
    path = tmp_path / "lexicon.tsv"
    path.write_text("left\tquit\tVERB\nlet\tpermitted\nher\tthat woman\nlondon\tthe city\n", encoding="utf8")
    return path


def test_synonyms_replace_words_outside_of_entities(nlp: Language, lexicon: Path) -> None:
    augmenter = create_synonyms_v1(lexicon, level=1.0, rate=1.0)
    assert made_of(augmenter, nlp, LINE) == [
        "[PERSON Ada Lovelace] left [LOC London] ~, and [LOC London] permitted that woman ~."
    ]


def test_synonyms_have_the_part_of_speech_and_the_capitals_of_the_word(nlp: Language, lexicon: Path) -> None:
    augmenter = create_synonyms_v1(lexicon, level=1.0, rate=1.0)
    example = annotate(nlp, "Left LET left", pos=["VERB", "X", "NOUN"], lemmas=["leave", "let", "left"])
    (made,) = augmenter(nlp, example)
    assert made.reference.text == "Quit PERMITTED left"
    assert [token.pos_ for token in made.reference] == ["VERB", "X", "NOUN"]
    assert [token.lemma_ for token in made.reference] == ["", "", "left"]


def test_synonyms_of_several_words_have_no_annotation(nlp: Language, lexicon: Path) -> None:
    augmenter = create_synonyms_v1(lexicon, level=1.0, rate=1.0)
    (made,) = augmenter(nlp, annotate(nlp, "for her", pos=["ADP", "PRON"], heads=[0, 0], deps=["ROOT", "pobj"]))
    assert [token.text for token in made.reference] == ["for", "that", "woman"]
    assert [token.pos_ for token in made.reference] == ["ADP", "", ""]
    assert [token.has_head() for token in made.reference] == [True, False, False]


def test_lexicon_as_json_and_its_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.jsonl"
    path.write_text('{"word": "big", "synonyms": ["large", "great"], "pos": "ADJ"}\n', encoding="utf8")
    assert read_lexicon(path)[0].synonyms == ["large", "great"]
    wrong = (
        '{"word": "big", "synonyms": []}',
        '{"word": "big", "synonyms": [1]}',
        '{"word": "a lot", "synonyms": ["b"]}',
    )
    path.write_text("\n".join(wrong), encoding="utf8")
    with pytest.raises(DataError, match=r"(?s)lexicon.jsonl:1: \[CT391\].*jsonl:2: \[CT391\].*jsonl:3: \[CT391\]"):
        read_lexicon(path)
