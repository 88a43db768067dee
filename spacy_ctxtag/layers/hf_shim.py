"""The Hugging Face encoder behind a Thinc model: weights, tokenizer, optimizer steps, serialization.

It differs from Thinc's own PyTorch shim: prediction never touches the module's training mode (so threads may share
it), one backward pass serves all buckets of an update, moving averages of the weights are really swapped in, and
loading is strict. On disk the weights are `model.safetensors` beside `config.json` and the tokenizer's own files.
"""

import contextlib
import copy
import os
import sys
import tempfile
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import srsly
from thinc.api import Optimizer, Shim, get_torch_default_device, torch2xp, xp2torch
from thinc.types import FloatsXd

from ..errors import Errors

LrScale = Callable[[str], float]
_weights_apart: ContextVar[bool] = ContextVar("weights_apart", default=False)


@contextlib.contextmanager
def weights_apart() -> Iterator[None]:
    """In this context a model's bytes leave out the encoder's weights, which `HFShim.save` writes as files instead."""
    token = _weights_apart.set(True)
    try:
        yield
    finally:
        _weights_apart.reset(token)


class HFShim(Shim):
    """Holds a Hugging Face encoder and its fast tokenizer; empty until `load` or deserialization.

    lr_scale (LrScale): The factor of the learning rate by the name of a parameter.
    """

    def __init__(self, lr_scale: LrScale) -> None:
        super().__init__(None)
        self.tokenizer: Any = None
        self.lr_scale = lr_scale
        self.awaits_weights = False  # deserialized from bytes that left the weights out

    @property
    def is_loaded(self) -> bool:
        return self._model is not None

    @property
    def module(self) -> Any:
        """RETURNS (torch.nn.Module): The encoder. RAISES (ValueError): CT004 when there is none yet."""
        if self._model is None:
            raise ValueError(Errors.CT004)
        return self._model

    # Weights and tokenizer

    def load(self, path: Path) -> None:
        """Load weights and tokenizer from a folder, strictly.

        RAISES (ValueError): CT005 when a weight is missing or left over, CT006 when the tokenizer is not a fast one.
        """
        self._model = _load_module(path).to(get_torch_default_device())
        self.tokenizer = _load_tokenizer(path)
        self.awaits_weights = False

    def save(self, path: Path) -> None:
        """Write weights and tokenizer to a folder that does not exist yet."""
        self.module.save_pretrained(path)
        self.tokenizer.save_pretrained(path)

    def to_bytes(self) -> bytes:
        files: Dict[str, bytes] = {}
        apart = self.is_loaded and _weights_apart.get()
        if self.is_loaded and not apart:
            with tempfile.TemporaryDirectory() as parent:
                folder = Path(parent) / "encoder"
                self.save(folder)
                files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        return srsly.msgpack_dumps({"files": files, "apart": apart})

    def from_bytes(self, data: bytes) -> "HFShim":
        message = srsly.msgpack_loads(data)
        self.awaits_weights = message["apart"]
        if message["files"]:
            with tempfile.TemporaryDirectory() as folder:
                for name, content in message["files"].items():
                    (Path(folder) / name).write_bytes(content)
                self.load(Path(folder))
        return self

    def copy(self) -> "HFShim":
        copied = HFShim(self.lr_scale)
        copied._model = copy.deepcopy(self._model)
        copied.tokenizer = copy.deepcopy(self.tokenizer)
        return copied

    def to_device(self, device_type: str, device_id: int) -> None:
        if self._model is not None:
            self._model.to(f"cuda:{device_id}" if device_type == "gpu" else "cpu")

    # Forward and backward

    def __call__(self, run: Callable[[Any], Any], is_train: bool) -> Tuple[Any, Callable[[Any], None]]:
        """Run the encoder.

        run (Callable): Takes the module, returns one tensor.
        RETURNS (Tuple): The tensor as an array of the current ops, and a callback that takes its gradient.
        """
        import torch

        if not is_train:
            with torch.inference_mode():
                return torch2xp(run(self.module)), _no_backprop
        self.module.train()
        try:
            output = run(self.module)
        finally:
            self.module.eval()

        def backprop(d_output: Any) -> None:
            torch.autograd.backward([output], [xp2torch(d_output, device=output.device)])

        return torch2xp(output.detach()), backprop

    def finish_update(self, optimizer: Optimizer) -> None:
        for name, parameter in self._named_parameters():
            if parameter.grad is None:
                continue
            weights, _ = optimizer(
                (self.id, name),
                torch2xp(parameter.detach()),
                torch2xp(parameter.grad),
                lr_scale=self.lr_scale(name),
            )
            parameter.data = xp2torch(weights, device=parameter.device).reshape(parameter.shape)
            parameter.grad = None

    @contextlib.contextmanager
    def use_params(self, params: Dict[Tuple[int, str], FloatsXd]) -> Iterator[None]:
        backup: List[Tuple[Any, Any]] = []
        for name, parameter in self._named_parameters():
            if (self.id, name) in params:
                backup.append((parameter, parameter.data))
                average = xp2torch(params[(self.id, name)], device=parameter.device)
                parameter.data = average.reshape(parameter.shape).to(parameter.dtype)
        try:
            yield
        finally:
            for parameter, data in backup:
                parameter.data = data

    def _named_parameters(self) -> List[Tuple[str, Any]]:
        return [] if self._model is None else list(self._model.named_parameters())


def _no_backprop(d_output: Any) -> None:
    """Prediction has nothing to go back through."""


def _load_module(path: Path) -> Any:
    import torch
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(path, local_files_only=True)
    if getattr(config, "is_encoder_decoder", False):
        raise ValueError(Errors.CT007.format(path=path, kind=config.model_type))
    options: Dict[str, Any] = {"config": config, "local_files_only": True, "output_loading_info": True}
    rng = torch.get_rng_state()  # a load must not move the random numbers of a training run
    with _quiet():
        try:
            module, info = AutoModel.from_pretrained(path, add_pooling_layer=False, **options)
        except TypeError:  # an architecture without a pooler
            module, info = AutoModel.from_pretrained(path, **options)
    torch.set_rng_state(rng)
    if info["missing_keys"] or info["mismatched_keys"]:
        raise ValueError(
            Errors.CT005.format(path=path, missing=sorted(info["missing_keys"]), other=info["mismatched_keys"])
        )
    return module.float().eval()


def _load_tokenizer(path: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True, use_fast=True)
    except Exception as error:  # a tokenizer's own libraries raise what they like
        raise ValueError(Errors.CT006.format(path=path, reason=error)) from error
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError(Errors.CT006.format(path=path, reason=f"{type(tokenizer).__name__} is a slow tokenizer"))
    return tokenizer


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what transformers logs about weights of heads that we do not build; missing weights raise anyway."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _after_fork() -> None:
    """One thread in a forked child: the parent's thread pools do not exist there, and waiting for them hangs."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch: Optional[Any] = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
