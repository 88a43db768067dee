"""Fusion against its formulas, and in pipelines with listeners; the contract is in `test_contract.py`."""

from typing import Any, List

import numpy
import pytest
import spacy
from numpy.testing import assert_allclose, assert_array_equal
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import registry
from test_contract import Float64Ops, chars, check_gradients, late, like, make_docs, spelling
from thinc.api import Config, Model, fix_random_seed

from spacy_ctxtag.architectures.features import build_features_v1
from spacy_ctxtag.layers.fuse import KINDS, fuse
from spacy_ctxtag.layers.gate import gate
from spacy_ctxtag.layers.static_vectors import StaticVectors


def constant(arrays: List[Any], received: List[Any], returned: Any = None) -> Model[Any, Any]:
    """A layer that gives these arrays, keeps the gradients it receives, and returns what a listener might."""

    def forward(model: Model[Any, Any], docs: List[Doc], is_train: bool) -> Any:
        return arrays, lambda d_arrays: received.append(d_arrays) or returned

    return Model("constant", forward, dims={"nO": arrays[0].shape[1]})


def normalize(H: Any) -> Any:
    return (H - H.mean(axis=1, keepdims=True)) / numpy.sqrt(H.var(axis=1, keepdims=True) + 1e-8)


def make_parts(*widths: int, docs: int = 1) -> List[Any]:
    rng = numpy.random.default_rng(0)
    return [[rng.normal(size=(3, width)).astype("float32") for _ in range(docs)] for width in widths]


def params(model: Model[Any, Any], name: str) -> List[Any]:
    return [(n.get_param("W"), n.get_param("b")) for n in model.walk() if n.name == name]


