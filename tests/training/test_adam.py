"""The optimizer: Adam is Thinc's, decay spares biases and norms, averages are what they say and cover the encoder."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import thinc.api
from numpy.testing import assert_allclose, assert_array_equal
from pipelines import HEADS, make_examples, make_pipeline, parameters
from spacy.language import Language
from spacy.util import registry
from thinc.api import fix_random_seed

from spacy_ctxtag.training.adam import create_adam_v1, decays

KEY = (1, "W")
SPARED_LAST = ("b", "G", "start", "transition", "end", "bias")  # last part of the names of what does not decay


def gradients(n: int, shape: tuple[int, ...] = (4, 3)) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype("float32") for _ in range(n)]


def steps(optimizer: Any, n: int, key: tuple[int, str] = KEY, shape: tuple[int, ...] = (4, 3)) -> Iterator[Any]:
    """YIELDS (ndarray): The weights after each step, from ones."""
    weights = np.ones(shape, dtype="float32")
    for gradient in gradients(n, shape):
        weights, _ = optimizer(key, weights, gradient)
        yield weights.copy()


def trained_once(tiny_backbone: str, *, shared: bool) -> Language:
    """A pipeline of both heads with gradients of one batch, and no parameter that is zero everywhere."""
    nlp = make_pipeline(HEADS, tiny_backbone, shared=shared)
    examples = make_examples(nlp)
    fix_random_seed(0)
    nlp.initialize(lambda: examples)
    rng = np.random.default_rng(0)
    for _, pipe in nlp.pipeline:
        for node in pipe.model.walk():
            for name in node.param_names:
                array = node.get_param(name)
                node.set_param(name, rng.normal(0, 0.1, array.shape).astype("float32"))
            for shim in node.shims[:1]:
                for each in shim.module.parameters():
                    each.data += 0.1
    nlp.update(examples, sgd=False)
    return nlp


def finish(nlp: Language, optimizer: Any) -> None:
    for _, pipe in nlp.pipeline:
        pipe.finish_update(optimizer)


# Adam


def test_without_decay_and_averages_it_is_thincs_adam() -> None:
    settings = {"learn_rate": 0.01, "beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "grad_clip": 0.5}
    ours, theirs = create_adam_v1(**settings), thinc.api.Adam(**settings, use_averages=False)
    for a, b in zip(steps(ours, 5), steps(theirs, 5), strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize("as_decay", [True, False])
@pytest.mark.parametrize("key", [(1, "W"), (2, "E"), (3, "encoder.layer.0.output.dense.weight")])
def test_weights_decay_as_thincs_adam_does_it(key: tuple[int, str], as_decay: bool) -> None:
    settings = {"learn_rate": 0.01, "L2": 0.3, "L2_is_weight_decay": as_decay}
    ours, theirs = create_adam_v1(**settings), thinc.api.Adam(**settings, use_averages=False)
    for a, b in zip(steps(ours, 5, key), steps(theirs, 5, key), strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize("as_decay", [True, False])
@pytest.mark.parametrize(("name", "shape"), [("b", (4, 3)), ("transition", (4, 4)), ("G", (4,)), ("x.bias", (4,))])
def test_biases_do_not_decay(name: str, shape: tuple[int, ...], as_decay: bool) -> None:
    ours = create_adam_v1(0.01, L2=0.3, L2_is_weight_decay=as_decay)
    theirs = thinc.api.Adam(0.01, L2=0.0, use_averages=False)
    for a, b in zip(steps(ours, 5, (1, name), shape), steps(theirs, 5, (1, name), shape), strict=True):
        assert_array_equal(a, b)
    assert ours.L2 == 0.3


@pytest.mark.backbone
@pytest.mark.parametrize("shared", [False, True])
def test_decay_spares_biases_and_norms_of_a_pipeline(shared: bool, tiny_backbone: str) -> None:
    nlp = trained_once(tiny_backbone, shared=shared)
    for _, pipe in nlp.pipeline:
        for node in pipe.model.walk():
            for name in node.grad_names:
                node.get_grad(name)[...] = 0.0
            for shim in node.shims[:1]:
                for each in shim.module.parameters():
                    if each.grad is not None:
                        each.grad.zero_()
    before = list(parameters(nlp))
    if shared:
        nlp.get_pipe("ctx_encoder")._pending.d_vectors = [d * 0 for d in nlp.get_pipe("ctx_encoder")._pending.d_vectors]
    finish(nlp, create_adam_v1(0.1, L2=0.5))
    n_spared = n_decayed = 0
    for (name, old), (_, new) in zip(before, parameters(nlp), strict=True):
        if "pooler" in name:  # gets no gradient, so no step is taken for it
            assert_array_equal(new, old)
        elif name.split(".")[-1] in SPARED_LAST or "LayerNorm" in name:
            assert_array_equal(new, old, err_msg=name)
            n_spared += 1
        else:
            assert_allclose(new, old * (1 - rate_of(name) * 0.5), rtol=1e-5, err_msg=name)
            n_decayed += 1
    assert n_spared > 20
    assert n_decayed > 20


def rate_of(name: str) -> float:
    """RETURNS (float): The learning rate of a parameter, less in the encoder (`lr_scale` is 0.5)."""
    return 0.05 if "embeddings." in name or "encoder.layer" in name else 0.1


def test_what_decays_is_told_by_name_and_shape() -> None:
    matrix, vector = np.ones((2, 2)), np.ones(2)
    assert [decays(name, matrix) for name in ("W", "E", "b", "transition")] == [True, True, False, False]
    assert not decays("W", vector)


# Averages


def test_average_is_the_mean_of_the_steps_from_its_start() -> None:
    optimizer = create_adam_v1(0.1, use_averages=True, average_decay=1.0, average_start=2)
    seen = []
    for n, weights in enumerate(steps(optimizer, 8), 1):
        seen.append(weights)
        if n <= 2:
            assert not optimizer.averages
        else:
            assert_allclose(optimizer.averages[KEY], np.mean(seen[2:], axis=0), rtol=1e-5)


def test_average_is_exponential_once_there_are_enough_steps() -> None:
    optimizer = create_adam_v1(0.1, use_averages=True, average_decay=0.75)
    expected: Any = None
    for n, weights in enumerate(steps(optimizer, 10), 1):
        expected = weights if n == 1 else expected + max(0.25, 1 / n) * (weights - expected)
        assert_allclose(optimizer.averages[KEY], expected, rtol=1e-5)
    assert not np.allclose(expected, weights, rtol=1e-3)


def test_average_does_not_change_the_steps() -> None:
    for a, b in zip(steps(create_adam_v1(0.1, use_averages=True), 5), steps(create_adam_v1(0.1), 5), strict=True):
        assert_array_equal(a, b)


@pytest.mark.backbone
@pytest.mark.parametrize("shared", [False, True])
def test_averages_are_those_of_heads_and_encoder(shared: bool, tiny_backbone: str) -> None:
    nlp = trained_once(tiny_backbone, shared=shared)
    examples = make_examples(nlp)
    optimizer = create_adam_v1(0.02, use_averages=True, average_decay=1.0)
    finish(nlp, optimizer)
    seen = [list(parameters(nlp))]
    for _ in range(2):
        nlp.update(examples, sgd=False)
        finish(nlp, optimizer)
        seen.append(list(parameters(nlp)))
    with nlp.use_params(optimizer.averages):
        averaged = list(parameters(nlp))
    for (name, average), *rows in zip(averaged, *seen, strict=True):
        assert_allclose(average, np.mean([values for _, values in rows], axis=0), rtol=1e-4, atol=1e-6, err_msg=name)
    for (name, values), (_, after) in zip(seen[-1], parameters(nlp), strict=True):
        assert_array_equal(after, values, err_msg=name)


# The config


def test_optimizer_takes_schedules() -> None:
    schedule = {"@schedules": "warmup_linear.v1", "warmup_steps": 2, "total_steps": 4, "initial_rate": 0.5}
    config = {"optimizer": {"@optimizers": "spacy-ctxtag.Adam.v1", "learn_rate": schedule, "L2": 0.01}}
    optimizer = registry.resolve(config)["optimizer"]
    rates = []
    for _ in range(5):
        rates.append(optimizer.learn_rate)
        optimizer.step_schedules()
    assert rates == [0.0, 0.25, 0.5, 0.25, 0.0]


@pytest.mark.parametrize(("setting", "value"), [("average_decay", -0.1), ("average_decay", 1.1), ("average_start", -1)])
def test_optimizer_setting_that_cannot_be_is_refused(setting: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"CT304.*'{setting}'"):
        create_adam_v1(use_averages=True, **{setting: value})
