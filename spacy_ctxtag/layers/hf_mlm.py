"""An encoder with a head that predicts masked word pieces: loaded from the folder of any encoder, and saved as one.

    scores = W · norm(gelu(A h + a)) + b        W: the embeddings of the pieces (tied); BERT's head, others are alike

A folder without a head, such as that of a sentence encoder, gets a new one with random A. Does no training.
"""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple

from ..errors import Errors
from .hf_weights import ONLY_FILES, load_tokenizer, quiet, read_config, readable, same_random_numbers
from .int8_files import QUANTIZED


class MaskedLM(NamedTuple):
    """An encoder with its head.

    module (torch.nn.Module): Both, in 32-bit floats.
    tokenizer (Any): A fast tokenizer that reads texts as they are.
    new_head (bool): Whether the folder had no head, so that this one has learned nothing.
    pooler (Dict[str, torch.Tensor]): What the encoder has beside what the head needs, by name.
    """

    module: Any
    tokenizer: Any
    new_head: bool
    pooler: Dict[str, Any]


def load_masked_lm(path: Path, *, seed: int = 0) -> MaskedLM:
    """Load an encoder and its head, and make a head where there is none.

    seed (int): Of the weights of a new head. Moves no other random numbers.
    RAISES (ValueError): CT005 when weights of the encoder are missing, or any do not fit; CT006, CT007, CT010 as for an
        encoder; CT020 for one in integers; CT550 where transformers has no such head, CT551 without a mask piece.
    """
    import torch
    from transformers import AutoModel, AutoModelForMaskedLM
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING

    config, tokenizer = read_config(path), load_tokenizer(path)
    if getattr(config, "quantization_config", None) == QUANTIZED:
        raise ValueError(Errors.CT020)
    if type(config) not in MODEL_FOR_MASKED_LM_MAPPING:
        raise ValueError(Errors.CT550.format(kind=config.model_type))
    if tokenizer.mask_token_id is None:
        raise ValueError(Errors.CT551.format(path=path))
    options = {**ONLY_FILES, "config": config, "output_loading_info": True, "ignore_mismatched_sizes": True}
    with readable(path), quiet(), same_random_numbers():
        torch.manual_seed(seed)
        module, info = AutoModelForMaskedLM.from_pretrained(path, **options)
        whole, whole_info = AutoModel.from_pretrained(path, **options)
    lacking = _lacking(module, info["missing_keys"])
    prefix = f"{module.base_model_prefix}."
    missing = [name for name in lacking if name.startswith(prefix)]
    if missing or info["mismatched_keys"]:
        other = sorted(str(key) for key in info["mismatched_keys"])
        raise ValueError(Errors.CT005.format(path=path, missing=missing, other=other))
    inside = {*module.base_model.state_dict(), *whole_info["missing_keys"]}
    pooler = {name: values for name, values in whole.state_dict().items() if name not in inside}
    return MaskedLM(module.float(), tokenizer, bool(lacking), pooler)


def _lacking(module: Any, keys: Any) -> List[str]:
    """RETURNS (List[str]): Names of weights that were not in the folder, less those that are the embeddings (tied)."""
    weights = dict(module.named_parameters(remove_duplicate=False))
    tied = {id(each) for each in module.base_model.parameters()}
    prefix = f"{module.base_model_prefix}."
    return sorted(key for key in keys if key in weights and (key.startswith(prefix) or id(weights[key]) not in tied))


def predict_masked(module: Any, ids: Any, attention: Any, chosen: Any) -> Any:
    """Score all pieces of the vocabulary in the places that are asked for. The head runs on these alone.

    module (torch.nn.Module): That of a MaskedLM.
    ids (torch.Tensor): (B, P) piece numbers, masked and padded.
    attention (torch.Tensor): (B, P), 0 for padding.
    chosen (torch.Tensor): (B, P) truth values, M of them true.
    RETURNS (torch.Tensor): (M, V) scores, row by row.
    """
    picked = []

    def pick(_encoder: Any, _inputs: Any, output: Any) -> Any:
        hidden = output.last_hidden_state  # (B, P, W), but without padding, (N, W), in some kernels
        if hidden.shape[:2] == chosen.shape:
            picked.append(True)
            output.last_hidden_state = hidden[chosen].unsqueeze(0)  # (1, M, W)
        return output

    hook = module.base_model.register_forward_hook(pick)
    try:
        scores = module(input_ids=ids, attention_mask=attention).logits
    finally:
        hook.remove()
    return scores[0] if picked else scores[chosen]


def save_masked_lm(masked: MaskedLM, path: Path) -> None:
    """Write a folder that `load_masked_lm` reads, and that is a backbone: encoder, head, what the encoder had beside
    them, and the tokenizer."""
    from safetensors.torch import load_file, save_file

    with quiet():
        masked.module.save_pretrained(path, max_shard_size="100GB")  # one file
        masked.tokenizer.save_pretrained(path)
    file = path / "model.safetensors"
    if masked.pooler:
        prefix = masked.module.base_model_prefix
        pooler = {f"{prefix}.{name}": values.contiguous() for name, values in masked.pooler.items()}
        save_file({**load_file(file), **pooler}, file, metadata={"format": "pt"})
