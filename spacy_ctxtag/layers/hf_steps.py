"""What happens to a PyTorch module behind a Thinc model: forward, backward, optimizer steps, averages swapped in."""

import contextlib
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Tuple, cast

from thinc.api import Optimizer, torch2xp, xp2torch
from thinc.types import FloatsXd

from .fast_dropout import FastDropout
from .mixed_precision import MixedPrecision

Run = Callable[[Any], Any]  # takes the module, returns one tensor


@dataclass
class Progress:
    """How far the training of an encoder has come since its weights were loaded.

    rates (Dict[str, float]): The factor of the learning rate by the name of a parameter.
    mixed (MixedPrecision): The precision, and for fp16 the scale of gradients.
    steps (int): How many were taken.
    has_gradient (bool): Whether there was a backward pass since the last one.
    """

    rates: Dict[str, float] = field(default_factory=dict)
    mixed: MixedPrecision = field(default_factory=MixedPrecision)
    steps: int = 0
    has_gradient: bool = False

    def training_state(self) -> Dict[str, Any]:
        return {"steps": self.steps, "scale": self.mixed.scale, "good_steps": self.mixed.good_steps}

    def set_training_state(self, state: Dict[str, Any]) -> None:
        self.steps, self.has_gradient = state["steps"], False
        self.mixed.scale, self.mixed.good_steps = state["scale"], state["good_steps"]


def forward(module: Any, run: Run, is_train: bool, progress: Progress) -> Tuple[Any, Callable[[Any], None]]:
    """Run a module that is in evaluation mode, and leave it so.

    RETURNS (Tuple): The tensor as an array, and a callback that takes its gradient and adds up those of the weights.
    """
    import torch

    if not is_train:
        with torch.inference_mode():
            return torch2xp(run(module)), _no_backprop
    with _training(module), progress.mixed.autocast(module), FastDropout():
        output = run(module)
    if not output.requires_grad:  # no word piece in the batch, or all weights are frozen
        return torch2xp(output), _no_backprop

    def backprop(d_output: Any) -> None:
        gradient = progress.mixed.scaled(xp2torch(d_output, device=output.device))
        with _training(module):  # which of its layers run again now, if they kept nothing
            torch.autograd.backward([output], [gradient])
        progress.has_gradient = True

    return torch2xp(output.detach()), backprop


def take_steps(module: Any, optimizer: Optimizer, shim_id: int, progress: Progress) -> bool:
    """Take a step for every weight that has a gradient, and set the gradients to zero.

    Neither moves in memory: allocating them anew in every update, in all their sizes, lets the process grow, and an
    array over a tensor over an array … would get longer with every step.

    RETURNS (bool): Whether it was taken: not when a gradient did not fit in fp16.
    """
    progress.has_gradient = False
    if not progress.mixed.unscale(module):
        return False
    for name, parameter in module.named_parameters():
        if parameter.grad is None:
            continue
        before, gradient = (cast(FloatsXd, torch2xp(tensor)) for tensor in (parameter.detach(), parameter.grad))
        weights, _ = optimizer((shim_id, name), before, gradient, lr_scale=progress.rates[name])
        updated = xp2torch(weights, device=parameter.device).reshape(parameter.shape)
        if updated.data_ptr() != parameter.data_ptr():
            parameter.data.copy_(updated)
        parameter.grad.zero_()
    progress.steps += 1
    return True


@contextlib.contextmanager
def swapped_in(module: Any, params: Dict[Tuple[int, str], FloatsXd], shim_id: int) -> Iterator[None]:
    """In this context the module computes with other weights, those of `params` under the shim's id."""
    backup: List[Tuple[Any, Any]] = []
    for name, parameter in module.named_parameters():
        if (shim_id, name) in params:
            backup.append((parameter, parameter.data))
            other = xp2torch(params[(shim_id, name)], device=parameter.device)
            parameter.data = other.reshape(parameter.shape).to(parameter.dtype)
    try:
        yield
    finally:
        for parameter, data in backup:
            parameter.data = data


@contextlib.contextmanager
def _training(module: Any) -> Iterator[None]:
    module.train()
    try:
        yield
    finally:
        module.eval()


def _no_backprop(d_output: Any) -> None:
    pass
