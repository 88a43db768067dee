"""The contract of every layer that maps Docs to token vectors, in one table: a `Case` more drives one more."""

from typing import Any, Callable, List, NamedTuple, Sequence

import numpy
import pytest
import spacy
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Model, NumpyOps, chain, fix_random_seed

from spacy_ctxtag.architectures.encoder import build_layer_mix_v1
from spacy_ctxtag.architectures.features import build_features_v1
from spacy_ctxtag.layers.bilstm import BiLSTM
from spacy_ctxtag.layers.char_cnn import CharCNN
from spacy_ctxtag.layers.fuse import fuse
from spacy_ctxtag.layers.orthography import Orthography
from spacy_ctxtag.layers.static_vectors import StaticVectors

WORDS = [
    ["EU", "rejects", "German", "call", ".", "EU", "rejects"],
    [],
    ["  ", "👩‍🚀", "naïve", "\n", "東京", "McDonald's", "x" * 90, "B-52s"],
    ["the", "EU", "."],
]


def make_vocab() -> Vocab:
    vocab = spacy.blank("en").vocab
    vocab.reset_vectors(width=5)
    for i, word in enumerate(["EU", "call", "the"]):
        vocab.set_vector(word, numpy.linspace(-1.0, 1.0 + i, 5, dtype="float32"))
    return vocab


VOCAB = make_vocab()


def make_docs(words: Sequence[Sequence[str]] = WORDS) -> List[Doc]:
    return [Doc(VOCAB, words=list(each)) for each in words]


def late(layer: Model[Any, Any]) -> Model[Any, Any]:
    """A layer like the one given, whose width is not known before it runs."""

    def forward(model: Model[Any, Any], docs: List[Doc], is_train: bool) -> Any:
        return model.layers[0](docs, is_train)

    def init(model: Model[Any, Any], X: Any = None, Y: Any = None) -> None:
        model.layers[0].initialize(X=X)

    return Model("late", forward, init=init, layers=[layer])


def chars(width: int = 6) -> Model[Any, Any]:
    return CharCNN(width, char_width=4, rows=60, max_chars=12)


def over_chars(layer: Model[Any, Any]) -> Model[Any, Any]:
    """A layer over token vectors, made one over Docs."""
    layer.set_dim("nI", 5)
    return chain(chars(5), layer)


def spelling(width: int = 4) -> Model[Any, Any]:
    return Orthography(width, rows=[20, 20, 20])


RARELY = {"word_dropout": 1e-9, "locked_dropout": 1e-9}  # they run, and nothing is ever dropped


class Case(NamedTuple):
    name: str
    build: Callable[[], Model[Any, Any]]  # a fresh layer, List[Doc] to List[Floats2d]
    width: int
    needs_sample: bool = False


CASES = [
    Case("char_cnn", chars, 6),
    Case("char_cnn-settings", lambda: CharCNN(7, char_width=3, rows=8, windows=[1, 2, 3], max_chars=5, pieces=1), 7),
    Case("orthography", spelling, 4),
    Case("orthography-settings", lambda: Orthography(5, attrs=["NORM"], rows=[9]), 5),
    Case("static_vectors", lambda: fuse([StaticVectors(3), chars(3)], "add", width=3), 3, True),
    Case("fuse-concat", lambda: fuse([chars(5), spelling(3)], "concat", width=6), 6),
    Case("fuse-gate", lambda: fuse([chars(5), spelling(3), chars(2)], "gate", width=4), 4),
    Case("fuse-add", lambda: fuse([chars(5), spelling(3)], "add", width=6), 6),
    Case("fuse-one", lambda: fuse([late(chars(5))], "gate", width=4), 4, True),
    Case(
        "features",
        lambda: build_features_v1(chars(5), chars(3), spelling(3), StaticVectors(2), width=8, dropout=0.0),
        8,
        True,
    ),
    Case("bilstm", lambda: over_chars(BiLSTM(6)), 6),
    Case("bilstm-settings", lambda: over_chars(BiLSTM(4, depth=2)), 4),
    Case("layer_mix", lambda: build_layer_mix_v1(chars(6), 3, dropout=0.0), 2),
    Case(
        "layer_mix-in-features",
        lambda: build_features_v1(build_layer_mix_v1(chars(6), 2, dropout=0.0), chars(3), width=5, dropout=0.0),
        5,
    ),
    Case("features-alone", lambda: build_features_v1(chars(5)), 5),
    Case("dropouts", lambda: build_features_v1(chars(5), chars(3), width=6, dropout=0.0, **RARELY), 6),
    Case("dropouts-alone", lambda: build_features_v1(chars(5), **RARELY), 5),
]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


