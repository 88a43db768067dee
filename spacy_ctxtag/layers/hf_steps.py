"""What happens to a PyTorch module behind a Thinc model: forward, backward, optimizer steps, averages swapped in."""

import contextlib
from typing import Any, Callable, Dict, Iterator, List, Tuple, cast

from thinc.api import Optimizer, torch2xp, xp2torch
from thinc.types import FloatsXd

Run = Callable[[Any], Any]  # takes the module, returns one tensor


def forward(module: Any, run: Run, is_train: bool) -> Tuple[Any, Callable[[Any], bool]]:
    """Run a module that is in evaluation mode, and leave it so.

    RETURNS (Tuple): The tensor as an array, and a callback that takes its gradient and adds up those of the weights. It
        tells whether there was anything to go back through.
    """
    import torch

    if not is_train:
        with torch.inference_mode():
            return torch2xp(run(module)), _no_backprop
    with _training(module):
        output = run(module)
    if not output.requires_grad:  # no word piece in the batch, or all weights are frozen
        return torch2xp(output), _no_backprop

    def backprop(d_output: Any) -> bool:
        with _training(module):  # which of its layers run again now, if they kept nothing
            torch.autograd.backward([output], [xp2torch(d_output, device=output.device)])
        return True

    return torch2xp(output.detach()), backprop


def take_steps(module: Any, optimizer: Optimizer, shim_id: int, rates: Dict[str, float]) -> None:
    """Take a step for every weight that has a gradient, and set the gradients to zero.

    rates (Dict[str, float]): The factor of the learning rate by the name of a parameter.

    Neither moves in memory: allocating them anew in every update, in all their sizes, lets the process grow, and an
    array over a tensor over an array … would get longer with every step.
    """
    for name, parameter in module.named_parameters():
        if parameter.grad is None:
            continue
        before, gradient = (cast(FloatsXd, torch2xp(tensor)) for tensor in (parameter.detach(), parameter.grad))
        weights, _ = optimizer((shim_id, name), before, gradient, lr_scale=rates[name])
        updated = xp2torch(weights, device=parameter.device).reshape(parameter.shape)
        if updated.data_ptr() != parameter.data_ptr():
            parameter.data.copy_(updated)
        parameter.grad.zero_()


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


def _no_backprop(d_output: Any) -> bool:
    return False
