"""Weights and the state of optimizers by place: what goes in comes out in another process's pipeline."""

from typing import Any

import numpy as np
import pytest
from pipelines import HEADS, make_examples, make_pipeline, parameters, train, weights
from spacy.language import Language
from thinc.api import Adam, Optimizer, PyTorchWrapper, fix_random_seed, warmup_linear

from spacy_ctxtag.exceptions import TrainingError
from spacy_ctxtag.layers.hf_steps import Progress
from spacy_ctxtag.layers.mixed_precision import MixedPrecision
from spacy_ctxtag.training.optimizer_state import put_back_optimizer, read_optimizer
from spacy_ctxtag.training.places import Places
from spacy_ctxtag.training.weights import put_back_weights, read_weights


def make_optimizer() -> Adam:
    return Adam(warmup_linear(0.05, 2, 20), L2=0.01, use_averages=True)


def step(nlp: Language, optimizer: Any) -> None:
    fix_random_seed(1)
    nlp.update(make_examples(nlp), sgd=optimizer, drop=0.1)
    nlp.get_pipe("ctx_encoder").model  # noqa: B018  (a step that is due)
    optimizer.step_schedules()


@pytest.mark.backbone
def test_state_goes_over_to_another_pipeline(tiny_backbone: str) -> None:
    nlp, other = (make_pipeline(HEADS, tiny_backbone, shared=True) for _ in range(2))
    train(nlp, make_examples(nlp), steps=0)
    train(other, make_examples(other), steps=3, learn_rate=0.1)  # as different as can be
    optimizer = make_optimizer()
    for _ in range(3):
        step(nlp, optimizer)
    places = Places(nlp)
    info, arrays = read_weights(places)
    about, moments = read_optimizer(optimizer, places)
    put_back_weights(Places(other), info, {name: each.copy() for name, each in arrays.items()})
    new = make_optimizer()
    put_back_optimizer(new, Places(other), about, {name: each.copy() for name, each in moments.items()}, 3)
    for _ in range(2):
        step(nlp, optimizer)
        step(other, new)
    assert weights(other) == weights(nlp)
    assert new.learn_rate == optimizer.learn_rate
    with nlp.use_params(optimizer.averages), other.use_params(new.averages):
        assert weights(other) == weights(nlp)


def test_state_has_gradients_of_what_has_learned_only(tiny_backbone: str) -> None:
    nlp = make_pipeline(HEADS, tiny_backbone)
    train(nlp, make_examples(nlp), steps=0)
    assert not any(name.startswith("gradients/") for name in read_weights(Places(nlp))[1])
    optimizer = Adam(0.01)
    nlp.update(make_examples(nlp), sgd=optimizer, exclude=["ctx_ner"])
    info, arrays = read_weights(Places(nlp))
    learned = {name.split("/")[1] for name in arrays if name.startswith("gradients/")}
    assert learned == {"ctx_tagger"}
    assert [bool(about["with_gradient"]) for about in info["shims"].values()] == [False, True]


def test_state_moves_weights_without_a_new_gradient_as_before(tiny_backbone: str) -> None:
    nlp, other = (make_pipeline(HEADS, tiny_backbone) for _ in range(2))
    for each in (nlp, other):
        train(each, make_examples(each), steps=0)
    optimizer, new = Adam(0.01), Adam(0.01)
    nlp.update(make_examples(nlp), sgd=optimizer, exclude=["ctx_tagger"])
    info, arrays = read_weights(Places(nlp))
    about, moments = read_optimizer(optimizer, Places(nlp))
    put_back_weights(Places(other), info, {name: each.copy() for name, each in arrays.items()})
    put_back_optimizer(new, Places(other), about, {name: each.copy() for name, each in moments.items()}, 1)
    learned = [
        [parameter.grad is not None for shim in shims_of(each) for parameter in shim.module.parameters()]
        for each in (nlp, other)
    ]
    assert learned[0] == learned[1]
    assert set(learned[0]) == {False, True}
    before = [array.tobytes() for _, array in parameters(nlp)]
    nlp.get_pipe("ctx_ner").finish_update(optimizer)
    other.get_pipe("ctx_ner").finish_update(new)
    after = [[array.tobytes() for _, array in parameters(each)] for each in (nlp, other)]
    assert after[0] == after[1] != before


def shims_of(nlp: Language) -> list[Any]:
    return [shim for shim in Places(nlp).shims.values() if hasattr(shim, "module")]


def test_state_of_another_pipeline_is_refused(tiny_backbone: str) -> None:
    nlp, other = (make_pipeline(kinds, tiny_backbone) for kinds in (["ctx_ner"], HEADS))
    for each in (nlp, other):
        train(each, make_examples(each), steps=0)
    with pytest.raises(TrainingError, match=r"CT603.*weights/ctx_tagger"):
        put_back_weights(Places(other), *read_weights(Places(nlp)))


class Pipeline:
    """As much of a pipeline as places need."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.pipeline = [("one", self)]


def test_state_of_torch_modules_in_thinc_has_buffers() -> None:
    import torch

    def make() -> Any:
        return Pipeline(PyTorchWrapper(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))))

    pipeline, other = make(), make()
    optimizer, new = Adam(0.1), Adam(0.1)
    inputs = np.arange(8, dtype="f").reshape(4, 2)

    def learn(model: Any, sgd: Optimizer) -> None:
        output, backprop = model.begin_update(inputs)
        backprop(np.ones_like(output) * [1, 2, 3])
        model.finish_update(sgd)

    learn(pipeline.model, optimizer)
    info, arrays = read_weights(Places(pipeline))
    assert "weights/one/0.0/1.running_mean" in arrays
    put_back_weights(Places(other), info, {name: each.copy() for name, each in arrays.items()})
    about, moments = read_optimizer(optimizer, Places(pipeline))
    put_back_optimizer(new, Places(other), about, {name: each.copy() for name, each in moments.items()}, 1)
    learn(pipeline.model, optimizer)
    learn(other.model, new)
    assert (pipeline.model.predict(inputs) == other.model.predict(inputs)).all()


def test_optimizer_with_something_unknown_is_refused() -> None:
    class Odd(Optimizer):
        memory = None

        def __init__(self) -> None:
            super().__init__(0.1)
            self.memory = iter([1])

    nothing: Any = Pipeline(None)
    with pytest.raises(TrainingError, match=r"CT605.*`memory` of Odd"):
        read_optimizer(Odd(), Places(nothing))


def test_shim_of_another_library_is_refused() -> None:
    from thinc.api import Model, Shim

    pipeline: Any = Pipeline(Model("odd", lambda model, X, is_train: (X, lambda dY: dY), shims=[Shim(object())]))
    with pytest.raises(TrainingError, match=r"CT605.*object in one/0"):
        read_weights(Places(pipeline))


def test_state_has_the_scale_of_fp16() -> None:
    before, after = Progress(mixed=MixedPrecision("fp16")), Progress(mixed=MixedPrecision("fp16"))
    before.steps, before.mixed.scale, before.mixed.good_steps = 9, 8.0, 7
    after.set_training_state(before.training_state())
    assert (after.steps, after.mixed.scale, after.mixed.good_steps) == (9, 8.0, 7)
