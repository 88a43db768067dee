"""`ctx_encoder` with its listeners, ours and spaCy's, and our heads on the encoders of others."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from backbones import WIDTH
from pipelines import (
    HEADS,
    LINES,
    LISTENER,
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
from thinc.api import SGD, Adam, fix_random_seed

heads = pytest.mark.parametrize("kind", HEADS)


def assert_equal_weights(one: Language, other: Language) -> None:
    for (name, values), (_, expected) in zip(parameters(one), parameters(other), strict=True):
        np.testing.assert_allclose(values, expected, atol=1e-6, err_msg=name)


def without_ents(nlp: Language) -> list[Example]:
    """The corpus without entity annotation: ctx_ner skips it."""
    examples = make_examples(nlp)
    for eg in examples:
        eg.reference = Doc(nlp.vocab, [t.text for t in eg.reference], tags=[t.tag_ for t in eg.reference])
    return [Example(eg.predicted, eg.reference) for eg in examples]


def clone(nlp: Language) -> Language:
    return spacy.util.load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())


def gradients(nlp: Language) -> dict[str, Any]:
    """The encoder's gradients, after it has gone backward."""
    pipe = nlp.get_pipe("ctx_encoder")
    pipe._go_backward()
    named = pipe.model.shims[0].module.named_parameters()
    return {name: values.grad.numpy().copy() for name, values in named if values.grad is not None}


@pytest.fixture(scope="session")
def steady(steady_backbone: str) -> bytes:
    """A joint pipeline without any randomness, a little trained, pickled."""
    nlp = make_pipeline(HEADS, steady_backbone, shared=True)
    train(nlp, make_examples(nlp), steps=3)
    return pickle.dumps(nlp)


@pytest.mark.backbone
def test_encoder_gradient_is_the_sum_of_its_listeners(steady: bytes) -> None:
    both: Language = pickle.loads(steady)
    both.update(make_examples(both), sgd=False)
    parts = []
    for kind in HEADS:
        nlp: Language = pickle.loads(steady)
        nlp.update(make_examples(nlp), sgd=False, exclude=[other for other in HEADS if other != kind])
        parts.append(gradients(nlp))
    got = gradients(both)
    assert len(got) > 10
    for name, values in got.items():
        np.testing.assert_allclose(values, sum(part[name] for part in parts), rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("order", [list(HEADS), list(reversed(HEADS))], ids=["first", "last"])
def test_encoder_keeps_gradients_when_a_listener_skips_the_batch(order: list[str], steady_backbone: str) -> None:
    nlp = make_pipeline(order, steady_backbone, shared=True)
    train(nlp, make_examples(nlp), steps=1)
    alone = clone(nlp)
    nlp.update(without_ents(nlp), sgd=False)  # ctx_ner skips it
    alone.update(without_ents(alone), sgd=False, exclude=["ctx_ner"])
    got, expected = gradients(nlp), gradients(alone)
    assert len(got) > 10
    for name, values in got.items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)


def test_encoder_learns_nothing_when_all_listeners_skip_the_batch(steady: bytes) -> None:
    nlp: Language = pickle.loads(steady)
    before = weights(nlp)
    examples = [Example(nlp.make_doc("Nothing is annotated."), nlp.make_doc("Nothing is annotated."))]
    losses = nlp.update(examples, sgd=Adam(0.1, L2=0.0))
    nlp("Predicts.")
    assert losses == {"ctx_encoder": 0.0, "ctx_ner": 0.0, "ctx_tagger": 0.0}
    assert weights(nlp) == before


def test_encoder_skipped_last_part_loses_no_gradient_of_the_first(steady: bytes) -> None:
    nlp, alone = pickle.loads(steady), pickle.loads(steady)
    for pipeline in (nlp, alone):
        pipeline.update(make_examples(pipeline), sgd=False)
    nlp.update([Example(nlp.make_doc("Not annotated."), nlp.make_doc("Not annotated."))], sgd=False)
    for pipeline in (nlp, alone):
        for _, pipe in pipeline.pipeline:
            pipe.finish_update(SGD(0.1))
    assert_equal_weights(nlp, alone)


