"""Components of spaCy learn from variants in which some of the annotation is missing."""

import math
from pathlib import Path

import spacy
from augment_helpers import example_of, rich_doc
from spacy import registry
from thinc.api import fix_random_seed


def test_variants_with_missing_heads_tags_and_entities_are_learned_from(tmp_path: Path) -> None:
    (tmp_path / "names.tsv").write_text("PERSON\tGrace Brewster Hopper\nLOC\tNew York City\n", encoding="utf8")
    make = registry.augmenters.get
    augmenter = make("spacy-ctxtag.Chain.v1")(
        make("spacy-ctxtag.ReplaceMentions.v1")(level=0.7, gazetteer=tmp_path / "names.tsv"),
        make("spacy-ctxtag.Spaces.v1")(level=0.5, rate=0.3),
        make("spacy-ctxtag.CharNoise.v1")(rate=0.3),
        copies=8,
        keep_original=True,
    )
    fix_random_seed(0)
    nlp = spacy.blank("en")
    for name in ("tagger", "parser", "senter", "ner", "spancat"):
        nlp.add_pipe(name, config={"spancat": {"spans_key": "chunks"}, "parser": {"min_action_freq": 1}}.get(name, {}))
    examples = list(augmenter(nlp, example_of(nlp, rich_doc(nlp))))
    assert any(not token.has_head() and not token.tag_ for eg in examples for token in eg.reference)
    nlp.initialize(lambda: examples)
    losses = [nlp.update(examples, losses={}) for _ in range(5)]
    for name in nlp.pipe_names:
        assert all(math.isfinite(each[name]) for each in losses)
        assert losses[-1][name] < losses[0][name]
