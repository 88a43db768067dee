"""Matrix products by PyTorch: NumPy is the oracle, and Thinc's layers are what they are for."""

import numpy
import pytest
from numpy.testing import assert_allclose
from thinc.api import Linear, NumpyOps, chain
from thinc.backends import CupyOps

from spacy_ctxtag.layers.torch_ops import TorchGemmOps, by_torch

OPS = TorchGemmOps()


def numbers(rows, columns, dtype="float32"):
    return numpy.random.default_rng(rows * 7 + columns).normal(size=(rows, columns)).astype(dtype)


@pytest.mark.parametrize("trans1", [False, True])
@pytest.mark.parametrize("trans2", [False, True])
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 5, 7), (0, 4, 2), (4, 0, 2), (33, 17, 65)])
def test_product_equals_numpys(sizes, given, trans2, trans1):
    m, k, n = sizes
    x, y = numbers(*((k, m) if trans1 else (m, k))), numbers(*((n, k) if trans2 else (k, n)))
    out = numpy.full((m, n), numpy.nan, dtype="float32") if given else None
    found = OPS.gemm(x, y, out=out, trans1=trans1, trans2=trans2)
    assert found.dtype == "float32"
    assert out is None or found is out
    assert_allclose(found, (x.T if trans1 else x) @ (y.T if trans2 else y), atol=1e-5)


@pytest.mark.parametrize("change", ["view", "reversed", "read-only", "columns"])
def test_arrays_of_any_kind(change):
    x, y = numbers(6, 4), numbers(4, 3)
    x = {"view": x[::2], "reversed": x[::-1], "read-only": x, "columns": numpy.asfortranarray(x)}[change]
    expected = x @ y
    if change == "read-only":
        x.flags.writeable = False
    if change in ("view", "reversed", "columns"):  # Thinc's own wants whole rows
        x = x if change != "reversed" else numpy.ascontiguousarray(x)
    assert_allclose(OPS.gemm(x, y), expected, atol=1e-5)


def test_layers_give_the_same_and_have_the_same_gradients():
    one, other = chain(Linear(5, 4), Linear(3, 5)), by_torch(chain(Linear(5, 4), Linear(3, 5)))
    one.initialize()
    other.initialize()
    for node, like in zip(other.walk(), one.walk(), strict=True):
        assert type(node.ops) is TorchGemmOps
        for name in like.param_names:
            node.set_param(name, like.get_param(name).copy())
    x = numbers(7, 4)
    results = [model(x, is_train=True) for model in (one, other)]
    assert_allclose(results[1][0], results[0][0], atol=1e-5)
    assert_allclose(results[1][1](numbers(7, 3)), results[0][1](numbers(7, 3)), atol=1e-5)
    for node, like in zip(other.walk(), one.walk(), strict=True):
        for name in like.param_names:
            assert_allclose(node.get_grad(name), like.get_grad(name), atol=1e-5)


def test_only_thincs_own_on_the_cpu_are_replaced():
    class Mine(NumpyOps):
        pass

    model = Linear(2, 2)
    model.ops = Mine()
    assert type(by_torch(model).ops) is Mine
    assert not issubclass(TorchGemmOps, CupyOps)
