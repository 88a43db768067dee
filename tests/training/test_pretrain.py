"""Pretraining on raw text: it learns, it can be killed, and what it writes is a backbone."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from backbones import LINES, make_backbone
from pipelines import encoder, head, make_examples, train
from safetensors.torch import load_file, save_file
from spacy.training.initialize import init_nlp
from spacy.util import load_config

from spacy_ctxtag.deploy.measure import encoders_of
from spacy_ctxtag.exceptions import TrainingError
from spacy_ctxtag.layers.backbone import Backbone
from spacy_ctxtag.layers.hf_mlm import MaskedLM, load_masked_lm
from spacy_ctxtag.layers.hf_weights import load_module
from spacy_ctxtag.training import pretrain_loop as module
from spacy_ctxtag.training.lock import locked
from spacy_ctxtag.training.pretrain import pretrain
from spacy_ctxtag.training.pretrain_files import RunFiles
from spacy_ctxtag.training.pretrain_loop import Pretraining, warmup_linear
from spacy_ctxtag.training.pretrain_settings import Settings

pytestmark = pytest.mark.backbone

ROOT = Path(__file__).parents[2]
KINDS = ["bert", "roberta"]
QUICK: dict[str, Any] = {"steps": 8, "head_steps": 4, "batch_pieces": 128, "window": 40, "save_every": 3}
LEARNS: dict[str, Any] = {
    "steps": 60,
    "head_steps": 30,
    "learn_rate": 0.01,
    "head_learn_rate": 0.02,
    "batch_pieces": 512,
    "dev_share": 0.2,
    "save_every": 1000,
}
FIELDS = Settings.__dataclass_fields__


class Killed(BaseException):
    """A run that is cut off."""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("raw") / "raw.jsonl"
    texts = [f"{line} {other}" for line in LINES for other in LINES]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf8")
    return path


def run(raw: Path, output: Path, backbone: str, **options: Any) -> dict[str, Any]:
    settings = Settings(**{**QUICK, **{name: options.pop(name) for name in list(options) if name in FIELDS}})
    return pretrain([raw], output, Backbone(backbone), settings, **options)


def weights(output: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(output / "model.safetensors"))


def equal(left: Path, right: Path) -> bool:
    first, second = weights(left), weights(right)
    return first.keys() == second.keys() and all(torch.equal(values, second[name]) for name, values in first.items())


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Cut the next run off before it takes this step."""
    learn = Pretraining._learn

    def until(self: Pretraining, at: int, *args: Any) -> float:
        if at == step:
            raise Killed
        return learn(self, at, *args)

    monkeypatch.setattr(Pretraining, "_learn", until)


# Learning


@pytest.mark.parametrize("kind", KINDS)
def test_pretrain_perplexity_falls(raw: Path, tiny_backbones: dict[str, str], tmp_path: Path, kind: str) -> None:
    report = run(raw, tmp_path / "out", tiny_backbones[kind], **LEARNS)
    before, after_head, after = report["perplexity"].values()
    assert before > 1.5 * after_head
    assert after_head > 1.5 * after
    assert report == json.loads((tmp_path / "out" / "pretrain.json").read_text(encoding="utf8"))


@pytest.mark.parametrize("kind", KINDS)
def test_pretrain_result_is_a_backbone(raw: Path, tiny_backbones: dict[str, str], tmp_path: Path, kind: str) -> None:
    run(raw, tmp_path / "out", tiny_backbones[kind])
    before, after = (load_module(Path(path)).state_dict() for path in (tiny_backbones[kind], tmp_path / "out"))
    assert before.keys() == after.keys()
    assert any(not torch.equal(values, after[name]) for name, values in before.items())
    nlp = spacy.blank("en")
    nlp.add_pipe("ctx_ner", config=head("ctx_ner", encoder(str(tmp_path / "out"))))
    train(nlp, make_examples(nlp))
    assert len(nlp("Ada wrote to Charles in London .").ents) == 3


def test_pretrain_head_alone_leaves_the_encoder(raw: Path, tiny_backbone: str, tmp_path: Path) -> None:
    masked = load_masked_lm(Path(tiny_backbone))
    training = Pretraining(masked, [raw], ["held out"], Settings(**{**QUICK, "head_steps": 100, "steps": 1}))
    before = {name: values.clone() for name, values in masked.module.state_dict().items()}
    batches = training.stream.batches(training.position)
    for step in range(5):
        training._learn(step, batches)
    inside = set(map(id, masked.module.base_model.parameters()))
    for name, values in masked.module.named_parameters(remove_duplicate=False):
        assert torch.equal(values, before[name]) == (id(values) in inside), name


