"""Every layer of the contract table, forward and backward, on a pretended device that refuses to mix with NumPy."""

from typing import Any, Iterator

import numpy
import pytest
from numpy.testing import assert_allclose
from strict_ops import DeviceArray, StrictOps, assert_on_device, on_device, strict_device
from test_contract import CASES, VOCAB, all_params, build, like, make_docs
from thinc.api import Linear, Maxout, Model, chain, fix_random_seed, set_dropout_rate, torch2xp, xp2torch
from thinc.types import Ragged


@pytest.fixture
def ops() -> Iterator[StrictOps]:
    """The device, with the word vectors on it, as spaCy has them once a GPU is in use."""
    vectors = VOCAB.vectors.data
    with strict_device() as ops:
        VOCAB.vectors.data = ops.asarray(vectors)
        yield ops
    VOCAB.vectors.data = vectors


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def on_host(case):
    """The model after one forward and backward pass on the host, with the output. Comes before `ops`."""
    model, docs = build(case), make_docs()
    Y, backprop = model(docs, is_train=True)
    backprop(like(Y))
    return model, Y


def test_layer_gives_on_the_device_what_it_gives_on_the_host(case, on_host, ops):
    twin, Y = on_host
    model = case.build().from_bytes(twin.to_bytes())
    model._to_ops(ops)
    Z, backprop = model(make_docs(), is_train=True)
    assert backprop(on_device(like(Y), ops)) == []
    assert_on_device([Z, model])
    for y, z in zip(Y, Z, strict=True):
        assert_allclose(z.get(), y, rtol=1e-4, atol=1e-5)
    for (node, name), (host, _) in zip(all_params(model), all_params(twin), strict=True):
        assert_allclose(node.get_grad(name).get(), host.get_grad(name), rtol=1e-3, atol=1e-4)


def test_layer_initializes_and_drops_out_on_the_device(case, ops):
    fix_random_seed(0)
    model = case.build()
    model._to_ops(ops)
    model.initialize(X=make_docs())
    set_dropout_rate(model, 0.5)
    Y, backprop = model(make_docs(), is_train=True)
    backprop([y * 0 + 1 for y in Y])
    assert_on_device([Y, model])


def test_layer_passes_a_batch_without_tokens_on_the_device(case, on_host, ops):
    model, _ = on_host
    model._to_ops(ops)
    Y, backprop = model(make_docs([[], []]), is_train=True)
    assert_on_device(Y)
    assert backprop(Y) == []


def test_layer_goes_to_bytes_from_the_device(case, on_host, ops):
    model, _ = on_host
    expected = model.to_bytes()
    model._to_ops(ops)
    assert model.to_bytes() == expected