def build(case: Case, seed: int = 0) -> Model[Any, Any]:
    fix_random_seed(seed)
    return case.build().initialize(X=make_docs())


def like(vectors: Sequence[Any], seed: int = 0) -> List[Any]:
    """A random gradient for some vectors."""
    rng = numpy.random.default_rng(seed)
    return [rng.normal(size=each.shape).astype(each.dtype) for each in vectors]


def all_params(model: Model[Any, Any]) -> List[Any]:
    return [(node, name) for node in model.walk() for name in node.param_names]


class Float64Ops(NumpyOps):
    """CPU Ops in double precision throughout; Thinc's own gemm refuses it."""

    def asarray(self, data: Any, dtype: Any = None) -> Any:
        return super().asarray(data, dtype="float64" if dtype in ("f", "float32") else dtype)

    def alloc(self, shape: Any, *, dtype: Any = "float32", zeros: bool = True) -> Any:
        return super().alloc(shape, dtype="float64" if dtype in ("f", "float32") else dtype, zeros=zeros)

    def gemm(self, x: Any, y: Any, *, out: Any = None, trans1: bool = False, trans2: bool = False) -> Any:
        return numpy.matmul(x.T if trans1 else x, y.T if trans2 else y, out=out)


def check_gradients(model: Model[Any, Any], X: Any, *, entries: int = 12, eps: float = 1e-6) -> int:
    """Compare the gradients of all parameters, and of arrays among the inputs, with central differences.

    RETURNS (int): How many entries were compared.
    """
    rng = numpy.random.default_rng(0)
    Y, backprop = model(X, is_train=True)
    dY = [rng.normal(size=y.shape) for y in Y]
    dX = backprop([d.copy() for d in dY])

    def loss() -> float:
        return sum(float((y * d).sum()) for y, d in zip(model(X, is_train=True)[0], dY, strict=True))

    pairs = [(node.get_param(name), node.get_grad(name)) for node, name in all_params(model)]
    pairs += [(x, dx) for x, dx in zip(X, dX, strict=False) if isinstance(x, numpy.ndarray)]
    n_compared = 0
    for array, gradient in pairs:
        assert array.dtype == gradient.dtype == numpy.float64
        touched = rng.permutation(numpy.flatnonzero(gradient))[:entries]
        untouched = rng.permutation(numpy.flatnonzero(gradient == 0))[:2]
        for where in (*touched, *untouched):
            at = numpy.unravel_index(where, array.shape)
            value = array[at]
            losses = []
            for step in (eps, -eps):
                array[at] = value + step
                losses.append(loss())
            array[at] = value
            assert gradient[at] == pytest.approx((losses[0] - losses[1]) / (2 * eps), rel=1e-5, abs=1e-6)
            n_compared += 1
    return n_compared


def test_initialize_with_sample_sets_width(case):
    assert build(case).get_dim("nO") == case.width


def shapes(model: Model[Any, Any]) -> List[Any]:
    return [node.get_param(name).shape for node, name in all_params(model)]


def test_initialize_without_sample_gives_same_shapes(case):
    model = case.build()
    if case.needs_sample:
        with pytest.raises(ValueError, match=r"sample|word vectors"):
            model.initialize()
    else:
        assert shapes(model.initialize()) == shapes(build(case))


@pytest.mark.parametrize("sample", [[], [[]]], ids=["no docs", "empty doc"])
def test_initialize_with_sample_without_tokens_is_as_without(case, sample):
    if case.needs_sample:
        with pytest.raises(ValueError, match=r"sample|word vectors"):
            case.build().initialize(X=make_docs(sample))
    else:
        assert case.build().initialize(X=make_docs(sample)).get_dim("nO") == case.width


def test_initialize_twice_keeps_shapes(case):
    model = build(case)
    before = shapes(model)
    assert shapes(model.initialize(X=make_docs())) == before