def test_pretrain_head_is_learned_first_where_there_is_none(raw: Path, tiny_backbone: str, tmp_path: Path) -> None:
    first = run(raw, tmp_path / "one", tiny_backbone, head_steps=None)
    assert (first["head"], first["head_steps"]) == ("new", 8)
    second = run(raw, tmp_path / "two", str(tmp_path / "one"), head_steps=None)
    assert (second["head"], second["head_steps"], second["perplexity"]["after_head"]) == ("found", 0, None)
    assert second["perplexity"]["before"] == pytest.approx(first["perplexity"]["after"])


def test_pretrain_same_seed_same_weights(raw: Path, tiny_backbone: str, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.rand(1)  # the state that it finds does not matter
        run(raw, tmp_path / name, tiny_backbone, seed=seed)
    assert equal(tmp_path / "a", tmp_path / "b")
    assert not equal(tmp_path / "a", tmp_path / "c")


def test_pretrain_measures_under_the_same_masks(raw: Path, tiny_backbone: str, tmp_path: Path) -> None:
    one = run(raw, tmp_path / "a", tiny_backbone)
    other = run(raw, tmp_path / "b", tiny_backbone, batch_pieces=64, steps=1)
    assert other["masked_pieces"] == one["masked_pieces"] > 0
    assert other["perplexity"]["before"] == pytest.approx(one["perplexity"]["before"])


def test_pretrain_accumulates_as_one_large_batch(raw: Path, steady_backbone: str) -> None:
    found = []
    for accumulate in (1, 3):
        masked = load_masked_lm(Path(steady_backbone))
        settings = Settings(**{**QUICK, "head_steps": 0, "accumulate": accumulate, "batch_pieces": 100})
        training = Pretraining(masked, [raw], ["held out"], settings)
        rows = [rows for rows, _ in islice(training.stream.batches(training.position), 3)]
        chunks = rows if accumulate == 3 else [[row for each in rows for row in each]]
        gradients: dict[str, Any] = {}

        def remember(masked: MaskedLM = masked, gradients: dict[str, Any] = gradients) -> None:
            gradients.update({name: values.grad.clone() for name, values in masked.module.named_parameters()})

        training.optimizer.step = remember
        loss = training._learn(0, iter([(chunk, training.position) for chunk in chunks]))
        found.append((loss, gradients))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    for name, values in found[0][1].items():
        torch.testing.assert_close(values, found[1][1][name], rtol=1e-4, atol=1e-5)


def test_pretrain_in_bf16(raw: Path, tiny_backbone: str, tmp_path: Path) -> None:
    report = run(raw, tmp_path / "out", tiny_backbone, train_precision="bf16", **LEARNS)
    assert 2 * report["perplexity"]["after"] < report["perplexity"]["before"]
    assert {values.dtype for values in weights(tmp_path / "out").values()} == {torch.float32}
    run(raw, tmp_path / "fp32", tiny_backbone, **LEARNS)
    assert not equal(tmp_path / "out", tmp_path / "fp32")


def test_pretrain_in_fp16_on_a_cpu_is_refused(raw: Path, tiny_backbone: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="CT017"):
        run(raw, tmp_path / "out", tiny_backbone, train_precision="fp16")


def test_pretrain_loss_that_is_no_number_is_an_error(
    raw: Path, tiny_backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "predict_masked", spoiled(module.predict_masked))
    with pytest.raises(ValueError, match=r"CT558.*step 1"):
        run(raw, tmp_path / "out", tiny_backbone)
    assert not (tmp_path / "out").exists()


def spoiled(predict: Callable[..., Any]) -> Callable[..., Any]:
    return lambda network, *args: predict(network, *args) * (float("nan") if network.training else 1.0)


def test_pretrain_held_out_texts_are_not_learned(raw: Path, tiny_backbone: str, tmp_path: Path) -> None:
    lines = [line for line in raw.read_text(encoding="utf8").splitlines() if line]
    dev = tmp_path / "dev.jsonl"
    dev.write_text("\n".join(lines[:10]), encoding="utf8")
    report = run(raw, tmp_path / "out", tiny_backbone, dev=dev)
    assert (report["texts"], report["held_out"], report["dev"][0][0]) == (26, 10, "dev.jsonl")


# Runs that are cut off


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [0, 2, 5, 9])
def test_pretrain_goes_on_as_if_nothing_had_happened(
    raw: Path,
    tiny_backbones: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    step: int,
) -> None:
    whole = run(raw, tmp_path / "whole", tiny_backbones[kind])
    with monkeypatch.context() as patch:
        kill_at(patch, step)
        with pytest.raises(Killed):
            run(raw, tmp_path / "out", tiny_backbones[kind])
    assert not (tmp_path / "out").exists()
    torch.rand(3)
    report = run(raw, tmp_path / "out", tiny_backbones[kind], resume=True)
    assert equal(tmp_path / "out", tmp_path / "whole")
    assert {**report, "seconds": 0} == {**whole, "seconds": 0}
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock") == ["out", "whole"]


