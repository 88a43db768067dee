"""The encoder's gradients: against central differences, and the same however a batch is cut up."""

import numpy
import pytest
import torch
from backbones import KINDS
from numpy.testing import assert_allclose
from test_contract import Float64Ops
from tiny_encoders import LONG, PLAIN, docs_of, make_encoder

pytestmark = pytest.mark.backbone
TEXTS = [PLAIN, "", LONG[:250], "\n London"]


def like(vectors):
    rng = numpy.random.default_rng(0)
    return [rng.normal(size=y.shape).astype(y.dtype) for y in vectors]


def gradients(model):
    return {name: each.grad.numpy().copy() for name, each in model.shims[0].module.named_parameters()}


def gradients_of(path, texts=TEXTS, times=1, **settings):
    model = make_encoder(path, **settings)
    for _ in range(times):
        vectors, backprop = model.begin_update(docs_of(*texts))
        assert backprop(like(vectors)) == []
    return gradients(model)


def assert_gradients(got, expected):
    for name, value in expected.items():
        assert_allclose(got[name], value, atol=1e-4 * max(1.0, numpy.abs(value).max()), err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", ["mean", "first", "max"])
def test_gradients_equal_central_differences(pooling, kind, steady_backbones):
    model = make_encoder(steady_backbones[kind], window=24, overlap=8, pooling=pooling, max_pieces=60)
    model._to_ops(Float64Ops())
    module = model.shims[0].module.double()
    # Some of ModernBERT is computed in single precision by transformers 5, whatever its weights are.
    eps, rel = (1e-3, 5e-3) if kind == "modernbert" else (1e-5, 1e-4)
    docs = docs_of(PLAIN, "Ada\n\nwrote")
    vectors, backprop = model.begin_update(docs)
    assert vectors[0].dtype == "float64"
    d_vectors = like(vectors)
    backprop(d_vectors)

    def loss():
        return sum(float((y * d).sum()) for y, d in zip(model.predict(docs), d_vectors, strict=True))

    rng = numpy.random.default_rng(0)
    parameters = dict(module.named_parameters())
    for name in rng.permutation(sorted(parameters))[:8]:
        flat, gradient = parameters[name].data.view(-1), parameters[name].grad.view(-1)
        where = int(gradient.abs().argmax())
        value, losses = flat[where].item(), []
        for step in (eps, -eps):
            flat[where] = value + step
            losses.append(loss())
        flat[where] = value
        assert gradient[where].item() == pytest.approx((losses[0] - losses[1]) / (2 * eps), rel=rel, abs=1e-6), name


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_do_not_depend_on_buckets(kind, steady_backbones):
    settings = {"window": 24, "overlap": 8}
    big = gradients_of(steady_backbones[kind], max_pieces=100_000, **settings)
    for max_pieces in (1, 100):
        assert_gradients(gradients_of(steady_backbones[kind], max_pieces=max_pieces, **settings), big)


def test_second_update_adds_its_gradients(steady_backbones):
    once, twice = (gradients_of(steady_backbones["bert"], times=times) for times in (1, 2))
    assert_gradients(twice, {name: 2 * value for name, value in once.items()})


def test_two_updates_before_their_backward_passes_add_up(steady_backbones):
    model = make_encoder(steady_backbones["bert"])
    steps = [model.begin_update(docs_of(text)) for text in (PLAIN, LONG)]
    for vectors, backprop in reversed(steps):
        backprop(like(vectors))
    parts = [gradients_of(steady_backbones["bert"], [text]) for text in (PLAIN, LONG)]
    assert_gradients(gradients(model), {name: parts[0][name] + parts[1][name] for name in parts[0]})


def test_gradient_of_a_batch_is_the_sum_over_its_docs(steady_backbones):
    model = make_encoder(steady_backbones["bert"])
    vectors, _ = model.begin_update(docs_of(*TEXTS))
    d_vectors = like(vectors)
    for text, d in zip(TEXTS, d_vectors, strict=True):
        _, backprop = model.begin_update(docs_of(text))
        backprop([d])
    assert_gradients(gradients(model), gradients_of(steady_backbones["bert"]))


def test_backward_pass_leaves_its_argument_alone(steady_backbones):
    vectors, backprop = make_encoder(steady_backbones["bert"]).begin_update(docs_of(*TEXTS))
    d_vectors = like(vectors)
    kept = [d.copy() for d in d_vectors]
    backprop(d_vectors)
    for d, k in zip(d_vectors, kept, strict=True):
        numpy.testing.assert_array_equal(d, k)


def test_prediction_keeps_no_graph(steady_backbones):
    model = make_encoder(steady_backbones["bert"])
    model.predict(docs_of(PLAIN))
    assert all(each.grad is None for each in model.shims[0].module.parameters())
    assert torch.is_grad_enabled()
