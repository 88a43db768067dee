"""Read and write the folder of a Hugging Face encoder: `config.json`, weights, and the files of a fast tokenizer.

Loading is strict, offline and silent, and moves no random numbers of a training run.
"""

import contextlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

from ..errors import Errors
from .int8_files import QUANTIZED, read_tensors, write_tensors
from .int8_module import is_int8, with_tensors
from .pieces import only_text

ONLY_FILES: Dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


def read_config(path: Path) -> Any:
    """RETURNS (Any): The config of an encoder. RAISES (ValueError): CT007 for an encoder-decoder, CT010."""
    from transformers import AutoConfig

    with readable(path):
        config = AutoConfig.from_pretrained(path, **ONLY_FILES)
    if getattr(config, "is_encoder_decoder", False):
        raise ValueError(Errors.CT007.format(path=path, kind=config.model_type))
    return config


def load_module(path: Path) -> Any:
    """Load an encoder, ready for prediction: in 32-bit floats, or in 8-bit integers if the folder holds those. Weights
    of heads that are not built are left over.

    RETURNS (torch.nn.Module): The encoder.
    RAISES (ValueError): CT005 when weights are missing or do not fit, CT007 for an encoder-decoder, CT010 for a folder
        that cannot be read.
    """
    from transformers import AutoModel

    config = read_config(path)
    # Weights of another shape raise below, with the missing ones.
    options = {**ONLY_FILES, "config": config, "output_loading_info": True, "ignore_mismatched_sizes": True}
    with readable(path), quiet(), same_random_numbers():
        if getattr(config, "quantization_config", None) == QUANTIZED:
            del config.quantization_config
            return with_tensors(_with_pooler_off(AutoModel.from_config, config), read_tensors(path))
        module, info = _with_pooler_off(AutoModel.from_pretrained, path, **options)
    if info["missing_keys"] or info["mismatched_keys"]:
        other = sorted(str(key) for key in info["mismatched_keys"])
        raise ValueError(Errors.CT005.format(path=path, missing=sorted(info["missing_keys"]), other=other))
    return module.float().eval()


def _with_pooler_off(make: Callable[..., Any], *args: Any, **options: Any) -> Any:
    try:
        return make(*args, add_pooling_layer=False, **options)
    except TypeError:  # an architecture without a pooler
        return make(*args, **options)


def load_tokenizer(path: Path) -> Any:
    """RETURNS (Any): A fast tokenizer that reads texts as they are. RAISES (ValueError): CT006 when there is none,
    CT021 when one could be made with what is not installed."""
    from transformers import AutoTokenizer

    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(path, use_fast=True, **ONLY_FILES)
    except Exception as error:  # a tokenizer's own libraries raise what they like
        for file in path.glob("*.model") if find_spec("sentencepiece") is None else ():
            raise ValueError(Errors.CT021.format(path=path, file=file.name)) from error
        raise ValueError(Errors.CT006.format(path=path, reason=error)) from error
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError(Errors.CT006.format(path=path, reason=f"{type(tokenizer).__name__} is a slow tokenizer"))
    return only_text(tokenizer)


def save_folder(module: Any, tokenizer: Any, path: Path) -> None:
    """Write an encoder and its tokenizer to a folder that does not exist yet."""
    with quiet():
        if is_int8(module):
            write_tensors(module, path)
        else:
            module.save_pretrained(path)
        tokenizer.save_pretrained(path)


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # safetensors, JSON and torch raise what they like
        raise ValueError(Errors.CT010.format(path=path, reason=error)) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence logs about heads that we do not build (missing weights raise anyway), and progress bars."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@contextlib.contextmanager
def same_random_numbers() -> Iterator[None]:
    import torch

    state = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(state)