@pytest.mark.backbone
def test_encoder_step_asked_for_early_equals_a_step_afterwards(steady: bytes) -> None:
    early, after = pickle.loads(steady), pickle.loads(steady)
    optimizers = Adam(0.01), Adam(0.01)
    for _ in range(3):
        early.update(make_examples(early), sgd=optimizers[0])
        after.update(make_examples(after), sgd=False)
        for _, pipe in after.pipeline:
            pipe.finish_update(optimizers[1])
    assert_equal_weights(early, after)


def late_predict(nlp: Language) -> None:
    nlp("Ada wrote.")


def late_save(nlp: Language) -> None:
    nlp.get_pipe("ctx_encoder").to_bytes()


def late_pickle(nlp: Language) -> None:
    pickle.dumps(nlp)


def late_average(nlp: Language) -> None:
    with nlp.use_params({(0, "W"): np.zeros(1)}):
        pass


def late_copy(nlp: Language) -> None:
    nlp.replace_listeners("ctx_encoder", "ctx_tagger", ["model.tok2vec.encoder"])


@pytest.mark.parametrize("use", [late_predict, late_save, late_pickle, late_average, late_copy])
def test_encoder_last_step_is_done_before_its_weights_are_used(use: Callable[[Language], None], steady: bytes) -> None:
    nlp: Language = pickle.loads(steady)
    module = nlp.get_pipe("ctx_encoder").model.shims[0].module
    before = module.embeddings.word_embeddings.weight.detach().numpy().copy()
    nlp.update(make_examples(nlp), sgd=Adam(0.01))
    use(nlp)
    assert not np.array_equal(before, module.embeddings.word_embeddings.weight.detach().numpy())


@pytest.mark.parametrize("shared", [True, False])
def test_averages_cover_the_weights_of_the_encoder(shared: bool, tiny_backbone: str) -> None:
    nlp = make_pipeline(["ctx_ner"], tiny_backbone, shared=shared)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    optimizer = Adam(0.01, use_averages=True)
    for _ in range(3):
        nlp.update(examples, sgd=optimizer)
    before = dict(parameters(nlp))
    with nlp.use_params(optimizer.averages):
        during = dict(parameters(nlp))
        nlp("Ada wrote.")
    after = dict(parameters(nlp))
    name = f"{nlp.pipe_names[0]}.encoder.layer.0.attention.self.query.weight"
    assert not np.array_equal(before[name], during[name])
    assert all(np.array_equal(before[each], after[each]) for each in before)


def test_encoder_last_step_goes_to_disk(steady: bytes, tmp_path: Path) -> None:
    nlp: Language = pickle.loads(steady)
    nlp.update(make_examples(nlp), sgd=Adam(0.01))
    nlp.to_disk(tmp_path)
    assert_equal_weights(spacy.load(tmp_path), nlp)


def test_encoder_loss_is_reported(steady: bytes) -> None:
    nlp: Language = pickle.loads(steady)
    losses = nlp.update(make_examples(nlp), sgd=False)
    assert set(losses) == {"ctx_encoder", *HEADS}
    assert losses["ctx_encoder"] > 0


@heads
def test_joint_pipeline_round_trip(kind: str, trained: dict[str, Path], tmp_path: Path) -> None:
    nlp = spacy.load(trained["joint"])
    nlp.to_disk(tmp_path)
    for again in (spacy.load(tmp_path), clone(nlp), pickle.loads(pickle.dumps(nlp))):
        docs = [(nlp(doc.copy()), again(doc.copy())) for doc in map(again.make_doc, ["Ada wrote to Frau Müller", ""])]
        assert all(annotation(kind, a) == annotation(kind, b) for a, b in docs)
        assert all(probabilities(kind, a) == probabilities(kind, b) for a, b in docs)


