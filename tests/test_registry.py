"""Entry points: every name loads, spaCy finds it, and the list of names changes on purpose only."""

import re
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import spacy
from spacy.language import Language

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# The groups that spaCy and Thinc really read, and the registry behind each.
REGISTRIES = {
    "spacy_architectures": "architectures",
    "spacy_scorers": "scorers",
    "spacy_augmenters": "augmenters",
    "spacy_batchers": "batchers",
    "spacy_readers": "readers",
    "spacy_callbacks": "callbacks",
    "spacy_loggers": "loggers",
    "spacy_misc": "misc",
    "spacy_cli": "cli",
    "thinc_layers": "layers",
    "thinc_optimizers": "optimizers",
    "thinc_schedules": "schedules",
    "thinc_losses": "losses",
    "thinc_initializers": "initializers",
}
FACTORIES = "spacy_factories"
NAME = re.compile(r"spacy-ctxtag\.[A-Za-z0-9_]+\.v[1-9]\d*")
SHORT_NAME = re.compile(r"ctx(_[a-z]+)*")

# Every registered name. A released name is never removed: pipelines that are already trained refer to it.
SNAPSHOT = [
    "spacy_architectures: spacy-ctxtag.Encoder.v1",
    "spacy_architectures: spacy-ctxtag.Features.v1",
    "spacy_architectures: spacy-ctxtag.LayerMix.v1",
    "spacy_architectures: spacy-ctxtag.NER.v1",
    "spacy_architectures: spacy-ctxtag.Tagger.v1",
    "spacy_augmenters: spacy-ctxtag.Casing.v1",
    "spacy_augmenters: spacy-ctxtag.Chain.v1",
    "spacy_augmenters: spacy-ctxtag.CharNoise.v1",
    "spacy_augmenters: spacy-ctxtag.MaskTokens.v1",
    "spacy_augmenters: spacy-ctxtag.Paraphrase.v1",
    "spacy_augmenters: spacy-ctxtag.Punctuation.v1",
    "spacy_augmenters: spacy-ctxtag.ReplaceMentions.v1",
    "spacy_augmenters: spacy-ctxtag.Spaces.v1",
    "spacy_augmenters: spacy-ctxtag.Synonyms.v1",
    "spacy_batchers: spacy-ctxtag.batch_by_pieces.v1",
    "spacy_callbacks: spacy-ctxtag.Requirements.v1",
    "spacy_callbacks: spacy-ctxtag.WatchWeights.v1",
    "spacy_cli: ctx",
    "spacy_factories: ctx_chunker",
    "spacy_factories: ctx_cleaner",
    "spacy_factories: ctx_encoder",
    "spacy_factories: ctx_ner",
    "spacy_factories: ctx_tagger",
    "spacy_loggers: spacy-ctxtag.JSONL.v1",
    "spacy_loggers: spacy-ctxtag.MLflow.v1",
    "spacy_misc: spacy-ctxtag.Backbone.v1",
    "spacy_misc: spacy-ctxtag.MiniLM.v1",
    "spacy_misc: spacy-ctxtag.ParaphraseFile.v1",
    "spacy_misc: spacy-ctxtag.Text2Text.v1",
    "spacy_readers: spacy-ctxtag.AugmentedCorpus.v1",
    "spacy_readers: spacy-ctxtag.Corpus.v1",
    "spacy_readers: spacy-ctxtag.JoinedCorpora.v1",
    "spacy_readers: spacy-ctxtag.MixedCorpora.v1",
    "spacy_readers: spacy-ctxtag.RareLabels.v1",
    "spacy_scorers: spacy-ctxtag.chunker_scorer.v1",
    "spacy_scorers: spacy-ctxtag.ner_scorer.v1",
    "spacy_scorers: spacy-ctxtag.parser_scorer.v1",
    "spacy_scorers: spacy-ctxtag.tagger_scorer.v1",
    "thinc_layers: spacy-ctxtag.BiLSTM.v1",
    "thinc_layers: spacy-ctxtag.CharCNN.v1",
    "thinc_layers: spacy-ctxtag.Orthography.v1",
    "thinc_layers: spacy-ctxtag.StaticVectors.v1",
    "thinc_optimizers: spacy-ctxtag.Adam.v1",
    "thinc_schedules: spacy-ctxtag.warmup_linear.v1",
]

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
DECLARED = {
    f"{group}: {name}": (group, name, target)
    for group, targets in PROJECT.get("entry-points", {}).items()
    for name, target in targets.items()
}


def test_registry_names_are_those_of_the_snapshot() -> None:
    assert sorted(DECLARED) == sorted(SNAPSHOT)


def test_registry_groups_are_read_by_somebody() -> None:
    assert {group for group, _, _ in DECLARED.values()} <= {FACTORIES, *REGISTRIES}


@pytest.mark.parametrize("entry", DECLARED)
def test_registry_name_has_the_form_of_its_group(entry: str) -> None:
    group, name, _target = DECLARED[entry]
    pattern = SHORT_NAME if group in {FACTORIES, "spacy_cli"} else NAME
    assert pattern.fullmatch(name)


@pytest.mark.parametrize("entry", DECLARED)
def test_registry_entry_point_is_installed(entry: str) -> None:
    group, name, target = DECLARED[entry]
    installed = [point.value for point in entry_points(group=group, name=name)]
    assert installed == [target], "the installed metadata is older than pyproject.toml: install the project again"


@pytest.mark.parametrize("entry", DECLARED)
def test_registry_entry_point_is_what_spacy_finds(entry: str) -> None:
    group, name, _target = DECLARED[entry]
    (point,) = entry_points(group=group, name=name)
    if group == FACTORIES:
        nlp = spacy.blank("en")
        assert nlp.has_factory(name)
        assert Language.get_factory_meta(name).factory == name
        assert callable(point.load())
    else:
        assert getattr(spacy.registry, REGISTRIES[group]).get(name) is point.load()
