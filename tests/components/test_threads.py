"""Threads that share one pipeline get what one thread gets, also in other precisions and with a cache."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import spacy
from pipelines import HEADS, LINES, annotation, make_reference, probabilities
from spacy.language import Language
from spacy.tokens import Doc

pytestmark = pytest.mark.backbone
ENCODERS = {"ctx_ner": "ctx_ner.model.tok2vec.encoder", "joint": "ctx_encoder.model"}
N_THREADS = 4


@pytest.fixture
def eager_switches() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def outcome(nlp: Language, doc: Doc) -> tuple[list[Any], list[float]]:
    kinds = [kind for kind in HEADS if kind in nlp.pipe_names]
    return [annotation(kind, doc) for kind in kinds], [p for kind in kinds for p in probabilities(kind, doc)]


@pytest.mark.usefixtures("eager_switches")
@pytest.mark.parametrize("settings", [{}, {"precision": "bf16"}, {"cache_mb": 1}, {"cache_mb": 0.02}], ids=str)
@pytest.mark.parametrize("name", ENCODERS)
def test_threads_get_what_one_gets(name: str, settings: dict[str, Any], trained: dict[str, Path]) -> None:
    config = {f"components.{ENCODERS[name]}.{key}": value for key, value in settings.items()}
    lines = [make_reference(spacy.blank("en"), line).text for line in LINES]
    texts = [*lines, "", *(f"{line} {other}" for line in lines for other in lines[:2])]
    alone = spacy.load(trained[name])
    expected = dict(zip(texts, (outcome(alone, doc) for doc in alone.pipe(texts)), strict=True))
    nlp = spacy.load(trained[name], config=config)  # has neither copies nor anything in its cache yet

    def run(nth: int) -> list[Doc]:
        own = texts[nth:] + texts[:nth]
        return [*nlp.pipe(own, batch_size=3 + nth), *map(nlp, own)]

    with ThreadPoolExecutor(N_THREADS) as pool:
        results = list(pool.map(run, range(N_THREADS)))
    for nth, docs in enumerate(results):
        assert [doc.text for doc in docs] == 2 * (texts[nth:] + texts[:nth])
        for doc in docs:
            found, probs = outcome(nlp, doc)
            assert found == expected[doc.text][0]
            assert probs == pytest.approx(expected[doc.text][1], abs=0.1 if "precision" in settings else 1e-4)