@pytest.mark.parametrize("kind", KINDS)
def test_fuse_equals_its_formula(kind):
    fix_random_seed(0)
    parts = make_parts(4, 2, 3)
    model = fuse([constant(part, []) for part in parts], kind, width=5).initialize()
    for node in model.walk():
        if node.has_param("b"):
            node.set_param("b", numpy.random.uniform(-1, 1, node.get_param("b").shape).astype("float32"))
    norm = next(node for node in model.walk() if node.name == "layernorm")
    x = [part[0] for part in parts]
    if kind == "concat":
        ((W, b),) = params(model, "maxout")
        H = (numpy.einsum("opi,ti->top", W, numpy.hstack(x)) + b).max(axis=-1)
    elif kind == "add":
        ((W, b),) = params(model, "linear")
        H = sum(part @ block.T for part, block in zip(x, numpy.split(W, [4, 6], axis=1), strict=True)) + b
    else:
        *projections, (U, c) = params(model, "linear")
        h = [part @ W.T + b for part, (W, b) in zip(x, projections, strict=True)]
        g = numpy.split(1 / (1 + numpy.exp(-(numpy.hstack(h) @ U.T + c))), 3, axis=1)
        H = sum(gi * hi for gi, hi in zip(g, h, strict=True))
    expected = normalize(H) * norm.get_param("G") + norm.get_param("b")
    assert_allclose(model.predict(make_docs([["a", "b", "c"]]))[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("returned", [None, [], "docs"])
def test_fuse_sends_each_layer_its_gradient_whatever_the_layer_returns(kind, returned):
    parts, received = make_parts(4, 2, docs=2), ([], [])
    layers = [constant(part, to, returned) for part, to in zip(parts, received, strict=True)]
    model = fuse(layers, kind, width=5).initialize()
    model._to_ops(Float64Ops())
    docs = make_docs([["a", "b", "c"], ["d", "e", "f"]])
    Y, backprop = model(docs, is_train=True)
    dY = like([y.astype("float64") for y in Y])
    assert backprop(dY) == []
    for part, ((dX,),) in zip(parts, ([to] for to in received), strict=True):
        x = part[1] = part[1].astype("float64")
        x[0, 1] += 1e-3
        up = model.predict(docs)
        x[0, 1] -= 2e-3
        down = model.predict(docs)
        x[0, 1] += 1e-3
        numeric = sum(((u - d) * dy).sum() for u, d, dy in zip(up, down, dY, strict=True)) / 2e-3
        assert [d.shape for d in dX] == [p.shape for p in part]
        assert dX[1][0, 1] == pytest.approx(numeric, rel=1e-3, abs=1e-5)


def test_gate_gradients_equal_central_differences():
    fix_random_seed(0)
    parts = [each[0].astype("float64") for each in make_parts(4, 2, 3)]
    inner = gate(3, 2).initialize(X=parts)

    def forward(model: Model[Any, Any], X: Any, is_train: bool) -> Any:
        Y, backprop = model.layers[0](X, is_train)
        return [Y], lambda dYs: backprop(dYs[0])

    model = Model("listed", forward, layers=[inner])
    model._to_ops(Float64Ops())
    assert check_gradients(model, parts) > 50


def test_fuse_reads_width_from_data_where_no_dimension_tells():
    model = fuse([late(chars(5)), spelling(3)], width=6).initialize(X=make_docs([[], ["a"]]))
    assert next(node for node in model.walk() if node.name == "maxout" and node.get_dim("nO") == 6).get_dim("nI") == 8


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: fuse([chars()], "sum"), "Unknown fusion 'sum'. Expected one of concat, gate, add"),
        (lambda: fuse([]), "Nothing to fuse"),
        (lambda: fuse([chars()], width=0), "width is 0"),
        (lambda: StaticVectors(0), "width is 0"),
        (lambda: fuse([chars(), late(chars())]).initialize(), "'late', input 1 of the fusion, is not known"),
        (lambda: StaticVectors(3).initialize(X=[Doc(spacy.blank("en").vocab, words=["a"])]), "no word vectors"),
        (lambda: StaticVectors(3).initialize(), "no word vectors"),
    ],
)
def test_fuse_refuses_what_cannot_work(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_fuse_refuses_layers_without_one_row_per_token():
    model = fuse([chars(), constant(make_parts(2)[0], [])]).initialize()
    with pytest.raises(
        ValueError, match=r"'constant', input 1 of the fusion, gave arrays of \[3\] rows. Expected \[2\]"
    ):
        model.predict(make_docs([["a", "b"]]))


def test_features_alone_are_the_encoder():
    encoder = chars()
    assert build_features_v1(encoder, fusion="gate", width=3) is encoder


def test_features_name_their_parts():
    parts = [chars(5), chars(3), spelling(3), StaticVectors(2)]
    model = build_features_v1(*parts, fusion="gate", width=8)
    assert [model.get_ref(name) for name in ("encoder", "characters", "orthography", "extra")] == parts
    assert build_features_v1(parts[0], orthography=parts[2]).has_ref("characters") is False


CONFIG = """
[model]
@architectures = "spacy-ctxtag.Features.v1"
fusion = "add"
width = 12
dropout = 0.25

[model.encoder]
@layers = "spacy-ctxtag.CharCNN.v1"
width = 8
windows = [1, 2, 3]

[model.characters]
@layers = "spacy-ctxtag.CharCNN.v1"
width = 4
max_chars = 20

[model.orthography]
@layers = "spacy-ctxtag.Orthography.v1"
attrs = ["SHAPE", "SUFFIX"]
rows = [30, 40]
"""


def test_features_are_built_from_a_config():
    filled = registry.fill(Config().from_str(CONFIG))
    model = registry.resolve(Config().from_str(filled.to_str()))["model"].initialize(X=make_docs())
    assert model.get_dim("nO") == 12
    assert [layer.get_dim("nO") for layer in model.layers[:-1]] == [8, 4, 32]
    assert Config().from_str(filled.to_str()) == filled


@pytest.mark.parametrize("wrong", ['fusion = "sum"', 'width = "wide"'])
def test_config_of_wrong_type_is_refused(wrong):
    name = wrong.split(" ")[0]
    lines = [wrong if line.startswith(name) else line for line in CONFIG.split("\n")]
    with pytest.raises(ValueError, match=name):
        registry.resolve(Config().from_str("\n".join(lines)))


# Pipelines in which the encoder is a listener.

EXAMPLES = [(["EU", "rejects", "German", "call"], ["X", "V", "A", "N"]), (["the", "call"], ["D", "N"])]
FEATURES = {
    "@architectures": "spacy-ctxtag.Features.v1",
    "characters": {"@layers": "spacy-ctxtag.CharCNN.v1", "width": 8},
    "orthography": {"@layers": "spacy-ctxtag.Orthography.v1", "width": 8},
    "width": 16,
    "dropout": 0.0,
}


def make_examples(nlp: Any) -> List[Example]:
    return [Example.from_dict(Doc(nlp.vocab, words=words), {"words": words, "tags": tags}) for words, tags in EXAMPLES]


def make_pipeline(upstream: str, upstream_config: Any, listener: Any) -> Any:
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe(upstream, config=upstream_config)
    tok2vec = {**FEATURES, "encoder": listener}
    nlp.add_pipe("tagger", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": tok2vec}})
    return nlp


@pytest.fixture
def listening() -> Any:
    """A pipeline whose tagger listens to a tok2vec, through the fusion."""
    cnn = {"@architectures": "spacy.HashEmbedCNN.v2", "width": 12, "depth": 1, "embed_size": 100}
    cnn |= {"window_size": 1, "maxout_pieces": 2, "subword_features": True, "pretrained_vectors": None}
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 12}
    nlp = make_pipeline("tok2vec", {"model": cnn}, listener)
    nlp.initialize(lambda: make_examples(nlp))
    return nlp


def tags(nlp: Any) -> List[str]:
    return [[token.tag_ for token in nlp(Doc(nlp.vocab, words=words))] for words, _ in EXAMPLES]


def train(nlp: Any, steps: int = 40) -> float:
    optimizer, losses = nlp.create_optimizer(), {}
    optimizer.learn_rate = 0.01
    for _ in range(steps):
        losses = {}
        nlp.update(make_examples(nlp), sgd=optimizer, losses=losses)
    return losses["tagger"]


def test_listener_inside_features_trains_its_upstream(listening):
    upstream = listening.get_pipe("tok2vec")
    (listener,) = upstream.listeners
    assert listener in listening.get_pipe("tagger").model.walk()
    before = upstream.model.to_bytes()
    assert train(listening) < 0.5
    assert upstream.model.to_bytes() != before
    assert tags(listening) == [each for _, each in EXAMPLES]


def test_listener_inside_features_survives_saving(listening, tmp_path):
    train(listening)
    listening.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert tags(loaded) == tags(listening) == [each for _, each in EXAMPLES]


def test_listener_inside_features_is_replaced(listening):
    train(listening)
    listening.replace_listeners("tok2vec", "tagger", ["model.tok2vec.encoder"])
    model = listening.get_pipe("tagger").model
    assert not any(isinstance(node, Tok2VecListener) for node in model.walk())
    features = model.get_ref("tok2vec")
    assert features.get_ref("encoder") is features.layers[0]
    listening.remove_pipe("tok2vec")
    assert tags(listening) == [each for _, each in EXAMPLES]
    assert train(listening, steps=2) < 0.5


def test_frozen_upstream_is_read_from_the_docs(listening):
    before = listening.get_pipe("tok2vec").model.to_bytes()
    optimizer = listening.create_optimizer()
    with listening.select_pipes(enable=["tok2vec", "tagger"]):
        listening.update(make_examples(listening), sgd=optimizer, exclude=["tok2vec"], annotates=["tok2vec"])
    assert listening.get_pipe("tok2vec").model.to_bytes() == before


def test_docs_without_tokens_pass_through_a_listening_pipeline(listening):
    docs = list(listening.pipe(["", "EU rejects", ""]))
    assert [len(doc) for doc in docs] == [0, 2, 0]


def test_listener_does_not_see_its_vectors_changed(listening):
    doc = listening(Doc(listening.vocab, words=["EU", "call"]))
    kept = doc.tensor.copy()
    listening.get_pipe("tagger").model.predict([doc])
    assert_array_equal(doc.tensor, kept)


@pytest.fixture
def transformer(tmp_path) -> Any:
    """The same with a TransformerListener, over a tiny random BERT on disk."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = {word.lower() for each, _ in EXAMPLES for word in each}
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(words)]
    (tmp_path / "vocab.txt").write_text("\n".join(vocab), encoding="utf8")
    BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    sizes = {"hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=len(vocab), **sizes)).save_pretrained(tmp_path)
    trf = {"@architectures": "spacy-transformers.TransformerModel.v3", "name": str(tmp_path)}
    trf |= {"tokenizer_config": {"use_fast": True}}
    trf |= {"get_spans": {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 16, "stride": 12}}
    listener = {"@architectures": "spacy-transformers.TransformerListener.v1", "pooling": {"@layers": "reduce_mean.v1"}}
    nlp = make_pipeline("transformer", {"model": trf}, listener)
    nlp.initialize(lambda: make_examples(nlp))
    return nlp


def test_transformer_listener_inside_features_trains_its_upstream(transformer):
    upstream = transformer.get_pipe("transformer")
    assert len(upstream.listeners) == 1
    assert transformer.get_pipe("tagger").model.get_ref("tok2vec").get_dim("nO") == 16
    before = upstream.model.to_bytes()
    assert train(transformer, steps=25) < 0.5
    assert upstream.model.to_bytes() != before
    assert tags(transformer) == [each for _, each in EXAMPLES]
    assert [len(doc) for doc in transformer.pipe(["", "EU rejects", ""])] == [0, 2, 0]


def test_transformer_listener_inside_features_is_replaced(transformer):
    train(transformer, steps=25)
    transformer.replace_listeners("transformer", "tagger", ["model.tok2vec.encoder"])
    transformer.remove_pipe("transformer")
    assert tags(transformer) == [each for _, each in EXAMPLES]
    assert train(transformer, steps=2) < 0.5


def test_two_transformer_listeners_share_a_backward_pass(transformer):
    """All but the last listener get a callback that returns None."""
    transformer.add_pipe("tagger", name="second", config={"model": transformer.get_pipe_config("tagger")["model"]})
    transformer.initialize(lambda: make_examples(transformer))
    assert len(transformer.get_pipe("transformer").listeners) == 2
    assert train(transformer, steps=25) < 0.5
