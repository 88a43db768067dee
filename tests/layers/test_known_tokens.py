"""What an encoder's tokenizer does not know, in the words of spaCy's tokens."""

from typing import Any, Dict, List, Tuple

import pytest
import spacy
from spacy.tokens import Doc

from spacy_ctxtag.layers.hf_weights import load_tokenizer
from spacy_ctxtag.layers.known_tokens import know_tokens

pytestmark = pytest.mark.backbone
NLP = spacy.blank("en")
ZERO_WIDTH = "\u200b"


def judge(path: str, *docs: Doc) -> Tuple[List[str], List[str]]:
    """RETURNS (Tuple): The texts of the tokens that are not known, and of those of which nothing is left."""
    from pathlib import Path

    known = know_tokens(docs, load_tokenizer(Path(path)))
    tokens = [token.text for doc in docs for token in doc]
    assert len(known.unknown) == len(known.deleted) == len(tokens)
    unknown, deleted = ([tokens[i] for i in found.nonzero()[0]] for found in known)
    return unknown, deleted


def words(*texts: str, spaces: Any = None) -> Doc:
    return Doc(NLP.vocab, words=list(texts), spaces=spaces)


@pytest.mark.parametrize("kind", ["bert", "electra", "xlm-roberta", "deberta-v2"])
def test_known_tokens_with_characters_that_the_vocabulary_lacks(tiny_backbones: Dict[str, str], kind: str) -> None:
    docs = words("Ada", "☃", " ", "the"), words("Ω", "and", "ⴰⵣ")
    assert judge(tiny_backbones[kind], *docs) == (["☃", "Ω", "ⴰⵣ"], [])


@pytest.mark.parametrize("kind", ["roberta", "modernbert"])
def test_known_tokens_of_bytes_are_all(tiny_backbones: Dict[str, str], kind: str) -> None:
    assert judge(tiny_backbones[kind], words("Ada", "☃", "ⴰⵣ")) == ([], [])


def test_known_tokens_are_judged_in_their_text(tiny_backbone: str) -> None:
    """A tokenizer's word may be two tokens, and is unknown as a whole."""
    assert judge(tiny_backbone, words("the", "☃", "the", spaces=[False, True, False])) == (["the", "☃"], [])


def test_known_tokens_that_the_normalization_deletes(tiny_backbone: str) -> None:
    assert judge(tiny_backbone, words("Ada", ZERO_WIDTH, "\n", "the")) == ([], [ZERO_WIDTH])


def test_known_tokens_that_spell_a_special_piece_of_the_vocabulary_are_unknown(tiny_backbones: Dict[str, str]) -> None:
    assert judge(tiny_backbones["xlm-roberta"], words("the", "</s>")) == (["</s>"], [])


def test_known_tokens_of_no_document_and_of_an_empty_one(tiny_backbone: str) -> None:
    assert judge(tiny_backbone) == ([], [])
    assert judge(tiny_backbone, Doc(NLP.vocab)) == ([], [])
