"""Components that read several layers of an encoder, of their own or shared, each with a mix of its own."""

import numpy
import pytest
import spacy
from pipelines import LISTENER, WIDTH, annotation, encoder, head, make_examples, train

KINDS = ("ctx_ner", "ctx_tagger")


def make(backbone, shared):
    nlp = spacy.blank("en")
    both = encoder(backbone, layers="all", width=2 * WIDTH)
    if shared:
        nlp.add_pipe("ctx_encoder", config={"model": both})
    for kind in KINDS:
        tok2vec = {**LISTENER, "width": 2 * WIDTH} if shared else both
        mix = {"@architectures": "spacy-ctxtag.LayerMix.v1", "n_layers": 2, "dropout": 0.0, "tok2vec": tok2vec}
        nlp.add_pipe(kind, config=head(kind, mix))
    return nlp


def mix_of(nlp, kind):
    [node] = [node for node in nlp.get_pipe(kind).model.walk() if node.name == "layer_mix"]
    return node.get_param("w").copy()


@pytest.mark.parametrize("shared", [False, True])
def test_pipeline_learns_a_mix_for_each_component_and_keeps_it(shared, tiny_backbone, tmp_path):
    nlp = make(tiny_backbone, shared)
    examples = make_examples(nlp)
    train(nlp, examples)
    learned = {kind: mix_of(nlp, kind) for kind in KINDS}
    for kind, values in learned.items():
        assert numpy.abs(values).max() > 0.01, kind
    assert not numpy.allclose(learned["ctx_ner"], learned["ctx_tagger"])
    docs = [nlp(eg.reference.text) for eg in examples]
    for doc, eg in zip(docs, examples, strict=True):
        assert annotation("ctx_ner", doc) == annotation("ctx_ner", eg.reference)
    nlp.to_disk(tmp_path / "model")
    loaded = spacy.load(tmp_path / "model")
    for kind in KINDS:
        numpy.testing.assert_array_equal(mix_of(loaded, kind), learned[kind])
        assert [annotation(kind, loaded(doc.text)) for doc in docs] == [annotation(kind, doc) for doc in docs]


def test_listeners_of_several_layers_can_be_replaced(tiny_backbone):
    nlp = make(tiny_backbone, shared=True)
    examples = make_examples(nlp)
    train(nlp, examples, steps=5)
    before = [annotation("ctx_ner", nlp(eg.reference.text)) for eg in examples]
    nlp.replace_listeners("ctx_encoder", "ctx_ner", ["model.tok2vec.encoder.tok2vec"])
    assert [annotation("ctx_ner", nlp(eg.reference.text)) for eg in examples] == before
