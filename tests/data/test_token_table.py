"""The table gives back what was put in."""

from typing import Any

import numpy as np
import pytest
from spacy.tokens import Doc, Span

from spacy_ctxtag.data.places import Place, place_of
from spacy_ctxtag.data.token_table import TokenTable


@pytest.fixture
def table(nlp: Any) -> TokenTable:
    """Three documents, the second of them empty."""
    table = TokenTable(nlp.vocab)
    first = Doc(nlp.vocab, words=["Ada", "wrote", ",", " ", "ADA"], spaces=[True, False, True, False, False])
    first.set_ents([Span(first, 0, 2, "X")], missing=[first[2:3]])
    for i, doc in enumerate([first, Doc(nlp.vocab), Doc(nlp.vocab, words=["東京", "x"])]):
        assert table.add(doc, Place("s", f"{i}.txt", i, f"d{i}", "")) == (0, 5, 5)[i]
    return table


def test_token_table_finds_documents_tokens_and_characters(table: TokenTable) -> None:
    found = [(place.document, token, char) for place, token, char in map(table.find, range(7))]
    assert found == [("d0", 0, 0), ("d0", 1, 4), ("d0", 2, 9), ("d0", 3, 11), ("d0", 4, 12), ("d2", 0, 0), ("d2", 1, 3)]
    assert table.owners.tolist() == [0] * 5 + [2] * 2


def test_token_table_gives_texts_and_tags_back(table: TokenTable) -> None:
    assert [table.text(0, 5), table.text(0, 1), table.text(5, 7)] == ["Ada wrote,  ADA", "Ada", "東京 x"]
    assert table.iob.tolist() == [3, 1, 0, 2, 2, 0, 0]


def test_token_table_lower_words_and_what_is_a_word(table: TokenTable, nlp: Any) -> None:
    lower, is_word = table.lower_words()
    assert [nlp.vocab.strings[int(each)] for each in lower] == ["ada", "wrote", ",", " ", "ada", "東京", "x"]
    assert is_word.tolist() == [True, True, False, False, True, True, True]


def test_token_table_without_documents(nlp: Any) -> None:
    table = TokenTable(nlp.vocab)
    assert [len(table.words), len(table.iob), len(table.owners)] == [0, 0, 0]
    assert [each.tolist() for each in table.lower_words()] == [[], []]
    assert table.words.dtype == np.uint64


def test_place_of_a_document_of_another_file_has_its_source_and_no_line(nlp: Any, tmp_path: Any) -> None:
    doc = Doc(nlp.vocab, words=["x"], user_data={"ctx": {"id": 7, "source": "a.txt", "line": 3}})
    assert place_of(doc, tmp_path / "b.spacy", "dev") == ("dev", str(tmp_path / "b.spacy"), 0, "7", "a.txt:3")
    assert place_of(Doc(nlp.vocab), tmp_path / "c").at() == str(tmp_path / "c")