def test_cleaner_leaves_an_empty_tensor(trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained["joint"])
    assert nlp("Ada wrote.").tensor.shape == (3, WIDTH)
    nlp.add_pipe("ctx_cleaner")
    doc = nlp("Ada wrote.")
    assert doc.tensor.shape == (0,)
    assert doc[:2].as_doc().tensor.shape == (0,)
    assert doc.vector.shape == (0,)


def test_cleaner_is_saved_with_the_pipeline(trained: dict[str, Path], tmp_path: Path) -> None:
    nlp = spacy.load(trained["joint"])
    nlp.add_pipe("ctx_cleaner")
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path)("Ada wrote.").tensor.size == 0


@pytest.mark.backbone
@heads
def test_head_predicts_the_same_with_its_listener_replaced(kind: str, trained: dict[str, Path], tmp_path: Path) -> None:
    nlp = spacy.load(trained["joint"])
    nlp.replace_listeners("ctx_encoder", kind, ["model.tok2vec.encoder"])
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path, exclude=[other for other in ("ctx_encoder", *HEADS) if other != kind])
    expected = spacy.load(trained["joint"])
    for line in LINES:
        doc, wanted = again(make_reference(nlp, line).text), expected(make_reference(nlp, line).text)
        assert annotation(kind, doc) == annotation(kind, wanted)
        assert probabilities(kind, doc) == pytest.approx(probabilities(kind, wanted), abs=1e-6)


@heads
def test_head_learns_with_its_listener_replaced(kind: str, trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained["joint"])
    nlp.replace_listeners("ctx_encoder", kind, ["model.tok2vec.encoder"])
    before = nlp.get_pipe(kind).model.to_bytes()
    nlp.update(make_examples(nlp), sgd=nlp.resume_training())
    assert nlp.get_pipe(kind).model.to_bytes() != before


