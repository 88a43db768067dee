"""The Hugging Face encoder behind a Thinc model: weights, tokenizer, optimizer steps, serialization.

Unlike Thinc's PyTorch shim it leaves the module's training mode alone in prediction (so threads may share it), goes
backward once for all buckets, swaps averages in, and loads strictly. On disk it is the folder of `save_folder`.
"""

import contextlib
import copy
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Tuple, cast

import srsly
from thinc.api import Optimizer, get_torch_default_device
from thinc.types import FloatsXd

from ..errors import Errors
from . import forking  # noqa: F401
from .attention import attention_of
from .finetuning import Finetuning
from .hf_bytes import are_apart, pack, unpacked
from .hf_bytes import weights_apart as weights_apart
from .hf_held import Held
from .hf_steps import Progress, Run, forward, swapped_in, take_steps
from .hf_weights import load_module, load_tokenizer, save_folder
from .mixed_precision import MixedPrecision
from .precision import Copies, Measured, choose, own_precision, read_measured, stored, write_measured


class HFShim(Held):
    """Holds a Hugging Face encoder and its fast tokenizer; empty until `load` or deserialization."""

    def __init__(self, finetuning: Finetuning) -> None:
        super().__init__()
        self.finetuning = finetuning
        self._progress = Progress()
        self.awaits_weights = False  # deserialized from bytes that left the weights out
        self._copies = Copies()  # in other forms
        self._own = "fp32"  # the numbers of the weights: "int8" once they are quantized
        self.measured: Measured = {}  # F and speed by precision, as `ctx quantize` found them for these weights

    def load(self, path: Path) -> None:
        """Load weights and tokenizer from a folder, strictly. RAISES (ValueError): CT005, CT006, CT007, CT010."""
        module, tokenizer = load_module(path), load_tokenizer(path)
        self.take(module, read_measured(path))
        self._tokenizer, self.awaits_weights = tokenizer, False

    def take(self, module: Any, measured: Measured) -> None:
        """Hold another encoder, for the tokenizer that is here or comes."""
        self._own = own_precision(module)
        if self._own == "fp32":
            self.finetuning.prepare(module)
        rates = self.finetuning.rates(module) if self._own == "fp32" else {}
        self._progress = Progress(rates, MixedPrecision(self.finetuning.train_precision))
        self._model, self.measured = module.to(get_torch_default_device()), measured
        self._copies.clear()

    def save(self, path: Path) -> None:
        """Write weights, tokenizer and what was measured to a folder that does not exist yet."""
        module = self._copies.get(self.module, self._own, stored(self._own, self.measured))
        save_folder(module, self.tokenizer, path)
        write_measured(self.measured, path)

    def to_bytes(self) -> bytes:
        apart = self.is_loaded and are_apart()
        files = pack(self.save) if self.is_loaded and not apart else {}
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

    def to_device(self, device_type: str, device_id: int) -> None:
        if self._model is not None:
            self._model.to(f"cuda:{device_id}" if device_type == "gpu" else device_type)
            self._copies.clear()

    def __call__(self, run: Run, is_train: bool, form: str = "fp32") -> Tuple[Any, Callable[[Any], None]]:
        """RETURNS (Tuple): What `run` gives, as an array of the current ops, and a callback that takes its gradient.

        RAISES (ValueError): CT019 for "int8" without integers, CT020 to train in integers.
        """
        if is_train and self._own == "int8":
            raise ValueError(Errors.CT020)
        if is_train:
            return forward(self.module, run, True, self._progress)
        chosen = choose(form, self._own, self.measured)
        with attention_of(chosen):
            return forward(self._copies.get(self.module, self._own, chosen), run, False, self._progress)

    def finish_update(self, optimizer: Optimizer) -> None:
        """Take a step, unless there was no backward pass since the last one, or a gradient did not fit in fp16."""
        if self._progress.has_gradient and take_steps(self.module, optimizer, self.id, self._progress):
            self._copies.clear()
            self.measured = {}
            self.finetuning.choose(self.module, self._progress.steps)

    def training_state(self) -> Dict[str, Any]:
        return self._progress.training_state()

    def set_training_state(self, state: Dict[str, Any]) -> None:
        """Go on from there; the weights have changed."""
        self._progress.set_training_state(state)
        self._copies.clear()
        self.measured = {}
        self.finetuning.choose_again(self.module, self._progress.steps)

    @contextlib.contextmanager
    def use_params(self, params: Dict[Tuple[int, str], FloatsXd]) -> Iterator[None]:
        swapped = swapped_in(self._model, params, self.id) if self.is_loaded else contextlib.nullcontext()
        with swapped, self._copies.set_aside():
            yield
