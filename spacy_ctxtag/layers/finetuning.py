"""Which weights of an encoder learn, when, and how fast.

Frozen layers save time where they are the lowest ones: the backward pass ends above them.
"""

import contextlib
from dataclasses import dataclass
from typing import Any, Dict

from ..errors import Errors
from .fast_dropout import when_recomputed
from .hf_config import heights, n_layers
from .precision import FLOATS


@dataclass(frozen=True)
class Finetuning:
    """How the weights of an encoder are trained.

    lr_scale (float): Factor of the learning rate of all of them.
    lr_decay (float): Each layer learns at so many times the rate of the one above it, in (0, 1] (Howard & Ruder 2018,
        section 3.2; there 1 / 2.6).
    freeze_layers (int): So many layers from the lowest up, and the embeddings, keep their weights.
    freeze_embeddings (bool): The embeddings keep theirs, whatever `freeze_layers` is.
    unfreeze_every (int): At first only the highest layer learns, and after every so many steps one more, from above
        (Howard & Ruder 2018, section 3.3). 0: all that are to learn do so from the start.
    checkpointing (bool): Keep no activations inside layers for the backward pass, but compute them again: less
        memory, more time.
    train_precision (str): The numbers that most of the encoder computes with: "fp32", "bf16", or on a GPU "fp16". The
        weights stay in fp32.
    RAISES (ValueError): CT013 for a value out of its range, CT016 for an unknown precision.
    """

    lr_scale: float = 0.1
    lr_decay: float = 1.0
    freeze_layers: int = 0
    freeze_embeddings: bool = False
    unfreeze_every: int = 0
    checkpointing: bool = False
    train_precision: str = "fp32"

    def __post_init__(self) -> None:
        for setting, holds, expected in (
            ("lr_scale", self.lr_scale >= 0, "0 or more"),
            ("lr_decay", 0 < self.lr_decay <= 1, "a number above 0, 1 at most"),
            ("freeze_layers", self.freeze_layers >= 0, "0 or more"),
            ("unfreeze_every", self.unfreeze_every >= 0, "0 or more"),
        ):
            if not holds:
                value = getattr(self, setting)
                raise ValueError(Errors.CT013.format(setting=setting, value=value, expected=expected))

        if self.train_precision not in FLOATS:
            raise ValueError(Errors.CT016.format(precision=self.train_precision, known=FLOATS))

    def prepare(self, module: Any) -> None:
        """Set an encoder up for training, once. RAISES (ValueError): CT012, CT013, CT014."""
        if self.freeze_layers > n_layers(module):
            expected = f"at most {n_layers(module)}, the layers of this encoder"
            raise ValueError(Errors.CT013.format(setting="freeze_layers", value=self.freeze_layers, expected=expected))
        if self.checkpointing:
            if not module.supports_gradient_checkpointing:
                raise ValueError(Errors.CT014.format(kind=module.config.model_type))
            new, old = "activation_checkpointing_enable", "gradient_checkpointing_enable"  # in transformers
            getattr(module, new if hasattr(module, new) else old)(
                {"use_reentrant": False, "context_fn": when_recomputed}
            )
            with contextlib.suppress(AttributeError):  # a hook that only transformers 5 sets: the way back would go
                module.disable_input_require_grads()  # through frozen layers, and the module could not be pickled
        self.choose(module, 0)

    def choose(self, module: Any, steps: int) -> None:
        """Let those weights learn that are to learn after so many steps."""
        if steps and not (self.unfreeze_every and steps % self.unfreeze_every == 0):
            return
        if not (self.freeze_layers or self.freeze_embeddings or self.unfreeze_every):
            return
        lowest = self.freeze_layers + 1 if self.freeze_layers else int(self.freeze_embeddings)
        if self.unfreeze_every:
            lowest = max(lowest, n_layers(module) - steps // self.unfreeze_every)
        height = heights(module)
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(height[name] >= lowest)

    def choose_again(self, module: Any, steps: int) -> None:
        """Let those weights of a new encoder learn that learn after so many steps."""
        if self.unfreeze_every:
            self.choose(module, steps - steps % self.unfreeze_every)

    def rates(self, module: Any) -> Dict[str, float]:
        """RETURNS (Dict[str, float]): The factor of the learning rate of each parameter, by its name."""
        if self.lr_decay == 1:
            return {name: self.lr_scale for name, _ in module.named_parameters()}
        top = n_layers(module)
        return {name: self.lr_scale * self.lr_decay ** max(0, top - at) for name, at in heights(module).items()}
