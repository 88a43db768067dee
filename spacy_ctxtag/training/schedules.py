"""The registered schedule of the learning rate: Thinc's `warmup_linear`, with the warm-up as a share of the steps."""

from typing import Iterable

from thinc.api import warmup_linear

from ..errors import Errors


def create_warmup_linear_v1(initial_rate: float, total_steps: int, warmup: float = 0.1) -> Iterable[float]:
    """Make the schedule `spacy-ctxtag.warmup_linear.v1`: up from 0 to a rate, then down to 0 at the last step.

    initial_rate (float): The highest rate.
    total_steps (int): Steps of the training, such as `${training.max_steps}`.
    warmup (float): Share of the steps in which the rate rises.
    RETURNS (Iterable[float]): A rate for each step.
    RAISES (ValueError): CT606 without any steps, or for a share outside of [0, 1).
    """
    if total_steps < 1:
        problem = (
            f"total_steps = {total_steps}, and the rate falls to 0 at the last step. Give [training] a `max_steps`"
        )
        raise ValueError(Errors.CT606.format(problem=problem))
    if not 0 <= warmup < 1:
        raise ValueError(Errors.CT606.format(problem=f"warmup = {warmup}, expected a share from 0 to below 1"))
    return warmup_linear(initial_rate, int(warmup * total_steps), total_steps)
