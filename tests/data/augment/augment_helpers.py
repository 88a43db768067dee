"""A Doc with every annotation that there is, and short ways to make Examples and variants."""

from typing import Any, List, Optional, Tuple

from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example

WORDS = ["Ada", "Lovelace", "wrote", "to", "Mr.", "Charles", "Babbage", "in", "London", ".", "He", "answered", "."]
SPACES = [True, True, True, True, True, True, True, True, False, True, True, False, False]
POS = ["PROPN", "PROPN", "VERB", "ADP", "NOUN", "PROPN", "PROPN", "ADP", "PROPN", "PUNCT", "PRON", "VERB", "PUNCT"]
HEADS = [1, 2, 2, 2, 6, 6, 3, 2, 7, 2, 11, 11, 11]
DEPS = [
    "compound",
    "nsubj",
    "ROOT",
    "prep",
    "compound",
    "compound",
    "pobj",
    "prep",
    "pobj",
    "punct",
    "nsubj",
    "ROOT",
    "punct",
]


def rich_doc(nlp: Language) -> Doc:
    """RETURNS (Doc): `Ada Lovelace wrote to Mr. Charles Babbage in London. He answered.`, annotated in every way."""
    doc = Doc(
        nlp.vocab,
        words=WORDS,
        spaces=SPACES,
        tags=[f"{pos}-{i}" for i, pos in enumerate(POS)],
        pos=POS,
        morphs=[f"Number={'Sing' if i % 2 else 'Plur'}" for i in range(len(WORDS))],
        lemmas=[word.lower() for word in WORDS],
        heads=HEADS,
        deps=DEPS,
        user_data={"ctx": {"id": "a"}, ("._.", "of_doc", None, None): 1},
    )
    doc.set_ents(
        [
            Span(doc, 0, 2, "PERSON", kb_id="Q7259", span_id="ada"),
            Span(doc, 5, 7, "PERSON", kb_id="Q46633"),
            Span(doc, 8, 9, "LOC"),
        ],
        missing=[doc[10:11]],
    )
    doc.spans["chunks"] = SpanGroup(
        doc,
        name="chunks",
        attrs={"scores": [0.5, 0.25, 1.0, 0.75]},
        spans=[Span(doc, 0, 2, "NP"), Span(doc, 4, 7, "NP", kb_id="k", span_id="s"), Span(doc, 3, 9, "PP"), doc[8:9]],
    )
    doc.user_data[("._.", "of_token", doc[6].idx, None)] = "Babbage"
    doc.user_data[("._.", "of_span", doc[4].idx, doc[6].idx + 7)] = "Mr. Charles Babbage"
    doc.cats = {"letter": 1.0}
    return doc


def example_of(nlp: Language, reference: Doc) -> Example:
    """RETURNS (Example): As a corpus reader makes it, for the tokenizer's own tokens."""
    return Example(nlp.make_doc(reference.text), reference)


def annotate(nlp: Language, text: str, **layers: Any) -> Example:
    """RETURNS (Example): Words, and entities in brackets: `[PERSON Ada Lovelace] wrote ~.`; a `~` says that no space is
    before a word. Further layers as a Doc takes them."""
    words: List[str] = []
    spaces: List[bool] = []
    ents: List[Tuple[int, int, str]] = []
    opened: Optional[Tuple[int, str]] = None
    for piece in text.split():
        if piece.startswith("[") and piece != "[" and piece[1:].isupper() and not piece.endswith("]"):
            opened = len(words), piece[1:]
            continue
        closes = piece.endswith("]") and opened is not None
        word = piece[:-1] if closes else piece
        if word.startswith("~") and words:
            spaces[-1] = False
            word = word[1:]
        words.append(word)
        spaces.append(True)
        if closes and opened is not None:
            ents.append((opened[0], len(words), opened[1]))
            opened = None
    spaces[-1] = False
    doc = Doc(nlp.vocab, words=words, spaces=spaces, **layers)
    doc.set_ents([Span(doc, start, end, label) for start, end, label in ents])
    return example_of(nlp, doc)


def show(doc: Doc) -> str:
    """RETURNS (str): A Doc as `annotate` reads it; a token that is a space is a `␣`."""
    starts = {ent.start: ent.label_ for ent in doc.ents}
    ends = {ent.end - 1 for ent in doc.ents}
    pieces = []
    for token in doc:
        glued = "~" if token.i and not doc[token.i - 1].whitespace_ else ""
        word = glued + token.text.replace(" ", "␣") + ("]" if token.i in ends else "")
        pieces.append(f"[{starts[token.i]} {word}" if token.i in starts else word)
    return " ".join(pieces)


def variants(augmenter: Any, nlp: Language, example: Example, n: int = 20) -> List[Example]:
    """RETURNS (List[Example]): What an augmenter makes of the same Example, n times."""
    return [made for _ in range(n) for made in augmenter(nlp, example)]


def mentions(doc: Doc) -> List[Tuple[str, str]]:
    """RETURNS (List): Text and label of all entities."""
    return [(ent.text, ent.label_) for ent in doc.ents]
