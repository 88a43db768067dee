"""Gradient accumulation: a batch in parts gives the weights that it gives at once."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pipelines import LINES, PERSON, make_examples, make_pipeline, parameters
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.training.loop import train_while_improving
from thinc.api import SGD, Adam, fix_random_seed

OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd": lambda: SGD(0.01, grad_clip=0.0, use_averages=False),
    "clipped": lambda: SGD(1.0, grad_clip=0.5, use_averages=False),
    # A usual eps would let Adam tell gradients of 1e-8 from 0, and these are rounding.
    "adam": lambda: Adam(0.01, eps=1e-2, use_averages=False),
}


def examples_of(nlp: Language) -> list[Example]:
    """The corpus, and Docs that nobody has annotated, so that one part of the batch has nothing to learn from."""
    short = [Doc(nlp.vocab, words=[word, "."], sent_starts=[True, False]) for word in ("Ada", "London")]
    annotated = make_examples(nlp, [*LINES, *LINES[:3]])
    for eg in annotated:
        if not eg.reference.ents:
            eg.reference.spans["wrong"] = [Span(eg.reference, 0, 1, label=PERSON)]
    return [*(Example(doc.copy(), doc) for doc in short), *annotated]


def after_one_step(
    kinds: Sequence[str], backbone: str, parts: int, optimizer: Any, *, shared: bool, **settings: Any
) -> tuple[list[Any], list[Any], dict[str, float]]:
    """Let spaCy's own loop take one step over one batch. RETURNS (tuple): Weights before and after, and the losses."""
    nlp = make_pipeline(kinds, backbone, shared=shared, **settings)
    examples = examples_of(nlp)
    fix_random_seed(0)
    nlp.initialize(lambda: examples[2:])
    before = list(parameters(nlp))
    loop = train_while_improving(
        nlp,
        optimizer,
        [(0, examples)],
        lambda: (0.0, {}),
        dropout=0.0,
        eval_frequency=1,
        accumulate_gradient=parts,
        patience=0,
        max_steps=1,
        exclude=[],
        annotating_components=[],
        before_update=None,
    )
    _, info, _ = next(loop)
    return before, list(parameters(nlp)), info["losses"]


@pytest.mark.backbone
@pytest.mark.parametrize(
    ("heads", "shared", "optimizer"),
    [
        ("ctx_ner", False, "sgd"),
        ("ctx_ner", True, "sgd"),
        ("ctx_chunker", False, "sgd"),
        ("ctx_chunker ctx_tagger", True, "sgd"),
        ("ctx_tagger", False, "sgd"),
        ("ctx_tagger", True, "sgd"),
        ("ctx_ner ctx_tagger", False, "adam"),
        ("ctx_ner ctx_tagger", True, "sgd"),
        ("ctx_ner ctx_tagger", True, "clipped"),
        ("ctx_ner ctx_tagger", True, "adam"),
    ],
)
def test_accumulated_gradient_is_that_of_one_batch(
    heads: str, shared: bool, optimizer: str, steady_backbone: str
) -> None:
    kinds = heads.split()
    before, once, losses = after_one_step(kinds, steady_backbone, 1, OPTIMIZERS[optimizer](), shared=shared)
    for parts in (3, 4):
        _, accumulated, of_parts = after_one_step(kinds, steady_backbone, parts, OPTIMIZERS[optimizer](), shared=shared)
        for (name, expected), (_, found) in zip(once, accumulated, strict=True):
            assert_allclose(found, expected, rtol=0, atol=1e-5, err_msg=name)
        assert of_parts == pytest.approx(losses, rel=1e-4)
    moved = [np.abs(new - old).max() for (_, new), (_, old) in zip(once, before, strict=True)]
    assert np.median(moved) > 1e-4


@pytest.mark.parametrize(
    "settings",
    [
        {"label_smoothing": 0.2},
        {"costs": {"O": 0.5, PERSON: 2.0}},
        {"incorrect_spans_key": "wrong"},
        {"within_sentences": True},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_accumulated_gradient_is_that_of_one_batch_with_other_terms(
    settings: dict[str, Any], steady_backbone: str
) -> None:
    results = [
        after_one_step(["ctx_ner"], steady_backbone, parts, OPTIMIZERS["sgd"](), shared=False, **settings)[1]
        for parts in (1, 3)
    ]
    for (name, expected), (_, found) in zip(*results, strict=True):
        assert_allclose(found, expected, rtol=0, atol=1e-5, err_msg=name)
