"""Encoders over the tiny backbones, and texts that break things."""

from functools import cache
from typing import Any, List

import spacy
from hypothesis import strategies as st
from spacy.tokens import Doc
from thinc.api import Model

from spacy_ctxtag.architectures.encoder import build_encoder_v1
from spacy_ctxtag.layers.backbone import Backbone

NLP = spacy.blank("en")
NLP.max_length = 10_000_000
PLAIN = "Ada Lovelace wrote to Charles Babbage in London, and he didn't answer from Cambridge."
LONG = " ".join(["The ships passed Hamburg, and 3,000 people answered beautifully."] * 12)
FRAGMENTS = [
    "",
    " ",
    "\n\n \t",
    "x" * 5000,
    "a\u0301\u0323\u0301\u0323" * 20,
    "\u200b\u200d\ufeff\u00ad",
    "👩🏽‍🚀👨‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "東京は日本の首都です。",
    "\u202eשלום עולם\u202c مرحبا",
    "\x00\x01\x08\x7f\x9f",
    "\r\n\u2028\u2029\x85\xa0",
    "[SEP] [CLS][PAD] [MASK] [UNK]",
    "</s><s> <pad><mask> <unk>",
    "▁ ▁▁ Ġ Ċ ##a",
    "İǅßﬁⅣ²",
    "\U0010ffff\ue000",
    "ordinary words, (and marks) — don't-you-think?",
    "word   word",
]
ANY_TEXT = st.lists(
    st.one_of(st.sampled_from(FRAGMENTS), st.text(st.characters(exclude_categories=["Cs"]), max_size=12)), max_size=6
).map("".join)


def make_encoder(path: str, **settings: Any) -> Model[List[Doc], Any]:
    """RETURNS (Model): An encoder over the folder of a backbone, initialized."""
    return build_encoder_v1(Backbone(path), **settings).initialize()


@cache
def shared_encoder(path: str, **settings: Any) -> Model[List[Doc], Any]:
    """The same, once for all tests that only predict."""
    return make_encoder(path, **settings)


def docs_of(*texts: str) -> List[Doc]:
    return [NLP.make_doc(text) for text in texts]