@pytest.mark.parametrize("is_train", [False, True])
def test_output_has_one_row_per_token(case, is_train):
    docs = make_docs()
    Y, _ = build(case)(docs, is_train=is_train)
    assert [(y.shape, y.dtype) for y in Y] == [((len(doc), case.width), numpy.float32) for doc in docs]
    assert all(numpy.isfinite(y).all() for y in Y)


@pytest.mark.parametrize("words", [[], [[]], [[], []]], ids=["no docs", "one empty", "two empty"])
def test_batch_without_tokens_passes_both_ways(case, words):
    Y, backprop = build(case)(make_docs(words), is_train=True)
    assert [y.shape for y in Y] == [(0, case.width)] * len(words)
    assert backprop(Y) == []


def test_batched_equals_single(case):
    model, docs = build(case), make_docs()
    for doc, y in zip(docs, model.predict(docs), strict=True):
        assert_allclose(model.predict([doc])[0], y, rtol=1e-4, atol=1e-5)


def test_order_of_docs_does_not_matter(case):
    model, docs = build(case), make_docs()
    for forth, back in zip(model.predict(docs), reversed(model.predict(docs[::-1])), strict=True):
        assert_allclose(forth, back, rtol=1e-4, atol=1e-5)


def test_same_seed_gives_same_weights(case):
    assert build(case, 3).to_bytes() == build(case, 3).to_bytes()
    assert build(case, 3).to_bytes() != build(case, 4).to_bytes()


def test_bytes_round_trip(case):
    model, docs = build(case), make_docs()
    fix_random_seed(1)
    loaded = case.build().from_bytes(model.to_bytes())
    assert loaded.get_dim("nO") == case.width
    assert loaded.to_bytes() == model.to_bytes()
    for y, z in zip(model.predict(docs), loaded.predict(docs), strict=True):
        assert_array_equal(y, z)


def test_copy_predicts_the_same(case):
    model, docs = build(case), make_docs()
    for y, z in zip(model.predict(docs), model.copy().predict(docs), strict=True):
        assert_array_equal(y, z)


def test_gradients_equal_central_differences(case):
    model = build(case)
    model._to_ops(Float64Ops())
    assert check_gradients(model, make_docs()) > 20


def test_gradient_reaches_every_parameter(case):
    model, docs = build(case), make_docs()
    Y, backprop = model(docs, is_train=True)
    assert backprop(like(Y)) == []
    for node, name in all_params(model):
        assert numpy.abs(node.get_grad(name)).max() > 0, (node.name, name)


def test_repeated_docs_accumulate_gradient(case):
    one, two, docs = build(case), build(case), make_docs()
    dY = like(one.predict(docs))
    one(docs, is_train=True)[1](dY)
    two([*docs, *docs], is_train=True)[1]([*dY, *dY])
    for (node, name), (twin, _) in zip(all_params(one), all_params(two), strict=True):
        assert_allclose(twin.get_grad(name), 2 * node.get_grad(name), rtol=1e-3, atol=1e-4)


def test_second_backward_pass_adds_gradient(case):
    model, docs = build(case), make_docs()
    dY = like(model.predict(docs))
    model(docs, is_train=True)[1](dY)
    once = [node.get_grad(name).copy() for node, name in all_params(model)]
    model(docs, is_train=True)[1](dY)
    for (node, name), gradient in zip(all_params(model), once, strict=True):
        assert_allclose(node.get_grad(name), 2 * gradient, rtol=1e-4, atol=1e-5)


def test_prediction_leaves_nothing_behind(case):
    model, docs = build(case), make_docs()
    before = model.to_bytes()
    first = [y.copy() for y in model.predict(docs)]
    model.predict(docs[:1])
    for y, z in zip(first, model.predict(docs), strict=True):
        assert_array_equal(y, z)
    assert model.to_bytes() == before
    assert not any(node.grad_names for node in model.walk())


def test_backprop_leaves_its_argument_alone(case):
    Y, backprop = build(case)(make_docs(), is_train=True)
    dY = like(Y)
    kept = [d.copy() for d in dY]
    backprop(dY)
    for d, k in zip(dY, kept, strict=True):
        assert_array_equal(d, k)