KILL = """
import os, signal, sys
from pathlib import Path
import torch
from spacy.training.initialize import init_nlp
from spacy.util import load_config

from spacy_ctxtag.deploy.measure import encoders_of
from spacy_ctxtag.layers.backbone import Backbone
from spacy_ctxtag.training.pretrain import pretrain
from spacy_ctxtag.training.pretrain_settings import Settings

save, saved = torch.save, []

def write_a_part(state, path):
    if saved:
        Path(path).write_bytes(b"only a part")
        os.kill(os.getpid(), signal.SIGKILL)
    saved.append(path)
    save(state, path)

torch.save = write_a_part
pretrain([Path(sys.argv[1])], Path(sys.argv[2]), Backbone(sys.argv[3]), Settings(**eval(sys.argv[4])))
"""


def test_pretrain_goes_on_after_sigkill(raw: Path, tiny_backbone: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILL, str(raw), str(tmp_path / "out"), tiny_backbone, repr(QUICK)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    said: list[str] = []
    run(raw, tmp_path / "out", tiny_backbone, resume=True, say=said.append)
    assert "Going on from step 3 of 12" in said
    run(raw, tmp_path / "whole", tiny_backbone)
    assert equal(tmp_path / "out", tmp_path / "whole")


def cut_off(raw: Path, output: Path, backbone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        kill_at(patch, 5)
        with pytest.raises(Killed):
            run(raw, output, backbone)


def test_pretrain_run_that_was_cut_off_is_not_thrown_away(
    raw: Path, tiny_backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(raw, tmp_path / "out", tiny_backbone, monkeypatch)
    with pytest.raises(ValueError, match=r"CT556.*out\.partial"):
        run(raw, tmp_path / "out", tiny_backbone)
    run(raw, tmp_path / "out", tiny_backbone, force=True, seed=1)
    run(raw, tmp_path / "other", tiny_backbone, seed=1)
    assert equal(tmp_path / "out", tmp_path / "other")


def test_pretrain_leaves_a_run_alone_that_another_process_does(
    raw: Path, tiny_backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(raw, tmp_path / "out", tiny_backbone, monkeypatch)
    before = {path: path.read_bytes() for path in (tmp_path / "out.partial").iterdir()}
    with locked(tmp_path / "out", RunFiles(tmp_path / "out").lock):
        for options in ({}, {"resume": True}, {"force": True}):
            with pytest.raises(TrainingError, match=r"CT607.*out\b"):
                run(raw, tmp_path / "out", tiny_backbone, **options)
    assert {path: path.read_bytes() for path in (tmp_path / "out.partial").iterdir()} == before


def test_pretrain_goes_on_with_the_same_files_and_settings_only(
    raw: Path, tiny_backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copy(raw, tmp_path / "raw.jsonl"))
    cut_off(copy, tmp_path / "out", tiny_backbone, monkeypatch)
    with pytest.raises(ValueError, match=r"CT557.*seed was 0, is 3"):
        run(copy, tmp_path / "out", tiny_backbone, resume=True, seed=3)
    text = copy.read_text(encoding="utf8")
    for other in (text + '{"text": "more"}\n', text.replace("e", "o")):
        copy.write_text(other, encoding="utf8")
        with pytest.raises(ValueError, match=r"CT557.*files was"):
            run(copy, tmp_path / "out", tiny_backbone, resume=True)


def test_pretrain_goes_on_with_the_same_backbone_only(
    raw: Path, tiny_backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = Path(shutil.copytree(tiny_backbone, tmp_path / "backbone"))
    cut_off(raw, tmp_path / "out", str(backbone), monkeypatch)
    (backbone / "README.md").write_text("changes nothing", encoding="utf8")
    kept = Path(shutil.copytree(tmp_path / "out.partial", tmp_path / "kept.partial"))
    run(raw, tmp_path / "out", str(backbone), resume=True)
    kept.rename(tmp_path / "out2.partial")
    values = load_file(backbone / "model.safetensors")
    next(iter(values.values()))[...] += 1
    save_file(values, backbone / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"CT557.*backbone_sha256 was '\w+', is '\w+'"):
        run(raw, tmp_path / "out2", str(backbone), resume=True)


def test_pretrain_resume_of_nothing_begins_and_of_a_result_does_nothing(
    raw: Path, tiny_backbone: str, tmp_path: Path
) -> None:
    first = run(raw, tmp_path / "out", tiny_backbone, resume=True)
    said: list[str] = []
    assert run(raw, tmp_path / "out", tiny_backbone, resume=True, say=said.append) == first
    assert said == []
    with pytest.raises(ValueError, match=r"CT557.*seed was 0, is 3"):
        run(raw, tmp_path / "out", tiny_backbone, resume=True, seed=3)


def test_pretrain_replaces_its_own_result_by_force_only(raw: Path, tiny_backbone: str, tmp_path: Path) -> None:
    run(raw, tmp_path / "out", tiny_backbone)
    with pytest.raises(ValueError, match=r"CT555.*--force"):
        run(raw, tmp_path / "out", tiny_backbone, seed=1)
    run(raw, tmp_path / "out", tiny_backbone, seed=1, force=True)
    assert json.loads((tmp_path / "out" / "pretrain.json").read_text(encoding="utf8"))["settings"]["seed"] == 1


@pytest.mark.parametrize("what", ["file", "folder"])
def test_pretrain_replaces_nothing_else(raw: Path, tiny_backbone: str, tmp_path: Path, what: str) -> None:
    path = tmp_path / "out" / "thesis.txt" if what == "folder" else tmp_path / "out"
    path.parent.mkdir(exist_ok=True)
    path.write_text("x", encoding="utf8")
    with pytest.raises(ValueError, match="CT555"):
        run(raw, tmp_path / "out", tiny_backbone, force=True)
    assert path.read_text(encoding="utf8") == "x"


# Settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"head_steps": -1},
        {"learn_rate": 0.0},
        {"head_learn_rate": float("nan")},
        {"warmup": 1.5},
        {"weight_decay": -0.1},
        {"batch_pieces": 0},
        {"accumulate": 0},
        {"window": 3},
        {"mask_share": 0.0},
        {"mask_share": 1.0},
        {"train_precision": "int8"},
        {"seed": -1},
        {"save_every": 0},
        {"dev_share": 0.0},
        {"dev_texts": 0},
    ],
    ids=str,
)
def test_pretrain_wrong_setting_is_an_error(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=f"CT304.*{name}"):
        Settings(**{"steps": 10, **wrong})


def test_pretrain_rate_rises_and_falls() -> None:
    rates = [warmup_linear(at, 10, 0.3) for at in range(10)]
    assert rates[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert rates[3:] == pytest.approx([1.0, 6 / 7, 5 / 7, 4 / 7, 3 / 7, 2 / 7, 1 / 7])
    assert [warmup_linear(at, 2, 0.0) for at in range(2)] == [1.0, 0.5]
    assert warmup_linear(0, 1, 1.0) == 1.0


def test_pretrain_decays_matrices_only(tiny_backbone: str, raw: Path) -> None:
    training = Pretraining(load_masked_lm(Path(tiny_backbone)), [raw], ["held out"], Settings(steps=1))
    decayed, others = training.optimizer.param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.01, 0.0)
    assert {each.dim() for each in decayed["params"]} == {2}
    assert {each.dim() for each in others["params"]} == {1}
    assert len(decayed["params"]) + len(others["params"]) == len(list(training.module.parameters()))


def test_pretrain_reads_no_more_than_the_encoder_takes(tmp_path: Path, raw: Path) -> None:
    path = make_backbone("bert", tmp_path / "bert", max_position_embeddings=20)
    training = Pretraining(load_masked_lm(Path(path)), [raw], ["held out"], Settings(steps=1))
    assert training.stream.capacity == 18


def test_pretrain_result_is_taken_by_the_config_that_ships(
    raw: Path, corpus: Path, tiny_backbone: str, tmp_path: Path
) -> None:
    run(raw, tmp_path / "out", tiny_backbone)
    place = "components.ctx_ner.model.tok2vec.encoder.backbone"
    named = {f"{place}.@misc": "spacy-ctxtag.Backbone.v1", f"{place}.name": str(tmp_path / "out")}
    paths = {"paths.train": str(corpus), "paths.dev": str(corpus)}
    nlp = init_nlp(load_config(ROOT / "configs" / "ner.cfg", overrides={**named, **paths}))
    found = encoders_of(nlp.get_pipe("ctx_ner"))[0].module.state_dict()
    assert all(torch.equal(values, found[name]) for name, values in load_module(tmp_path / "out").state_dict().items())
