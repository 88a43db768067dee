"""Attention by matrix products: PyTorch's own is the oracle."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from spacy_ctxtag.layers import attention
from spacy_ctxtag.layers.attention import MatrixAttention, attend, attention_of


@pytest.fixture(autouse=True)
def same_numbers():
    torch.manual_seed(0)
    with torch.inference_mode():
        yield


def heads(n_texts, n_heads, length, width, dtype=torch.float32):
    """Query, key and value as encoders make them: views with the heads inside."""
    joined = torch.randn(n_texts, length, 3, n_heads, width).to(dtype)
    return [joined[:, :, i].transpose(1, 2) for i in range(3)]


def paddings(n_texts, length):
    """True where a piece is real: each text one piece shorter than the one before."""
    return (torch.arange(length)[None] < length - torch.arange(n_texts)[:, None])[:, None, None]  # (B, 1, 1, P)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 1, 1, 4), (3, 2, 7, 8), (5, 4, 33, 16)])
@pytest.mark.parametrize("masked", ["no", "boolean", "added", "in full"])
@pytest.mark.parametrize("scores", [1, 5000, 2**21])
def test_equals_pytorch(scores, masked, shape, dtype, monkeypatch):
    monkeypatch.setattr(attention, "SCORES", scores)
    mask = paddings(shape[0], max(shape[2], shape[0]))[..., : shape[2]]
    if masked != "boolean":
        mask = torch.zeros(mask.shape, dtype=dtype).masked_fill(~mask, torch.finfo(dtype).min)
    if masked == "in full":
        mask = mask.expand(-1, -1, shape[2], -1)
    given = None if masked == "no" else mask
    tensors = heads(*shape, dtype=dtype)
    expected = scaled_dot_product_attention(
        *(each.float() for each in tensors),
        None if given is None else given if given.dtype == torch.bool else given.float(),
    )
    found = attend(*tensors, given)
    assert found.dtype == dtype
    assert found.shape == expected.shape
    torch.testing.assert_close(found.float(), expected, atol=0.04, rtol=0.02)


def test_scale_is_taken():
    tensors = heads(2, 3, 9, 8)
    expected = scaled_dot_product_attention(*tensors, scale=0.05)
    torch.testing.assert_close(attend(*tensors, scale=0.05), expected, atol=0.04, rtol=0.02)


def test_a_text_does_not_depend_on_how_many_are_computed_at_a_time(monkeypatch):
    tensors = heads(6, 2, 20, 8)
    together = attend(*tensors)
    monkeypatch.setattr(attention, "SCORES", 1)
    torch.testing.assert_close(attend(*tensors), together, atol=0.0, rtol=0.0)


def test_the_context_takes_the_place_of_pytorchs_in_this_thread_only(monkeypatch):
    calls = []
    monkeypatch.setattr(attention, "attend", lambda *args, **kwargs: calls.append(kwargs) or "ours")
    query, key, value = heads(2, 2, 5, 8)
    with MatrixAttention():
        assert scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, scale=0.1) == "ours"
        assert scaled_dot_product_attention(query=query, key=key, value=value) == "ours"
    assert calls == [{"attn_mask": None, "scale": 0.1}, {"query": query, "key": key, "value": value}]
    assert scaled_dot_product_attention(query, key, value).shape == query.shape


@pytest.mark.parametrize("rest", [{"is_causal": True}, {"dropout_p": 0.5}])
def test_what_it_cannot_do_is_left_to_pytorch(rest, monkeypatch):
    monkeypatch.setattr(attention, "attend", None)
    tensors = heads(1, 2, 5, 8)
    with MatrixAttention():
        assert scaled_dot_product_attention(*tensors, **rest).shape == tensors[0].shape
        assert scaled_dot_product_attention(tensors[0], *(each[:, :, :3] for each in tensors[1:])).shape[2] == 5


def test_gradients_are_pytorchs(monkeypatch):
    monkeypatch.setattr(attention, "attend", None)
    with torch.inference_mode(False), torch.enable_grad(), MatrixAttention():
        query, key, value = (torch.randn(1, 2, 5, 8, requires_grad=True) for _ in range(3))
        scaled_dot_product_attention(query, key, value).sum().backward()
    assert query.grad is not None


@pytest.mark.parametrize(
    ("precision", "able", "ours"),
    [
        ("bf16", True, True),
        ("int8", True, True),
        ("bf16", False, False),
        ("fp32", True, False),
        ("fp16", True, False),
    ],
)
def test_is_used_where_it_is_fast(precision, able, ours, monkeypatch):
    monkeypatch.setattr(attention, "has_bf16", lambda: able)
    assert isinstance(attention_of(precision), MatrixAttention) == ours
