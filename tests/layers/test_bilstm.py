"""The BiLSTM against PyTorch's, text by text. That it keeps the contract of all layers is in `test_contract`."""

from typing import Any

import numpy
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from spacy import registry
from test_contract import Float64Ops, check_gradients, like
from thinc.api import fix_random_seed

from spacy_ctxtag.layers.bilstm import BiLSTM, _by_time

WIDTH_IN, WIDTH = 5, 6


def sequences(lengths: list[int], dtype: str = "float32") -> list[Any]:
    rng = numpy.random.default_rng(len(lengths))
    return [rng.normal(size=(length, WIDTH_IN)).astype(dtype) for length in lengths]


def make(depth: int = 1) -> Any:
    fix_random_seed(0)
    return BiLSTM(WIDTH, depth=depth).initialize(X=sequences([1]))


def of_torch(model: Any, depth: int) -> torch.nn.LSTM:
    """RETURNS (LSTM): PyTorch's own layer with copies of the weights."""
    module = torch.nn.LSTM(WIDTH_IN, WIDTH // 2, depth, bidirectional=True, batch_first=True)
    module.load_state_dict({name: torch.tensor(model.get_param(name)) for name in model.param_names})
    return module


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("lengths", [[4], [1, 7, 3], [3, 0, 3, 9, 0, 1]], ids=str)
@pytest.mark.parametrize("is_train", [True, False])
def test_bilstm_equals_pytorchs_on_each_text(lengths: list[int], depth: int, is_train: bool) -> None:
    model, X = make(depth), sequences(lengths)
    Y, backprop = model(X, is_train=is_train)
    module = of_torch(model, depth)
    tensors = [torch.tensor(x, requires_grad=True) for x in X if len(x)]
    outputs = [module(each[None])[0][0] for each in tensors]
    assert_allclose(numpy.vstack(Y), torch.cat(outputs).detach().numpy(), atol=1e-6)
    assert [y.shape for y in Y] == [(length, WIDTH) for length in lengths]
    if is_train:
        dY = like(Y)
        dX = backprop(dY)
        torch.autograd.backward(outputs, [torch.tensor(d) for d in dY if len(d)])
        assert [d.shape for d in dX] == [x.shape for x in X]
        assert_allclose(numpy.vstack(dX), numpy.vstack([each.grad.numpy() for each in tensors]), atol=1e-5)
        for name, weight in module.named_parameters():
            assert_allclose(model.get_grad(name), weight.grad.numpy(), atol=1e-5, err_msg=name)


@pytest.mark.parametrize("depth", [1, 2])
def test_bilstm_gradients_of_input_and_weights_equal_central_differences(depth: int) -> None:
    model = make(depth)
    model._to_ops(Float64Ops())
    assert check_gradients(model, sequences([3, 0, 5], "float64")) > 40


def test_bilstm_lets_no_text_see_another() -> None:
    model, X = make(), sequences([4, 2, 6])
    before = model.predict(X)
    X[1] = X[1] + 1
    after = model.predict(X)
    assert_array_equal(after[0], before[0])
    assert_array_equal(after[2], before[2])
    assert (after[1] != before[1]).all()


def test_bilstm_lets_every_token_see_both_sides() -> None:
    model, [x] = make(), sequences([5])
    changed = x.copy()
    changed[2] += 1
    moved = numpy.abs(model.predict([changed])[0] - model.predict([x])[0])
    assert (moved[:3, WIDTH // 2 :].max(axis=1) > 0).all()  # from right to left
    assert (moved[2:, : WIDTH // 2].max(axis=1) > 0).all()  # from left to right
    assert moved[:2, : WIDTH // 2].max() == moved[3:, WIDTH // 2 :].max() == 0


def test_bilstm_learns_with_the_memory_of_its_parameters() -> None:
    model, X = make(), sequences([3])
    before = model.predict(X)[0].copy()
    model.set_param("bias_ih_l0", model.get_param("bias_ih_l0") + 1)
    assert not numpy.allclose(model.predict(X)[0], before)


def test_bilstm_without_texts_gives_nothing() -> None:
    Y, backprop = make()([], is_train=True)
    assert Y == []
    assert backprop([]) == []


def test_bilstm_of_empty_texts_gives_gradients_of_their_width() -> None:
    Y, backprop = make()(sequences([0, 0]), is_train=True)
    assert [y.shape for y in Y] == [(0, WIDTH)] * 2
    assert [d.shape for d in backprop(Y)] == [(0, WIDTH_IN)] * 2


def test_by_time_takes_all_first_tokens_then_all_second_ones() -> None:
    order, sizes = _by_time(numpy.array([2, 0, 3]))  # tokens 0, 1 and 2, 3, 4
    assert order.tolist() == [2, 0, 3, 1, 4]
    assert sizes.tolist() == [2, 2, 1]


@pytest.mark.parametrize(
    ("settings", "code"), [({"width": 1}, "CT200"), ({"depth": 0}, "CT200"), ({"width": 7}, "CT208")], ids=str
)
def test_bilstm_refuses_settings(settings: dict[str, int], code: str) -> None:
    with pytest.raises(ValueError, match=code):
        BiLSTM(**settings)


def test_bilstm_stands_in_a_config() -> None:
    layer = registry.resolve({"lstm": {"@layers": "spacy-ctxtag.BiLSTM.v1", "width": 8, "depth": 2}})["lstm"]
    assert layer.get_dim("nO") == 8
    assert len(layer.param_names) == 16
