"""Dropout on a processor: how often, which mean, the way back, and that the seed of torch decides."""

import math

import pytest
import torch
from torch.nn.functional import dropout, scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint

from spacy_ctxtag.layers import fast_dropout
from spacy_ctxtag.layers.fast_dropout import LEAST, FastDropout, drop, when_recomputed

N = 200_000


@pytest.mark.parametrize("p", [0.0001, 0.1, 0.5, 0.9])
def test_share_of_zeros_and_mean(p):
    torch.manual_seed(0)
    y = drop(torch.ones(N), p)
    kept = y != 0
    deviation = math.sqrt(p * (1 - p) / N)
    assert abs(1 - float(kept.double().mean()) - p) < 5 * deviation + 1 / 65536
    assert torch.allclose(y[kept], torch.full((), 1 / (1 - p)), rtol=1e-3)
    assert abs(float(y.double().mean()) - 1) < 5 * deviation / (1 - p)


def test_masks_of_neighbours_are_independent():
    torch.manual_seed(0)
    kept = (drop(torch.ones(4, N), 0.5) != 0).double()
    for lag in range(1, 9):  # four numbers share a draw
        assert abs(float((kept[0, lag:] * kept[0, :-lag]).mean()) - 0.25) < 0.01
    assert abs(float((kept[0] * kept[1]).mean()) - 0.25) < 0.01


def test_zero_rate_is_no_dropout():
    x = torch.randn(8)
    assert drop(x, 0.0) is x


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(3, 7), (1,), (0, 4), (2, 3, 5)])
def test_gradient_passes_what_was_kept(shape, dtype):
    torch.manual_seed(1)
    x = torch.randn(shape).to(dtype).requires_grad_()
    y = drop(x, 0.25)
    assert (y.dtype, y.shape) == (dtype, x.shape)
    given = torch.randn(shape).to(dtype)
    y.backward(given)
    factor = torch.where(y.detach() == 0, 0.0, 1 / 0.75).to(dtype)
    torch.testing.assert_close(x.grad, given * factor)


def test_seed_of_torch_decides():
    found = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        found.append(drop(torch.ones(1000), 0.5))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_takes_the_place_of_pytorchs_where_it_is_large(monkeypatch):
    asked = []
    monkeypatch.setattr(fast_dropout, "drop", lambda x, p: asked.append((tuple(x.shape), p)) or x)
    layer, large, small = torch.nn.Dropout(0.5), torch.ones(LEAST), torch.ones(8)
    layer(large)
    with FastDropout():
        layer(large)
        layer(small)
        layer.eval()(large)
        torch.nn.Dropout(0.0)(large)
        dropout(large, 0.25, True)
        torch.nn.Dropout(1.0)(large)
        dropout(torch.ones(LEAST), 0.25, True, True)
    assert asked == [((LEAST,), 0.5), ((LEAST,), 0.25)]


@pytest.mark.parametrize("masked", ["no", "boolean", "added"])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_attention_equals_pytorchs_but_for_what_is_dropped(masked, scale, monkeypatch):
    torch.manual_seed(0)
    rates = []
    monkeypatch.setattr(fast_dropout, "LEAST", 1)
    monkeypatch.setattr(fast_dropout, "drop", lambda x, p: rates.append(p) or x)
    given = [torch.randn(2, 3, 7, 4, requires_grad=True) for _ in range(3)]
    mask = None if masked == "no" else (torch.arange(7) < torch.tensor([[7], [4]]))[:, None, None]
    if masked == "added":
        mask = torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)
    expected = scaled_dot_product_attention(*given, attn_mask=mask, scale=scale)
    d_output = torch.randn(expected.shape)
    wanted = torch.autograd.grad(expected, given, d_output)
    with FastDropout():
        found = scaled_dot_product_attention(*given, attn_mask=mask, dropout_p=0.1, scale=scale)
    assert rates == [0.1]
    torch.testing.assert_close(found, expected)
    for one, other in zip(torch.autograd.grad(found, given, d_output), wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_attention_of_padding_that_may_look_at_nothing_spreads_to_no_text(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(fast_dropout, "LEAST", 1)
    monkeypatch.setattr(fast_dropout, "drop", lambda x, p: x)
    given = [torch.randn(2, 3, 7, 4, requires_grad=True) for _ in range(3)]
    mask = torch.ones(7, 7, dtype=torch.bool)
    mask[:, 5:] = mask[6] = False  # a sliding window: the last one sees padding alone
    d_output = torch.randn(2, 3, 7, 4)
    d_output[:, :, 5:] = 0.0
    wanted = scaled_dot_product_attention(*given, attn_mask=mask)
    with FastDropout():
        found = scaled_dot_product_attention(*given, attn_mask=mask, dropout_p=0.1)
        again = scaled_dot_product_attention(found, found, found, attn_mask=mask, dropout_p=0.1)
    torch.testing.assert_close(found[:, :, :5], wanted[:, :, :5])
    assert again.isfinite().all()
    for one, other in zip(*(torch.autograd.grad(each, given, d_output) for each in (found, wanted)), strict=True):
        torch.testing.assert_close(one, other)


def test_attention_without_dropout_stays_pytorchs(monkeypatch):
    monkeypatch.setattr(fast_dropout, "_attend", None)
    given = [torch.randn(2, 3, 70, 4) for _ in range(3)]
    with FastDropout():
        scaled_dot_product_attention(*given)
        scaled_dot_product_attention(*given, is_causal=True, dropout_p=0.1)


def test_what_is_computed_again_gets_the_same_masks():
    layer = torch.nn.Sequential(torch.nn.Linear(64, 512), torch.nn.Dropout(0.5), torch.nn.Linear(512, 8))
    x, gradients = torch.randn(64, 64), []
    for again in (False, True):
        torch.manual_seed(5)
        layer.zero_grad()
        with FastDropout():
            y = checkpoint(layer, x, use_reentrant=False, context_fn=when_recomputed) if again else layer(x)
        y.square().sum().backward()
        gradients.append([parameter.grad.clone() for parameter in layer.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