# What a layer might do wrong. Each takes an array of the device.
HOST = numpy.ones((3, 2), dtype="float32")
WRONG = {
    "numpy function": lambda ops, X: numpy.exp(X),
    "numpy reduction": lambda ops, X: numpy.sum(X, axis=0),
    "numpy concatenate": lambda ops, X: numpy.concatenate([X, X]),
    "silent conversion": lambda ops, X: numpy.asarray(X),
    "silent conversion of parts": lambda ops, X: numpy.array([X, X]),
    "host array on the right": lambda ops, X: X + HOST,
    "host array on the left": lambda ops, X: HOST * X,
    "host array in place": lambda ops, X: X.__iadd__(HOST),
    "device array into host array": lambda ops, X: HOST.copy().__iadd__(X),
    "device array assigned to host": lambda ops, X: HOST.copy().__setitem__(slice(None), X),
    "host array assigned": lambda ops, X: X.__setitem__(slice(None), HOST),
    "list as operand": lambda ops, X: X - [1.0, 2.0],
    "comparison with host array": lambda ops, X: X > HOST,
    "host index": lambda ops, X: X[numpy.arange(2)],
    "host mask": lambda ops, X: X[HOST > 0],
    "index of a host array": lambda ops, X: HOST[ops.xp.arange(2)],
    "xp over host arrays": lambda ops, X: ops.xp.concatenate([X, HOST]),
    "method with host array": lambda ops, X: X.dot(HOST.T),
    "gemm with host array": lambda ops, X: ops.gemm(X, HOST, trans2=True),
    "kernel with host array": lambda ops, X: ops.maxout(HOST.reshape((3, 1, 2))),
    "lengths of the host": lambda ops, X: ops.reduce_max(X, numpy.array([3], dtype="int32")),
    "lengths of 64 bits": lambda ops, X: ops.reduce_max(X, ops.asarray1i([3]).astype("int64")),
    "scatter by host index": lambda ops, X: ops.scatter_add(X, numpy.arange(3), X),
    "sizes on the device": lambda ops, X: ops.xp.split(X, ops.asarray1i([1])),
    "strings": lambda ops, X: ops.asarray(["a", "b"]),
    "list of arrays uploaded": lambda ops, X: ops.asarray([X, X]),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_device_refuses_what_mixes(wrong, ops):
    with pytest.raises(TypeError):  # a DeviceError, or NumPy's own
        wrong(ops, ops.asarray2f(HOST.copy()))


RIGHT = {
    "upload and download": lambda ops, X: ops.asarray(ops.to_numpy(X) + HOST),
    "numbers": lambda ops, X: 1.0 - X * numpy.float32(2),
    "xp": lambda ops, X: ops.xp.where(X > 0, ops.xp.exp(X), X).sum(axis=0, keepdims=True),
    "index on the device": lambda ops, X: X[ops.asarray1i([0, 2])],
    "mask on the device": lambda ops, X: X[X > 0],
    "slice assigned": lambda ops, X: X.__setitem__((slice(0, 1), 0), X[1:2, 1]) or X,
    "view in place": lambda ops, X: X[:1].__iadd__(1.0),
    "flatten and unflatten": lambda ops, X: ops.unflatten(ops.flatten([X, X]), numpy.array([3, 3])),
    "torch and back": lambda ops, X: torch2xp(xp2torch(X) * 2, ops=ops),
    "ragged": lambda ops, X: ops.reduce_max(Ragged(X, ops.asarray1i([1, 2])).data, ops.asarray1i([1, 2]))[0],
}


@pytest.mark.parametrize("right", RIGHT.values(), ids=RIGHT)
def test_device_allows_what_stays_on_it(right, ops):
    assert_on_device(right(ops, ops.asarray2f(HOST.copy())))


def wrong_layer(forward: Any, backward: Any) -> Model[Any, Any]:
    """A layer over arrays with a fault on the way forth or back."""
    return Model("wrong", lambda model, X, is_train: (forward(model, X), lambda dY: backward(model, dY)))


FAULTS = {
    "mean by NumPy": wrong_layer(lambda model, X: X - numpy.mean(X, axis=0), lambda model, dY: dY),
    "mask from the host": wrong_layer(lambda model, X: X * (HOST > 0), lambda model, dY: dY),
    "gradient by NumPy": wrong_layer(lambda model, X: X, lambda model, dY: numpy.tanh(dY)),
    "left on the host": wrong_layer(lambda model, X: model.ops.to_numpy(X), lambda model, dY: dY),
}


@pytest.mark.parametrize("wrong", FAULTS.values(), ids=FAULTS)
def test_wrong_layer_is_caught(wrong, ops):
    model = chain(Linear(2, 2), wrong, Maxout(2, 2, 2)).initialize()
    model._to_ops(ops)
    with pytest.raises(TypeError):
        drive(model, ops)


def test_right_layer_is_not_caught(ops):
    model = chain(Linear(2, 2), wrong_layer(lambda model, X: X, lambda model, dY: dY), Maxout(2, 2, 2)).initialize()
    model._to_ops(ops)
    assert isinstance(drive(model, ops), DeviceArray)


def drive(model: Model[Any, Any], ops: StrictOps) -> Any:
    Y, backprop = model(ops.asarray2f(HOST.copy()), is_train=True)
    dX = backprop(Y)
    assert_on_device([Y, dX, model])
    return dX
