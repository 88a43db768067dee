"""What all heads promise as trainable components of spaCy."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from pipelines import (
    CHUNK_KEYS,
    CHUNKS,
    ENTITY_LABELS,
    HEADS,
    KINDS,
    LINES,
    SETTINGS,
    annotation,
    encoder,
    head,
    make_examples,
    make_pipeline,
    make_reference,
    parameters,
    probabilities,
    train,
    weights,
)
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import SGD

heads = pytest.mark.parametrize("kind", KINDS)
NEW = "Nina/NN-P:new-label met/vérb Zed/NN-P:new-label ./."


def gold(kind: str, nlp: Language) -> list[Any]:
    return [annotation(kind, make_reference(nlp, line)) for line in LINES]


def guesses(kind: str, nlp: Language) -> list[Any]:
    return [annotation(kind, doc) for doc in nlp.pipe(eg.predicted.copy() for eg in make_examples(nlp))]


@pytest.mark.backbone
@heads
def test_head_overfit(kind: str, trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained[kind])
    assert guesses(kind, nlp) == gold(kind, nlp)


@pytest.mark.parametrize("kind", HEADS)
def test_joint_pipeline_overfit(kind: str, trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained["joint"])
    assert guesses(kind, nlp) == gold(kind, nlp)


@pytest.fixture(scope="session")
def unusual(tiny_backbone: str) -> dict[str, Language]:
    """Trained heads of which no setting is the default."""
    pipelines = {}
    for kind in KINDS:
        nlp = spacy.blank("en")
        nlp.add_pipe("sentencizer")
        config = head(kind, encoder(tiny_backbone, window=24, overlap=8, pooling="first"), **SETTINGS[kind])
        config["model"]["tok2vec"].update(fusion="gate", width=20)
        nlp.add_pipe(kind, config=config)
        train(nlp, make_examples(nlp))
        pipelines[kind] = nlp
    return pipelines


def predicted(kind: str, nlp: Language) -> list[Any]:
    docs = [nlp(" ".join(token.text for token in make_reference(nlp, line))) for line in LINES]
    return [(annotation(kind, doc), probabilities(kind, doc)) for doc in docs]


@pytest.mark.backbone
@heads
@pytest.mark.parametrize("way", ["disk", "bytes", "pickle", "component"])
def test_head_round_trip(kind: str, way: str, unusual: dict[str, Language], tmp_path: Path) -> None:
    nlp = unusual[kind]
    if way == "disk":
        nlp.to_disk(tmp_path)
        again = spacy.load(tmp_path)
    elif way == "pickle":
        again = pickle.loads(pickle.dumps(nlp))
    else:
        again = spacy.util.load_model_from_config(nlp.config)
        if way == "bytes":
            again.from_bytes(nlp.to_bytes())
        else:
            again.get_pipe(kind).from_bytes(nlp.get_pipe(kind).to_bytes())
    assert again.config.to_str() == nlp.config.to_str()
    for setting, value in SETTINGS[kind].items():
        pipe = again.get_pipe(kind)
        assert (pipe.cfg[setting] if setting == "threshold" else getattr(pipe, setting)) == value
    assert again.get_pipe(kind).labels == nlp.get_pipe(kind).labels
    assert predicted(kind, again) == predicted(kind, nlp)


@heads
def test_head_config_round_trip(kind: str, unusual: dict[str, Language], tmp_path: Path) -> None:
    config = unusual[kind].config
    config.to_disk(tmp_path / "config.cfg")
    again = spacy.util.load_model_from_config(spacy.util.load_config(tmp_path / "config.cfg"))
    component = again.config["components"][kind]
    assert component == config["components"][kind]
    assert component["model"]["tok2vec"]["fusion"] == "gate"
    assert {setting: component[setting] for setting in SETTINGS[kind]} == SETTINGS[kind]


@heads
def test_head_excluded_parts_are_not_saved(kind: str, unusual: dict[str, Language], tmp_path: Path) -> None:
    unusual[kind].get_pipe(kind).to_disk(tmp_path / "pipe", exclude=["model", "vocab"])
    assert sorted(path.name for path in (tmp_path / "pipe").iterdir()) == ["cfg"]


@heads
def test_head_works_alone_with_its_defaults(kind: str, tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe(kind)
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    losses = [nlp.update(examples, sgd=optimizer)[kind] for _ in range(4)]
    assert losses[-1] < losses[0]
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path)
    assert guesses(kind, again) == guesses(kind, nlp)


@heads
@pytest.mark.parametrize("texts", [[""], [" \n\t "], ["", ""], ["Ada wrote.", "", "  "]], ids=repr)
def test_head_predicts_empty_docs(kind: str, texts: list[str], trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained[kind])
    docs = list(nlp.pipe(texts))
    assert [doc.text for doc in docs] == texts
    assert [nlp(text).to_json() for text in texts] == [doc.to_json() for doc in docs]
    if kind == "ctx_ner":
        assert not any(doc.ents for doc in docs if not doc.text.strip())
    elif kind == "ctx_chunker":
        assert not any(doc.spans["chunks"] for doc in docs if not doc.text.strip())
    else:
        assert {token.tag_ for doc in docs for token in doc if token.is_space} <= {"_SP"}


@heads
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("words", [[[]], [[], []], [[" "]], [[" "], []]], ids=repr)
def test_head_learns_nothing_from_empty_docs(
    kind: str, shared: bool, words: list[list[str]], tiny_backbone: str
) -> None:
    nlp = make_pipeline([kind], tiny_backbone, shared=shared)
    nlp.initialize(lambda: make_examples(nlp))
    before = weights(nlp)
    refs = [Doc(nlp.vocab, each, ents=["O"] * len(each)) for each in words]
    for ref in refs:
        ref.spans["chunks"] = []
    losses = nlp.update([Example(Doc(nlp.vocab, each), ref) for each, ref in zip(words, refs, strict=True)], sgd=False)
    nlp.get_pipe(kind).finish_update(nlp.create_optimizer())
    assert losses[kind] == 0.0
    assert weights(nlp) == before


@heads
def test_head_labels_are_read_off_the_data_in_order(kind: str, tiny_backbone: str) -> None:
    nlp = make_pipeline([kind], tiny_backbone)
    examples = make_examples(nlp)
    nlp.initialize(lambda: reversed(examples))
    tags = ("NN-P", "vérb", "a b", "noun", ".")
    expected = {"ctx_ner": ENTITY_LABELS, "ctx_tagger": tags, "ctx_chunker": CHUNKS.values()}
    assert list(nlp.get_pipe(kind).labels) == sorted(expected[kind])


@heads
def test_head_labels_given_keep_their_order(kind: str, tiny_backbone: str) -> None:
    nlp = make_pipeline([kind], tiny_backbone)
    nlp.config["initialize"]["components"][kind] = {"labels": ["z", "noun", "a-é", "a b"]}
    nlp.initialize(lambda: make_examples(nlp))
    assert nlp.get_pipe(kind).labels == nlp.get_pipe(kind).label_data == ("z", "noun", "a-é", "a b")


@heads
def test_head_labels_added_before_come_first(kind: str, tiny_backbone: str) -> None:
    nlp = make_pipeline([kind], tiny_backbone)
    pipe = nlp.get_pipe(kind)
    assert (pipe.add_label("zz top"), pipe.add_label("zz top")) == (1, 0)
    nlp.initialize(lambda: make_examples(nlp))
    assert pipe.labels[0] == "zz top"
    assert list(pipe.labels[1:]) == sorted(pipe.labels[1:])
    nlp("It predicts.")


@heads
def test_head_label_added_after_training_changes_little(kind: str, trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained[kind])
    before = predicted(kind, nlp)
    assert nlp.get_pipe(kind).add_label("new-label") == 1
    after = predicted(kind, nlp)
    assert [found for found, _ in after] == [found for found, _ in before]
    for (_, old), (_, new) in zip(before, after, strict=True):
        assert new == pytest.approx(old, abs=0.01)


@heads
def test_head_label_added_after_training_is_learned(kind: str, trained: dict[str, Path], tmp_path: Path) -> None:
    nlp = spacy.load(trained[kind])
    nlp.get_pipe(kind).add_label("new-label")
    examples = make_examples_with_new_label(kind, nlp)
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.02
    for _ in range(60):
        nlp.update(examples, sgd=optimizer)
    nlp.to_disk(tmp_path)
    for pipeline in (nlp, spacy.load(tmp_path)):
        doc = pipeline(examples[-1].predicted.copy())
        assert annotation(kind, doc) == annotation(kind, examples[-1].reference)
        assert guesses(kind, pipeline) == gold(kind, pipeline)


def make_examples_with_new_label(kind: str, nlp: Language) -> list[Example]:
    if kind != "ctx_tagger":
        examples = make_examples(nlp, [*LINES, NEW])
        for key in CHUNK_KEYS:
            ref = examples[-1].reference
            ref.spans[key] = ref.ents
        return examples
    words, tags = zip(*(piece.replace("NN-P:", "").rsplit("/", 1) for piece in NEW.split()), strict=True)
    return [*make_examples(nlp), Example(Doc(nlp.vocab, words), Doc(nlp.vocab, words, tags=list(tags)))]


def test_ner_that_goes_on_says_which_labels_it_does_not_know(trained: dict[str, Path]) -> None:
    kind = "ctx_ner"
    nlp = spacy.load(trained[kind])
    examples, optimizer = make_examples_with_new_label(kind, nlp), nlp.resume_training()
    with pytest.warns(UserWarning, match=rf"CW420.*'{kind}'.*labels new-label,"):
        nlp.update(examples, sgd=optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp.update(examples, sgd=optimizer)  # it is told once
        others = spacy.load(trained[kind])
        others.get_pipe(kind).add_label("new-label")
        others.update(examples, sgd=others.resume_training())


@heads
def test_head_label_added_in_the_midst_of_training(kind: str, tiny_backbone: str) -> None:
    nlp = make_pipeline([kind], tiny_backbone)
    examples = make_examples(nlp)
    optimizer = train(nlp, examples, steps=2)
    nlp.get_pipe(kind).add_label("new-label")
    before = weights(nlp)
    nlp.update(examples, sgd=optimizer)
    assert weights(nlp) != before


@heads
def test_head_initialized_again_starts_afresh(kind: str, trained: dict[str, Path], tiny_backbone: str) -> None:
    nlp = spacy.load(trained[kind])
    labels = nlp.get_pipe(kind).labels
    train(nlp, make_examples(nlp), steps=2)
    fresh = make_pipeline([kind], tiny_backbone)
    train(fresh, make_examples(fresh), steps=2)
    assert nlp.get_pipe(kind).labels == labels
    assert weights(nlp) == weights(fresh)


@heads
def test_head_update_without_the_pipeline(kind: str, trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained[kind])
    pipe, examples = nlp.get_pipe(kind), make_examples(nlp)
    losses = pipe.update(examples, sgd=nlp.create_optimizer())
    assert losses[kind] > 0
    assert pipe.update(examples, losses=losses) is losses


@heads
@pytest.mark.parametrize("shared", [False, True])
def test_head_gradient_accumulation_equals_one_batch(kind: str, shared: bool, steady_backbone: str) -> None:
    batches = [[slice(0, 6)], [slice(0, 2), slice(2, 6)]]
    one, other = (make_pipeline([kind], steady_backbone, shared=shared) for _ in batches)
    for nlp, parts in zip((one, other), batches, strict=True):
        examples = make_examples(nlp)
        train(nlp, examples, steps=3)
        for part in parts:
            nlp.update(examples[part], sgd=False)
        for _, pipe in nlp.pipeline:
            pipe.finish_update(SGD(0.1))
    for (name, values), (_, expected) in zip(parameters(one), parameters(other), strict=True):
        np.testing.assert_allclose(values, expected, atol=1e-5, err_msg=name)
