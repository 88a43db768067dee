"""Masks, casing, character noise, spaces, punctuation: what each does to words and what it leaves alone."""

from typing import Any, List

import pytest
from augment_helpers import annotate, example_of, rich_doc, show, variants
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc

from spacy_ctxtag.data.augment.casing import create_casing_v1
from spacy_ctxtag.data.augment.char_noise import KINDS, LAYOUTS, create_char_noise_v1
from spacy_ctxtag.data.augment.mask_tokens import create_mask_tokens_v1
from spacy_ctxtag.data.augment.punctuation import create_punctuation_v1
from spacy_ctxtag.data.augment.reproject import NORM_, read_rows
from spacy_ctxtag.data.augment.spaces import create_spaces_v1

LINE = "[PERSON Ada Lovelace] wrote to [LOC London] ~."


def made_of(augmenter: Any, nlp: Language, line: str, n: int = 30) -> List[str]:
    return sorted({show(made.reference) for made in variants(augmenter, nlp, annotate(nlp, line), n)})


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("any", "[PERSON <mask> <mask>] <mask> <mask> [LOC <mask>] ~."),
        ("entities", "[PERSON <mask> <mask>] wrote to [LOC <mask>] ~."),
        ("outside", "[PERSON Ada Lovelace] <mask> <mask> [LOC London] ~."),
    ],
)
def test_mask_tokens_masks_words_but_no_punctuation(nlp: Language, where: str, expected: str) -> None:
    augmenter = create_mask_tokens_v1(level=1.0, rate=1.0, mask="<mask>", where=where)
    (made,) = augmenter(nlp, annotate(nlp, LINE))
    assert show(made.reference) == expected
    assert [token.text for token in made.predicted] == [token.text for token in made.reference]


def test_mask_tokens_keeps_all_gold_annotation(nlp: Language) -> None:
    old = rich_doc(nlp)
    (made,) = create_mask_tokens_v1(level=1.0, rate=1.0)(nlp, example_of(nlp, old))
    rows, expected = read_rows(made.reference), read_rows(old)
    rows[:, NORM_] = expected[:, NORM_] = 0
    assert (rows == expected).all()


def test_mask_tokens_rate_is_the_share_of_words(nlp: Language) -> None:
    doc = Doc(nlp.vocab, words=["word"] * 1000)
    augmenter = create_mask_tokens_v1(level=1.0, rate=0.2, mask="_")
    (made,) = augmenter(nlp, example_of(nlp, doc))
    assert 150 < sum(token.text == "_" for token in made.reference) < 250


def test_mask_tokens_leaves_tokens_alone_that_the_tokenizer_cuts_in_another_way(nlp: Language) -> None:
    doc = Doc(nlp.vocab, words=["don't", "go"], spaces=[True, False])
    (made,) = create_mask_tokens_v1(level=1.0, rate=1.0, mask="_")(nlp, example_of(nlp, doc))
    assert [token.text for token in made.reference] == ["don't", "_"]
    assert [token.text for token in made.predicted] == ["do", "n't", "_"]


def test_mask_tokens_other_words_are_of_the_same_kind(nlp: Language) -> None:
    augmenter = create_mask_tokens_v1(level=1.0, rate=1.0, mask=None)
    names, others = {"Ada", "Lovelace", "Tom"}, {"wrote", "to", "left", "for"}
    for line in [LINE, "[PERSON Tom] left for [LOC Rome] ~."] * 5:
        example = annotate(nlp, line)
        (made,) = augmenter(nlp, example)
        for old, new in zip(example.reference, made.reference, strict=True):
            kinds = {"PERSON": names, "LOC": {"London", "Rome"}, "": others | {"."}}
            assert new.text in kinds[old.ent_type_]
    assert not any(old.text == new.text != "." for old, new in zip(example.reference, made.reference, strict=True))


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("lower", "[PERSON ada lovelace] wrote to [LOC london] ~."),
        ("upper", "[PERSON ADA LOVELACE] WROTE TO [LOC LONDON] ~."),
        ("title", "[PERSON Ada Lovelace] Wrote To [LOC London] ~."),
    ],
)
def test_casing_of_documents(nlp: Language, case: str, expected: str) -> None:
    assert made_of(create_casing_v1(level=1.0, case=case), nlp, LINE) == [expected]


def test_casing_at_random_by_document_and_by_word(nlp: Language) -> None:
    line = "[PERSON Ada Lovelace] wrote to [LOC London] ~."
    assert len(made_of(create_casing_v1(level=1.0, case="random"), nlp, line)) == 3
    assert len(made_of(create_casing_v1(level=1.0, case="random", per="word"), nlp, line)) > 10
    assert len(made_of(create_casing_v1(level=1.0, case="upper", rate=0.5), nlp, line)) > 10


