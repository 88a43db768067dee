"""The configs that ship: each is valid and complete, and trains on entities in one file and trees in another."""

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
from spacy.util import load_config, resolve_dot_names
from thinc.api import Config

from spacy_ctxtag.data.convert import convert

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.cfg"))
configs = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)

# A treebank of two sentences, which have no entities annotated.
TREES = """\
# text = The old engine broke.
1\tThe\tthe\tDET\tDT\t_\t3\tdet\t_\t_
2\told\told\tADJ\tJJ\t_\t3\tamod\t_\t_
3\tengine\tengine\tNOUN\tNN\t_\t4\tnsubj\t_\t_
4\tbroke\tbreak\tVERB\tVBD\t_\t0\troot\t_\tSpaceAfter=No
5\t.\t.\tPUNCT\t.\t_\t4\tpunct\t_\t_

# text = Nobody wrote to her today
1\tNobody\tnobody\tPRON\tNN\t_\t2\tnsubj\t_\t_
2\twrote\twrite\tVERB\tVBD\t_\t0\troot\t_\t_
3\tto\tto\tADP\tIN\t_\t4\tcase\t_\t_
4\ther\tshe\tPRON\tPRP\t_\t2\tobl\t_\t_
5\ttoday\ttoday\tNOUN\tNN\t_\t2\tobl\t_\t_
"""


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("configs")
    (folder / "trees.conllu").write_text(TREES, encoding="utf8")
    convert([folder / "trees.conllu"], folder / "corpus" / "trees.spacy", spacy.blank("en"))
    write_corpus(folder / "corpus" / "entities.spacy")
    return str(folder / "corpus")


def sections(config: dict[str, Any], prefix: str = "") -> set[str]:
    """RETURNS (set[str]): The names of all sections of a config."""
    found = {prefix + name for name, value in config.items() if isinstance(value, dict)}
    return found.union(*(sections(config[name.removeprefix(prefix)], f"{name}.") for name in list(found)))


def with_tiny_encoder(config: Config, backbone: str) -> Config:
    """Swap the weights of MiniLM, wherever the config names them, for those of a tiny encoder.

    A parser learns from what occurs once.
    """
    for component in config["components"].values():
        if "min_action_freq" in component:
            component["min_action_freq"] = 1
        model = component.get("model", {})
        for block in (model, model.get("tok2vec", {}).get("encoder", {})):
            if "backbone" in block:
                block["backbone"] = {"@misc": "spacy-ctxtag.Backbone.v1", "name": backbone}
            if "backbone" in block and "width" in block:
                block["width"] = WIDTH
    return config


def test_configs_are_there() -> None:
    assert {"joint.cfg", "multitask.cfg", "ner.cfg", "tagger.cfg"} <= {path.name for path in CONFIGS}


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
    assert training["optimizer"]["learn_rate"]["warmup"] > 0
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


@pytest.mark.backbone
def test_multitask_config_learns_every_layer_from_the_file_that_has_it(tiny_corpus: str, tiny_backbone: str) -> None:
    config = with_tiny_encoder(load_config(CONFIGS[0].with_name("multitask.cfg")), tiny_backbone)
    config["paths"].update(train=tiny_corpus, dev=tiny_corpus)
    config["training"].update(max_steps=80, eval_frequency=80, patience=0)
    config["training"]["optimizer"]["learn_rate"] = 0.02
    config["components"]["ctx_encoder"]["model"]["lr_scale"] = 0.5
    nlp = init_nlp(config)
    train(nlp, None, stdout=io.StringIO(), stderr=io.StringIO())
    examples = list(resolve_dot_names(nlp.config.interpolate(), ["corpora.dev"])[0](nlp))
    assert [eg.reference.has_annotation("ENT_IOB") for eg in examples].count(True) == 6
    assert [eg.reference.has_annotation("DEP") for eg in examples].count(True) == 2
    scores = nlp.evaluate(examples)
    for name in ("ents_f", "pos_acc", "spans_chunks_f", "dep_uas"):
        assert scores[name] > 0.9, name
