"""Encoders with a head for masked words: what is loaded is the encoder, and what is saved is one again."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from backbones import KINDS, WIDTH, make_backbone
from numpy.testing import assert_array_equal
from safetensors.torch import load_file
from tiny_encoders import PLAIN, docs_of, make_encoder
from torch import Tensor

from spacy_ctxtag.layers.hf_mlm import MaskedLM, load_masked_lm, predict_masked, save_masked_lm
from spacy_ctxtag.layers.hf_weights import load_module

pytestmark = pytest.mark.backbone


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return all(torch.equal(values, right[name]) for name, values in left.items())


def batch(masked: MaskedLM) -> tuple[Tensor, Tensor, Tensor]:
    ids = torch.randint(5, 60, (3, 9), generator=torch.Generator().manual_seed(0))
    attention, chosen = torch.ones_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    attention[1, 6:] = 0
    for row, column in ((0, 0), (1, 2), (1, 5), (2, 8)):
        chosen[row, column] = True
    return ids, attention, chosen


@pytest.mark.parametrize("kind", KINDS)
def test_encoder_is_that_of_the_folder(tiny_backbones: dict[str, str], kind: str) -> None:
    path = Path(tiny_backbones[kind])
    masked = load_masked_lm(path)
    assert masked.new_head
    assert same(load_module(path).state_dict(), {**masked.module.base_model.state_dict(), **masked.pooler})


@pytest.mark.parametrize("kind", KINDS)
def test_head_is_tied_to_the_embeddings(tiny_backbones: dict[str, str], kind: str) -> None:
    module = load_masked_lm(Path(tiny_backbones[kind])).module
    assert module.get_output_embeddings().weight is module.get_input_embeddings().weight


@pytest.mark.parametrize("kind", KINDS)
def test_head_scores_the_chosen_pieces_alone(steady_backbones: dict[str, str], kind: str) -> None:
    masked = load_masked_lm(Path(steady_backbones[kind]))
    ids, attention, chosen = batch(masked)
    module = masked.module.eval()
    with torch.no_grad():
        expected = module(input_ids=ids, attention_mask=attention).logits[chosen]
        found = predict_masked(module, ids, attention, chosen)
        again = module(input_ids=ids, attention_mask=attention).logits
    assert found.shape == (4, module.get_input_embeddings().weight.shape[0])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert again.shape[:2] == ids.shape  # nothing is left behind in the encoder


@pytest.mark.parametrize("kind", KINDS)
def test_saved_folder_is_a_backbone_with_a_head(tiny_backbones: dict[str, str], kind: str, tmp_path: Path) -> None:
    masked = load_masked_lm(Path(tiny_backbones[kind]))
    with torch.no_grad():
        for each in masked.module.parameters():
            each.add_(0.25)
    save_masked_lm(masked, tmp_path / "out")
    again = load_masked_lm(tmp_path / "out")
    assert not again.new_head
    assert same(masked.module.state_dict(), again.module.state_dict())
    assert same(masked.module.base_model.state_dict(), load_module(tmp_path / "out").state_dict())
    (vectors,) = make_encoder(str(tmp_path / "out")).predict(docs_of(PLAIN))
    assert vectors.shape == (len(docs_of(PLAIN)[0]), WIDTH)


def test_pooler_is_kept(tiny_backbone: str, tmp_path: Path) -> None:
    from transformers import AutoModel

    masked = load_masked_lm(Path(tiny_backbone))
    assert set(masked.pooler) == {"pooler.dense.weight", "pooler.dense.bias"}
    save_masked_lm(masked, tmp_path / "out")
    before, after = (AutoModel.from_pretrained(path).pooler.dense for path in (tiny_backbone, tmp_path / "out"))
    assert torch.equal(before.weight, after.weight)
    assert torch.equal(before.bias, after.bias)


def test_pooler_is_not_invented(tiny_backbone: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_backbone, tmp_path / "bare"))
    load_module(folder).save_pretrained(folder)
    assert not any("pooler" in name for name in load_file(folder / "model.safetensors"))
    masked = load_masked_lm(folder)
    assert masked.pooler == {}
    save_masked_lm(masked, tmp_path / "out")
    assert not any("pooler" in name for name in load_file(tmp_path / "out" / "model.safetensors"))


def test_new_head_depends_on_the_seed_alone(tiny_backbone: str) -> None:
    def head(seed: int) -> Any:
        torch.rand(1)
        state = torch.get_rng_state()
        module = load_masked_lm(Path(tiny_backbone), seed=seed).module
        assert torch.equal(torch.get_rng_state(), state)
        return module.cls.predictions.transform.dense.weight.detach().numpy()

    assert_array_equal(head(3), head(3))
    assert (head(3) != head(4)).any()


def test_missing_weights_of_the_encoder_are_an_error(tiny_backbone: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    folder = Path(shutil.copytree(tiny_backbone, tmp_path / "bare"))
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"CT005.*encoder\.layer\.1\.output\.dense\.weight"):
        load_masked_lm(folder)


def test_tokenizer_without_a_mask_is_an_error(tmp_path: Path) -> None:
    folder = Path(make_backbone("bert", tmp_path / "bert"))
    settings = (folder / "tokenizer_config.json").read_text(encoding="utf8").replace("BertTokenizer", "X")
    settings = settings.replace('"tokenizer_class": "X"', '"tokenizer_class": "PreTrainedTokenizerFast"')
    settings = settings.replace('"mask_token": "[MASK]"', '"mask_token": null')
    (folder / "tokenizer_config.json").write_text(settings, encoding="utf8")
    with pytest.raises(ValueError, match="CT551"):
        load_masked_lm(folder)


def test_architecture_without_a_head_is_an_error(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2Model

    folder = Path(make_backbone("roberta", tmp_path / "roberta"))
    GPT2Model(GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=400)).save_pretrained(folder)
    with pytest.raises(ValueError, match=r"CT550.*gpt2"):
        load_masked_lm(folder)
