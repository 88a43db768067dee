"""The encoder against Hugging Face's own classes, called directly, and pooled in plain Python."""

import numpy
import pytest
import torch
from backbones import KINDS
from numpy.testing import assert_allclose
from spacy.tokens import Doc
from tiny_encoders import LONG, NLP, PLAIN, docs_of, shared_encoder
from transformers import AutoModel, AutoTokenizer

pytestmark = pytest.mark.backbone

POOLINGS = {
    "mean": lambda rows: sum(rows) / len(rows),
    "first": lambda rows: rows[0],
    "max": lambda rows: numpy.array([max(column) for column in zip(*rows, strict=True)]),
}
SHORT = ["Ada wrote to Charles Babbage.", "Frau Müller: isn't it  beautiful?", "東京は日本。 x\u200by naïve"]


def encode_directly(path, doc, pooling):
    """One call of the model over the whole text."""
    tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path).eval()
    encoded = tokenizer(doc.text, return_offsets_mapping=True, return_tensors="pt")
    offsets = encoded.pop("offset_mapping")[0].tolist()
    with torch.no_grad():
        hidden = model(input_ids=encoded["input_ids"]).last_hidden_state[0].numpy()
    rows = []
    for token in doc:
        first, last = token.idx, token.idx + len(token)
        own = [row for row, (start, end) in zip(hidden, offsets, strict=True) if max(first, start) < min(last, end)]
        rows.append(POOLINGS[pooling](own) if own else numpy.zeros(hidden.shape[1]))
    return numpy.stack(rows)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_vectors_equal_those_of_a_direct_call(pooling, kind, tiny_backbones):
    docs = docs_of(*SHORT)
    got = shared_encoder(tiny_backbones[kind], pooling=pooling).predict(docs)
    for doc, y in zip(docs, got, strict=True):
        assert_allclose(y, encode_directly(tiny_backbones[kind], doc, pooling), atol=1e-5, rtol=1e-4)


def test_piece_of_two_tokens_counts_for_both(tiny_backbone):
    doc = Doc(NLP.vocab, words=["Lon", "don", "wro", "te"], spaces=[False, True, False, False])
    (got,) = shared_encoder(tiny_backbone).predict([doc])
    assert_allclose(got, encode_directly(tiny_backbone, doc, "mean"), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_of_a_long_text_equal_those_of_its_windows(kind, tiny_backbones):
    """Each window of the plan is run by itself, and every token compared with the window that owns all its pieces."""
    from spacy_ctxtag.layers.pieces import read_specials, tokenize

    model = shared_encoder(tiny_backbones[kind], window=30, overlap=8)
    shim = model.shims[0]
    doc = docs_of(LONG + " " + PLAIN)[0]
    (got,) = model.predict([doc])
    specials = read_specials(shim.tokenizer)
    pieces = tokenize([doc], shim.tokenizer, capacity=28, overlap=8)
    assert len(pieces.windows.start) > 5
    compared = set()
    for start, end, core_start, core_end in zip(*pieces.windows, strict=True):
        ids = [*specials.prefix, *pieces.ids[start:end].tolist(), *specials.suffix]
        with torch.no_grad():
            hidden = shim.module(input_ids=torch.tensor([ids])).last_hidden_state[0].numpy()
        for t in range(len(doc)):
            own = pieces.alignment.piece[pieces.alignment.token == t]
            if len(own) and core_start <= own[0] and own[-1] < core_end:
                rows = [hidden[len(specials.prefix) + p - start] for p in own]
                assert_allclose(got[t], sum(rows) / len(rows), atol=1e-5, rtol=1e-4)
                compared.add(t)
    assert len(compared) > 0.9 * len(doc)