WORDS = {
    "keyboard": {
        "qord",
        "eord",
        "aord",
        "sord",
        "wird",
        "wprd",
        "wkrd",
        "wlrd",
        "woed",
        "wotd",
        "wodd",
        "wofd",
        "wors",
        "worf",
        "wore",
        "worr",
        "worx",
        "worc",
    },
    "swap": {"owrd", "wrod", "wodr"},
    "drop": {"ord", "wrd", "wod", "wor"},
    "double": {"wword", "woord", "worrd", "wordd"},
    "ocr": {"vvord", "worcl"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_char_noise_of_one_kind(nlp: Language, kind: str) -> None:
    found = set(made_of(create_char_noise_v1(level=1.0, rate=1.0, kinds=[kind]), nlp, "word", n=300))
    assert found <= WORDS[kind]
    assert len(found) >= 2
    assert "word" not in found


def test_char_noise_of_ocr_goes_both_ways(nlp: Language) -> None:
    augmenter = create_char_noise_v1(level=1.0, rate=1.0, kinds=["ocr"], min_length=1)
    assert made_of(augmenter, nlp, "m") == ["rn"]
    assert made_of(augmenter, nlp, "rn") == ["m", "ru"]
    assert made_of(augmenter, nlp, "0") == ["O"]


def test_char_noise_leaves_short_words_and_others_alone(nlp: Language) -> None:
    augmenter = create_char_noise_v1(level=1.0, rate=1.0, min_length=4)
    assert made_of(augmenter, nlp, "the … !!!! 東") == ["the … !!!! 東"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_char_noise_neighbours_are_mutual_and_of_one_kind(layout: str) -> None:
    keys = create_char_noise_v1(layout=layout).keys
    assert set("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789") <= set(keys)
    for key, neighbours in keys.items():
        assert neighbours
        for other in neighbours:
            assert key in keys[other]
            assert (key.isupper(), key.isdigit()) == (other.isupper(), other.isdigit())


def test_char_noise_neighbours_of_a_key() -> None:
    assert sorted(create_char_noise_v1().keys["g"]) == sorted("tyfhvb")
    assert sorted(create_char_noise_v1(layout="qwertz").keys["y"]) == sorted("axs")


@given(st.text(min_size=1, max_size=12).filter(lambda word: word.split() == [word]), st.integers(0, 5))
def test_char_noise_never_makes_empty_words_or_white_space(word: str, seed: int) -> None:
    noisy = create_char_noise_v1(min_length=1, seed=seed).misspell(word)
    assert noisy is None or (noisy.split() == [noisy] and noisy != word)


def test_spaces_double(nlp: Language) -> None:
    augmenter = create_spaces_v1(level=1.0, rate=1.0, kinds=["double"])
    (made,) = augmenter(nlp, annotate(nlp, LINE))
    assert made.reference.text == "Ada  Lovelace  wrote  to  London."
    assert [token.text for token in made.predicted] == [token.text for token in made.reference]
    assert [(ent.text, ent.label_) for ent in made.reference.ents] == [("Ada  Lovelace", "PERSON"), ("London", "LOC")]


def test_spaces_missing_after_punctuation(nlp: Language) -> None:
    augmenter = create_spaces_v1(level=1.0, rate=1.0, kinds=["missing"])
    assert made_of(augmenter, nlp, "[LOC Porto] ~, [LOC Lyon] and Rome ~. Yes") == [
        "[LOC Porto] ~, [LOC ~Lyon] and Rome ~. ~Yes"
    ]


def test_spaces_leaves_documents_with_unknown_spaces_alone(nlp: Language) -> None:
    example = example_of(nlp, Doc(nlp.vocab, words=["a", ",", "b"]))
    assert list(create_spaces_v1(level=1.0, rate=1.0)(nlp, example)) == [example]


@pytest.mark.parametrize(
    ("kind", "line", "expected"),
    [
        ("quotes", '" ~Isn\'t it ? ~" he said', ['" ~Isn\'t it ? ~" he said', "“ ~Isn’t it ? ~” he said"]),
        ("quotes", "‘ ~So ~’ it is", ["' ~So ~' it is", "‘ ~So ~’ it is"]),
        ("quotes", "no quotes", ["no quotes"]),
        ("dashes", "a - b ~- ~c", ["a -- b ~- ~c", "a – b ~- ~c", "a — b ~- ~c"]),
        ("ellipsis", "so ~... yes", ["so ~… yes"]),
        ("ellipsis", "so ~… yes", ["so ~... yes"]),
    ],
)
def test_punctuation_variants(nlp: Language, kind: str, line: str, expected: List[str]) -> None:
    augmenter = create_punctuation_v1(level=1.0, rate=1.0, kinds=[kind])
    assert made_of(augmenter, nlp, line) == sorted(expected)
