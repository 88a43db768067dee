"""The folder of an encoder in 8-bit integers: `int8.safetensors` holds integers and scales, `config.json` says so.

transformers alone refuses such a folder, since it finds no weights there under a name that it knows.
"""

from pathlib import Path
from typing import Any, Dict, cast

QUANTIZED = {"quant_method": "spacy-ctxtag-int8"}
WEIGHTS = "int8.safetensors"


def read_tensors(path: Path) -> Dict[str, Any]:
    """RETURNS (Dict[str, torch.Tensor]): The tensors of a folder."""
    from safetensors.torch import load_file

    return cast(Dict[str, Any], load_file(path / WEIGHTS))


def write_tensors(module: Any, path: Path) -> None:
    """Write an encoder in integers, and its config, to a folder that does not exist yet."""
    from safetensors.torch import save_file

    config = type(module.config).from_dict({**module.config.to_dict(), "quantization_config": QUANTIZED})
    config.save_pretrained(path)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    save_file(tensors, path / WEIGHTS, metadata={"format": "pt"})
