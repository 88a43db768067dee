"""The configs that ship: each is valid and complete, and trains."""

import io
from pathlib import Path
from typing import Any

import pytest
import spacy
from backbones import WIDTH
from pipelines import write_corpus
from spacy.cli.debug_config import debug_config
from spacy.cli.init_config import fill_config
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config
from thinc.api import Config

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.cfg"))
configs = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_corpus(tmp_path_factory.mktemp("configs") / "corpus.spacy"))


def sections(config: dict[str, Any], prefix: str = "") -> set[str]:
    """RETURNS (set[str]): The names of all sections of a config."""
    found = {prefix + name for name, value in config.items() if isinstance(value, dict)}
    return found.union(*(sections(config[name.removeprefix(prefix)], f"{name}.") for name in list(found)))


def with_tiny_encoder(config: Config, backbone: str) -> Config:
    """Swap the weights of MiniLM, wherever the config names them, for those of a tiny encoder."""
    for component in config["components"].values():
        model = component.get("model", {})
        for block in (model, model.get("tok2vec", {}).get("encoder", {})):
            if "backbone" in block:
                block["backbone"] = {"@misc": "spacy-ctxtag.Backbone.v1", "name": backbone}
            if "backbone" in block and "width" in block:
                block["width"] = WIDTH
    return config


def test_configs_are_there() -> None:
    assert {"joint.cfg", "ner.cfg", "tagger.cfg"} <= {path.name for path in CONFIGS}


@configs
def test_config_is_valid(path: Path, tiny_corpus: str, capsys: pytest.CaptureFixture[str]) -> None:
    debug_config(path, overrides={"paths.train": tiny_corpus, "paths.dev": tiny_corpus})
    assert "Config is valid" in capsys.readouterr().out


@configs
def test_config_is_complete(path: Path, tmp_path: Path) -> None:
    before, after = fill_config(tmp_path / "filled.cfg", path, silent=True)
    ours = sections(after["components"]) - sections(before["components"])
    assert {name for name in ours if not name.endswith(".scorer")} == set()
    assert set(after) - set(before) == set()


@configs
def test_config_has_what_training_a_transformer_needs(path: Path) -> None:
    training = load_config(path, interpolate=True)["training"]
    assert training["gpu_allocator"] == "pytorch"
    assert training["patience"] > 0
    assert training["optimizer"]["grad_clip"] == 1.0
    assert training["optimizer"]["learn_rate"]["warmup_steps"] > 0
    assert training["before_to_disk"] == {"@callbacks": "spacy-ctxtag.Requirements.v1"}


@pytest.mark.backbone
@configs
def test_config_trains(path: Path, tiny_corpus: str, tiny_backbone: str, tmp_path: Path) -> None:
    config = with_tiny_encoder(load_config(path), tiny_backbone)
    config["paths"].update(train=tiny_corpus, dev=tiny_corpus)
    config["training"].update(max_steps=2, eval_frequency=1)
    nlp = init_nlp(config)
    train(nlp, tmp_path, stdout=io.StringIO(), stderr=io.StringIO())
    trained = spacy.load(tmp_path / "model-best")
    assert trained.pipe_names == nlp.pipe_names
    assert any(req.startswith("spacy-ctxtag>=") and "<" not in req for req in trained.meta["requirements"])
    assert [doc.text for doc in trained.pipe(["Ada wrote to Charles in London .", ""])][1] == ""