@pytest.fixture
def beside(tiny_backbone: str) -> Language:
    """A joint pipeline with components of spaCy that listen too."""
    nlp = make_pipeline(HEADS, tiny_backbone, shared=True)
    nlp.add_pipe("tagger", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": LISTENER}})
    parser = {"@architectures": "spacy.TransitionBasedParser.v2", "state_type": "parser", "extra_state_tokens": False}
    sizes = {"hidden_width": 8, "maxout_pieces": 2, "use_upper": False}
    nlp.add_pipe("parser", config={"model": {**parser, **sizes, "tok2vec": LISTENER}, "min_action_freq": 1})
    linear = {"@architectures": "spacy.TextCatReduce.v1", "exclusive_classes": True, "use_reduce_mean": True}
    reduce = {"use_reduce_first": False, "use_reduce_last": False, "use_reduce_max": False}
    nlp.add_pipe("textcat", config={"model": {**linear, **reduce, "tok2vec": LISTENER}})
    return nlp


@pytest.mark.backbone
def test_encoder_serves_components_of_spacy(beside: Language, tmp_path: Path) -> None:
    examples = []
    for i, eg in enumerate(make_examples(beside)):
        words = [t.text for t in eg.reference]
        deps = ["ROOT", *["dep"] * (len(words) - 1)]
        ref = Doc(beside.vocab, words, tags=[t.tag_ for t in eg.reference], heads=[0] * len(words), deps=deps)
        ref.ents = [ref.char_span(e.start_char, e.end_char, e.label_) for e in eg.reference.ents]
        ref.cats = {"odd": float(i % 2), "even": float(1 - i % 2)}
        examples.append(Example(eg.predicted, ref))
    train(beside, examples, steps=40)
    losses = beside.update(make_examples(beside)[:1], sgd=False)
    assert losses["parser"] == 0.0  # no tree to learn from
    beside.to_disk(tmp_path)
    for nlp in (beside, spacy.load(tmp_path)):
        docs = list(nlp.pipe(eg.predicted.copy() for eg in examples))
        assert [[t.tag_ for t in doc] for doc in docs] == [[t.tag_ for t in eg.reference] for eg in examples]
        assert [annotation("ctx_ner", doc) for doc in docs] == [annotation("ctx_ner", eg.reference) for eg in examples]
        assert [[t.head.i for t in doc] for doc in docs] == [[t.head.i for t in eg.reference] for eg in examples]
        assert [doc.cats["odd"] > 0.5 for doc in docs] == [bool(i % 2) for i in range(len(docs))]


@heads
def test_head_learns_from_a_frozen_annotating_encoder(kind: str, tiny_backbone: str) -> None:
    nlp = make_pipeline([kind], tiny_backbone, shared=True)
    examples = make_examples(nlp)
    fix_random_seed(0)
    nlp.initialize(lambda: examples)
    encoder_before = nlp.get_pipe("ctx_encoder").to_bytes(exclude=["vocab"])
    optimizer = Adam(0.02)
    for _ in range(60):
        losses = nlp.update(examples, sgd=optimizer, exclude=["ctx_encoder"], annotates=["ctx_encoder"])
    assert nlp.get_pipe("ctx_encoder").to_bytes(exclude=["vocab"]) == encoder_before
    assert losses[kind] < 1.0
    assert annotation(kind, nlp(examples[0].predicted.copy())) == annotation(kind, examples[0].reference)


@heads
def test_head_annotates_for_later_components(kind: str, trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained["joint"])
    seen: list[Any] = []

    class Reader:
        def update(self, examples: Any, **kwargs: Any) -> None:
            seen.extend(annotation(kind, eg.predicted) for eg in examples)

        def __call__(self, doc: Doc) -> Doc:
            return doc

    Language.component("ctx_test_reader", func=Reader())
    nlp.add_pipe("ctx_test_reader")
    examples = make_examples(nlp)
    nlp.update(examples, sgd=False, annotates=["ctx_encoder", kind])
    assert seen == [annotation(kind, eg.reference) for eg in examples]


@heads
@pytest.mark.parametrize("small", [True, False], ids=["features", "bare"])
@pytest.mark.filterwarnings("ignore::FutureWarning:spacy_transformers", "ignore::FutureWarning:thinc")
def test_head_on_spacy_transformers(kind: str, small: bool, tiny_backbone: str, tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    model = {"@architectures": "spacy-transformers.TransformerModel.v3", "name": tiny_backbone}
    nlp.add_pipe("transformer", config={"model": {**model, "tokenizer_config": {"use_fast": True}}})
    listener = {"@architectures": "spacy-transformers.TransformerListener.v1", "grad_factor": 1.0}
    pooling = {"@layers": "reduce_mean.v1"}
    nlp.add_pipe(kind, config=head(kind, {**listener, "pooling": pooling, "upstream": "*"}, small=small))
    examples = make_examples(nlp)
    train(nlp, examples, steps=60 if small else 150, learn_rate=0.005)
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path)
    for eg in examples:
        assert annotation(kind, again(eg.predicted.copy())) == annotation(kind, eg.reference)
    assert [doc.text for doc in again.pipe(["", " ", "Ada wrote."])] == ["", " ", "Ada wrote."]


@pytest.mark.backbone
@heads
def test_head_on_a_bare_encoder(kind: str, tiny_backbone: str) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe(kind, config={"model": {"tok2vec": encoder(tiny_backbone)}})
    examples = make_examples(nlp)
    train(nlp, examples, steps=60)
    assert [annotation(kind, nlp(eg.predicted)) for eg in examples] == [
        annotation(kind, eg.reference) for eg in examples
    ]


@heads
def test_head_on_a_tok2vec_of_spacy(kind: str) -> None:
    nlp = spacy.blank("en")
    tok2vec = {"@architectures": "spacy.HashEmbedCNN.v2", "width": 16, "depth": 1, "embed_size": 100}
    tok2vec |= {"window_size": 1, "maxout_pieces": 2, "subword_features": True, "pretrained_vectors": None}
    nlp.add_pipe(kind, config=head(kind, tok2vec, small=False))
    examples = make_examples(nlp)
    train(nlp, examples, steps=40)
    assert [annotation(kind, nlp(eg.predicted)) for eg in examples] == [
        annotation(kind, eg.reference) for eg in examples
    ]
