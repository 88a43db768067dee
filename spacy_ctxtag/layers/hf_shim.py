"""The Hugging Face encoder behind a Thinc model: weights, tokenizer, optimizer steps, serialization.

Unlike Thinc's PyTorch shim it leaves the module's training mode alone in prediction (so threads may share it), goes
backward once for all buckets, swaps averages in, and loads strictly. On disk it is the folder of `save_folder`.
"""

import contextlib
import copy
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Tuple, cast

import srsly
from thinc.api import Optimizer, Shim, get_torch_default_device
from thinc.types import FloatsXd

from ..errors import Errors
from . import forking  # noqa: F401
from .finetuning import Finetuning
from .hf_bytes import are_apart, pack, unpacked
from .hf_bytes import weights_apart as weights_apart
from .hf_steps import Run, forward, swapped_in, take_steps
from .hf_weights import load_module, load_tokenizer, save_folder
from .pieces import only_text
from .precision import Copies


class HFShim(Shim):
    """Holds a Hugging Face encoder and its fast tokenizer; empty until `load` or deserialization."""

    def __init__(self, finetuning: Finetuning) -> None:
        super().__init__(None)
        self._tokenizer: Any = None
        self.finetuning = finetuning
        self._rates: Dict[str, float] = {}  # factors of the learning rate
        self._steps = 0  # since the weights were loaded
        self.awaits_weights = False  # deserialized from bytes that left the weights out
        self._copies = Copies()  # in other forms
        self._has_gradient = False  # from a backward pass since the last step

    @property
    def is_loaded(self) -> bool:
        return self._model is not None

    @property
    def module(self) -> Any:
        """RETURNS (torch.nn.Module): The encoder. RAISES (ValueError): CT004 without one."""
        if self._model is None:
            raise ValueError(Errors.CT004)
        return self._model

    @property
    def tokenizer(self) -> Any:
        """RETURNS (Any): The fast tokenizer. RAISES (ValueError): CT004 when there is none yet."""
        if self._tokenizer is None:
            raise ValueError(Errors.CT004)
        return self._tokenizer

    def load(self, path: Path) -> None:
        """Load weights and tokenizer from a folder, strictly. RAISES (ValueError): CT005, CT006, CT007, CT010."""
        module, tokenizer = load_module(path), load_tokenizer(path)
        self.finetuning.prepare(module)
        self._rates, self._steps = self.finetuning.rates(module), 0
        self._model, self._tokenizer = module.to(get_torch_default_device()), tokenizer
        self.awaits_weights = self._has_gradient = False

    def save(self, path: Path) -> None:
        save_folder(self.module, self.tokenizer, path)

    def to_bytes(self) -> bytes:
        apart = self.is_loaded and are_apart()
        files = pack(self.module, self.tokenizer) if self.is_loaded and not apart else {}
        return cast(bytes, srsly.msgpack_dumps({"files": files, "apart": apart}))

    def from_bytes(self, data: bytes) -> "HFShim":
        message = srsly.msgpack_loads(data)
        self.awaits_weights = message["apart"]
        if message["files"]:
            with unpacked(message["files"]) as folder:
                self.load(folder)
        return self

    def copy(self) -> "HFShim":
        copied = HFShim(self.finetuning)
        copied.__setstate__({**copy.deepcopy(self.__dict__), "id": copied.id})
        return copied

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._tokenizer is not None:
            only_text(self._tokenizer)

    def to_device(self, device_type: str, device_id: int) -> None:
        if self._model is not None:
            self._model.to(f"cuda:{device_id}" if device_type == "gpu" else device_type)
            self._copies.clear()

    def __call__(self, run: Run, is_train: bool, form: str = "fp32") -> Tuple[Any, Callable[[Any], None]]:
        """RETURNS (Tuple): What `run` gives, as an array of the current ops, and a callback that takes its gradient."""
        module = self.module if is_train else self._copies.get(self.module, form)
        output, backward = forward(module, run, is_train)

        def backprop(d_output: Any) -> None:
            self._has_gradient = backward(d_output) or self._has_gradient

        return output, backprop

    def finish_update(self, optimizer: Optimizer) -> None:
        """Take a step, unless there was no backward pass since the last one."""
        if self._has_gradient:
            self._has_gradient = False
            take_steps(self.module, optimizer, self.id, self._rates)
            self._copies.clear()
            self._steps += 1
            self.finetuning.choose(self.module, self._steps)

    @contextlib.contextmanager
    def use_params(self, params: Dict[Tuple[int, str], FloatsXd]) -> Iterator[None]:
        swapped = swapped_in(self._model, params, self.id) if self.is_loaded else contextlib.nullcontext()
        with swapped, self._copies.set_aside():
            yield
