"""Words that are an entity nearly always are found where they are not annotated, as by looking at all places."""

from collections import Counter
from typing import Any, Dict, List, Tuple

from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span

from spacy_ctxtag.data.checks.mentions import NEARLY_ALWAYS, OFTEN, find_unlabelled
from spacy_ctxtag.data.places import Place
from spacy_ctxtag.data.token_table import TokenTable
from spacy_ctxtag.data.validate import validate

PLACE = Place("train", "train.txt", 1, "d", "")


def test_unlabelled_mentions_are_listed_with_their_places(nlp: Any, tmp_path: Any) -> None:
    path = tmp_path / "a.txt"
    name = "[LOC New York]"
    path.write_text(
        f"# doc = a\n{name} and {name} or {name}\n\n# doc = b\n{name} but not New York , New Jersey or York\n"
        "# doc = c\n[- New York] [ORG New York Times] [ORG Times] Times\n",
        encoding="utf8",
    )
    (problem,) = validate({"train": [path]}, nlp).problems
    assert (problem.code, problem.line, problem.document, problem.token, problem.char) == ("CW315", 4, "b", 4, 17)
    assert "'New York' is annotated 4 times (LOC), but not at" in problem.message
    assert "a.txt:4 (document 'b', token 4, character 17). Annotate" in problem.message


def test_unlabelled_mentions_name_five_places_at_most(nlp: Any, tmp_path: Any) -> None:
    path = tmp_path / "a.txt"
    path.write_text("# doc = a\n" + "[LOC Rome]\n" * 28 + "Rome\n" * 7, encoding="utf8")
    (problem,) = validate({"train": [path]}, nlp).problems
    assert problem.message.count("(document 'a'") == 5
    assert "; and 2 more. Annotate" in problem.message


def count_all(docs: List[Doc]) -> Dict[Tuple[str, ...], Tuple[int, List[int]]]:
    """RETURNS (Dict): By the words: how often they are an entity, and the tokens at which they are outside."""
    entities: Counter[Tuple[str, ...]] = Counter()
    outside: Dict[Tuple[str, ...], List[int]] = {}
    for doc in docs:
        entities.update(tuple(token.text for token in ent) for ent in doc.ents)
    first = 0
    for doc in docs:
        for words in entities:
            for i in range(len(doc) - len(words) + 1):
                window = doc[i : i + len(words)]
                if tuple(token.text for token in window) == words and all(token.ent_iob == 2 for token in window):
                    outside.setdefault(words, []).append(first + i)
        first += len(doc)
    return {
        words: (n, outside[words])
        for words, n in entities.items()
        if words in outside and n >= OFTEN and n / (n + len(outside[words])) >= NEARLY_ALWAYS
    }


@st.composite
def annotated(draw: Any, vocab: Any) -> Doc:
    """A Doc of few different words, many of them the same entity, with holes."""
    pieces = draw(st.lists(st.sampled_from(["a", "b", "A", "AB", "AB", "A", "?"]), max_size=12))
    words: List[str] = []
    ents: List[Tuple[int, int, str]] = []
    missing: List[int] = []
    for piece in pieces:
        start = len(words)
        words.extend(piece.lower().replace("?", "a"))
        if piece.isupper():
            ents.append((start, len(words), "X"))
        elif piece == "?":
            missing.append(start)
    doc = Doc(vocab, words=words)
    doc.set_ents([Span(doc, *ent) for ent in ents], missing=[Span(doc, i, i + 1) for i in missing])
    return doc


@given(st.data())
def test_unlabelled_mentions_are_those_of_looking_at_every_place(nlp: Any, data: Any) -> None:
    docs = data.draw(st.lists(annotated(nlp.vocab), max_size=5))
    table = TokenTable(nlp.vocab)
    for doc in docs:
        table.add(doc, PLACE)
    found = {
        tuple(table.text(each.first, each.end).split()): (each.n, each.outside.tolist())
        for each in find_unlabelled(table)
    }
    assert found == count_all(docs)


def test_unlabelled_mentions_leave_out_blocked_tokens(nlp: Any) -> None:
    doc = Doc(nlp.vocab, words=["Rome"] * 5)
    doc.set_ents([Span(doc, i, i + 1, "LOC") for i in range(4)], blocked=[doc[4:5]])
    table = TokenTable(nlp.vocab)
    table.add(doc, PLACE)
    (each,) = find_unlabelled(table)
    assert (each.n, each.outside.tolist(), each.share) == (4, [4], 0.8)
