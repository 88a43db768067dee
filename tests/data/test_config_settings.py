"""What the settings of a config mean by themselves."""

from pathlib import Path

import pytest
from spacy.util import load_config

from spacy_ctxtag.data.config_settings import reads_the_same, unknown_settings

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.cfg"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configs_have_known_settings_and_a_plain_dev_corpus(path: Path) -> None:
    config = load_config(path, overrides={"paths.train": "a", "paths.dev": "b"}, interpolate=True)
    assert list(unknown_settings(config)) == []
    assert reads_the_same(config, config["training"]["dev_corpus"])


def test_settings_that_spacy_does_not_know_are_told_with_the_likely_one():
    config = {"training": {"max_step": 3, "zzz": 1, "patience": 2}}
    assert list(unknown_settings(config)) == [("max_step", " Is 'max_steps' meant?"), ("zzz", "")]
    for nothing in ({}, {"training": None}, {"training": 3}):
        assert list(unknown_settings(nothing)) == []


@pytest.mark.parametrize(
    ("corpus", "expected"),
    [
        ({"@readers": "spacy.Corpus.v1", "path": "a", "augmenter": None}, True),
        ({"@readers": "spacy-ctxtag.Corpus.v1", "path": "a"}, True),
        ({"@readers": "spacy.Corpus.v1", "augmenter": {"@augmenters": "spacy.lower_case.v1", "level": 0.1}}, False),
        ({"@readers": "my.Corpus.v1"}, False),
        ({"path": "a"}, False),
        (None, False),
    ],
)
def test_reads_the_same_of_plain_readers_only(corpus, expected):
    assert reads_the_same({"corpora": {"dev": corpus}}, "corpora.dev") is expected


def test_one_reader_of_several_corpora_may_have_a_place():
    assert not reads_the_same({"corpora": {"@readers": "my.Corpora.v1"}}, "corpora.dev")
