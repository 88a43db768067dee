"""The page on augmentation: its table shows what the augmenters do, and its config trains configs/ner.cfg."""

import io
import json
import re
from pathlib import Path

import pytest
import srsly
from augment_helpers import annotate, show
from pipelines import ENTITY_LABELS, write_corpus
from spacy import registry
from spacy.language import Language
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config
from thinc.api import Config

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "augmentation.md").read_text(encoding="utf8")
ROW = re.compile(r"^\| `(\w+)` \| `(\{.*?\})` \| `(.*?)` \| `(.*?)` \|$", re.MULTILINE)
FILE = re.compile(r"^`(\S+\.\w+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROWS = [match.groups() for match in ROW.finditer(PAGE)]


@pytest.fixture
def in_the_folder_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in FILE.findall(PAGE):
        (tmp_path / name).write_text(text, encoding="utf8")
    monkeypatch.chdir(tmp_path)


def test_page_shows_every_augmenter() -> None:
    names = {name.split(".")[1] for name in registry.augmenters.get_all() if name.startswith("spacy-ctxtag.")}
    assert {row[0] for row in ROWS} == names - {"Chain"}
    assert all(f"spacy-ctxtag.{name}.v1" in PAGE for name in names)


@pytest.mark.usefixtures("in_the_folder_of_the_files")
@pytest.mark.parametrize(("name", "settings", "before", "after"), ROWS, ids=[row[0] for row in ROWS])
def test_page_row_is_what_the_augmenter_does(nlp: Language, name: str, settings: str, before: str, after: str) -> None:
    block = {"@augmenters": f"spacy-ctxtag.{name}.v1", "level": 1.0, **json.loads(settings)}
    augmenter = registry.resolve({"augmenter": block})["augmenter"]
    (made,) = augmenter(nlp, annotate(nlp, before))
    assert show(made.reference) == after


@pytest.mark.backbone
@pytest.mark.usefixtures("in_the_folder_of_the_files")
def test_page_config_trains_the_config_that_ships(tiny_backbone: str, tmp_path: Path) -> None:
    block, labels = re.findall(r"^```ini\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    config = load_config(ROOT / "configs" / "ner.cfg").merge(
        Config().from_str("[corpora]\n\n" + block, interpolate=False)
    )
    corpus = str(write_corpus(tmp_path / "corpus.spacy", repeat=3))
    config["paths"].update(train=corpus, dev=corpus)
    config["training"].update(max_steps=3, eval_frequency=1)
    encoder = config["components"]["ctx_ner"]["model"]["tok2vec"]["encoder"]
    encoder["backbone"] = {"@misc": "spacy-ctxtag.Backbone.v1", "name": tiny_backbone}
    nlp = init_nlp(config)
    assert nlp.config["training"]["max_epochs"] == -1
    assert set(nlp.get_pipe("ctx_ner").labels) == set(ENTITY_LABELS)
    train(nlp, tmp_path, stdout=io.StringIO(), stderr=io.StringIO())
    assert (tmp_path / "model-last" / "ctx_ner").is_dir()

    named = config.merge(Config().from_str("[initialize]\n\n[initialize.components]\n\n" + labels, interpolate=False))
    srsly.write_json(tmp_path / "labels.json", ["ONE", "TWO"])
    named["initialize"]["components"]["ctx_ner"]["labels"]["path"] = str(tmp_path / "labels.json")
    assert init_nlp(named).get_pipe("ctx_ner").labels == ("ONE", "TWO")
