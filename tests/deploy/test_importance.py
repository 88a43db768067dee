"""What matters: gradients of masks against differences of the loss, and what is chosen by it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from pipelines import HEADS, make_examples
from spacy.language import Language
from spacy.training import Example

from spacy_ctxtag.deploy.importance import best_units, spaced_layers, worst_heads
from spacy_ctxtag.deploy.measure import encoders_of
from spacy_ctxtag.deploy.shapes import find_shapes
from spacy_ctxtag.layers.hf_shrink import unit_weights

Load = Callable[..., tuple[Language, Language]]


def loss_of(nlp: Language, example: Example) -> float:
    """The loss of both heads on a text, from a run without gradients."""
    docs = [example.predicted]
    return sum(
        float(pipe.get_loss([example], pipe.run_model(docs))[0]) for pipe in (nlp.get_pipe(name) for name in HEADS)
    )


@pytest.mark.backbone
def test_importance_of_units_is_the_gradient_of_their_masks(load: Load) -> None:
    nlp, _ = load()
    [shim] = encoders_of(nlp.get_pipe("ctx_encoder"))
    examples = make_examples(nlp)[:3]
    [shape] = find_shapes(nlp, list(HEADS), [shim], examples, 0.0)
    weights, eps = dict(shim.module.named_parameters()), 1e-2
    for layer, name in enumerate(unit_weights(shim.module)):
        for unit in range(0, 24, 5):
            total = 0.0
            for example in examples:
                losses = []
                for factor in (1 + eps, 1 - eps):
                    with torch.no_grad():
                        kept = weights[name][:, unit].clone()
                        weights[name][:, unit] *= factor
                    losses.append(loss_of(nlp, example))
                    with torch.no_grad():
                        weights[name][:, unit] = kept
                total += abs(losses[0] - losses[1]) / (2 * eps)
            assert shape.importance[layer][unit] == pytest.approx(total, rel=0.02, abs=2e-4)


def test_importance_finds_units_that_were_planted(load: Load) -> None:
    nlp, _ = load("apart")
    [shim] = encoders_of(nlp.get_pipe("ctx_ner"))
    weights = dict(shim.module.named_parameters())
    with torch.no_grad():
        for name in unit_weights(shim.module):
            weights[name] *= torch.where(torch.arange(24) == 11, 1.0, 0.01)
            weights[name][:, 5] = 0.0
    [shape] = find_shapes(nlp, ["ctx_ner"], [shim], make_examples(nlp), 0.0)
    for scores in shape.importance:
        assert scores.argmax() == 11
        assert scores[5] == 0.0 < np.delete(scores, 5).min()


def test_importance_leaves_the_weights_as_they_are(load: Load) -> None:
    nlp, same = load()
    [shim], [other] = (encoders_of(each.get_pipe("ctx_encoder")) for each in (nlp, same))
    find_shapes(nlp, list(HEADS), [shim], make_examples(nlp), 0.0)
    assert nlp.get_pipe("ctx_ner").model.to_bytes() == same.get_pipe("ctx_ner").model.to_bytes()
    state = other.module.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in shim.module.state_dict().items())


def test_best_units_are_the_highest_in_their_order() -> None:
    assert best_units(np.array([0.5, 3.0, 0.5, 2.0, 0.5]), 3).tolist() == [0, 1, 3]


def test_worst_heads_are_compared_by_their_share_of_a_layer() -> None:
    scores = [np.array([1.0, 2.0, 3.0, 10.0]), np.array([100.0, 500.0, 400.0, 300.0])]
    assert worst_heads(scores, 3) == {0: [0, 1], 1: [0]}
    assert worst_heads(scores, 0) == {}


def test_worst_heads_leave_one_in_each_layer() -> None:
    scores = [np.array([0.0, 0.0, 1e-9]), np.array([7.0]), np.array([3.0, 4.0])]
    assert worst_heads(scores, 100) == {0: [0, 1], 2: [0]}
    assert worst_heads([np.zeros(3), np.zeros(3)], 4) == {0: [1, 2], 1: [1, 2]}


@pytest.mark.parametrize(
    ("n_layers", "n", "expected"),
    [(6, 3, [0, 2, 5]), (6, 6, [0, 1, 2, 3, 4, 5]), (12, 4, [0, 4, 7, 11]), (6, 1, [0]), (1, 1, [0]), (5, 2, [0, 4])],
)
def test_spaced_layers(n_layers: int, n: int, expected: list[int]) -> None:
    assert spaced_layers(n_layers, n) == expected
