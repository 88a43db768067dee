"""A bucket that does not fit in memory is read in halves: the same vectors and gradients, and one warning."""

import numpy
import pytest
import torch
from backbones import make_backbone
from numpy.testing import assert_allclose
from tiny_encoders import LONG, PLAIN, docs_of, make_encoder

pytestmark = pytest.mark.backbone
TEXTS = [PLAIN, LONG, "London", "Ada wrote."]
ERRORS = {
    "cuda": torch.cuda.OutOfMemoryError("CUDA out of memory."),
    "cpu": RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: …"),
    "other": RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
}


def limit(model, most, error):
    """Let the encoder of a model fail for more windows than `most`. RETURNS (list): How many it was given each time."""
    module, sizes = model.shims[0].module, []
    inner = module.forward

    def forward(input_ids, **kwargs):
        sizes.append(len(input_ids))
        if len(input_ids) > most:
            raise error
        return inner(input_ids=input_ids, **kwargs)

    module.forward = forward
    return sizes


@pytest.mark.parametrize("kind", ["cuda", "cpu"])
def test_bucket_that_does_not_fit_is_halved_with_one_warning(kind, tiny_backbone):
    model = make_encoder(tiny_backbone)
    expected = model.predict(docs_of(*TEXTS))
    sizes = limit(model, 2, ERRORS[kind])
    with pytest.warns(UserWarning, match=r"\[CW001\] 24 windows of 48 .* `max_pieces = 576`") as warned:
        found = [model.predict(docs_of(*TEXTS)) for _ in range(2)]
    assert len(warned) == 1
    assert max(sizes) == 24
    for vectors in found:
        for y, z in zip(vectors, expected, strict=True):
            assert_allclose(y, z, atol=1e-5)


def test_training_is_halved_too(tmp_path):
    backbone = make_backbone("bert", tmp_path / "bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    gradients = []
    for most in (100, 2):
        model = make_encoder(backbone)
        sizes = limit(model, most, ERRORS["cuda"])
        if most == 2:
            with pytest.warns(UserWarning, match="CW001"):
                vectors, backprop = model.begin_update(docs_of(*TEXTS))
        else:
            vectors, backprop = model.begin_update(docs_of(*TEXTS))
        assert min(sizes) <= most
        backprop([numpy.cos(y) for y in vectors])
        gradients.append([parameter.grad for parameter in model.shims[0].module.parameters()])
    assert len(gradients[0]) > 10
    for one, other in zip(*gradients, strict=True):
        assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("kind", "most"), [("cuda", 0), ("cpu", 0), ("other", 2)])
@pytest.mark.filterwarnings("ignore:.*CW001")
def test_what_halving_cannot_help_is_an_error(kind, most, tiny_backbone):
    model = make_encoder(tiny_backbone)
    sizes = limit(model, most, ERRORS[kind])
    with pytest.raises(RuntimeError) as raised:
        model.predict(docs_of(*TEXTS))
    assert raised.value is ERRORS[kind]
    assert sizes[-1] == (24 if kind == "other" else 1)
