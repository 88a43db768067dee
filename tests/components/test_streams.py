"""`nlp.pipe`: the same predictions however texts are batched, and a document that fails fails alone."""

import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import spacy
from pipelines import KINDS, annotation, probabilities
from spacy.language import Language
from spacy.tokens import Doc

from spacy_ctxtag.components import ctx_pipe

PIPELINES = ["ctx_ner", "ctx_tagger", "ctx_chunker", "joint"]
WORDS = [
    *[
        "Ada",
        "wrote",
        "to",
        "Charles",
        "in",
        "London",
        ".",
        "the",
        "river",
        "Elbe",
        "flows",
        "nobody",
        "Blue",
        "Kettle",
        "Zoë",
        "東京",
        "today",
    ],
    "\n",
]
BAD = "This one fails."


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Texts of very different lengths, some empty, one of several windows."""
    rng = random.Random(0)
    lengths = [0, 1, 2, 80, *(rng.randrange(30) for _ in range(21))]
    rng.shuffle(lengths)
    return [" ".join(rng.choices(WORDS, k=length)) for length in lengths]


def outcome(nlp: Language, doc: Doc) -> list[tuple[list[Any], list[float]]]:
    return [(annotation(kind, doc), probabilities(kind, doc)) for kind in KINDS if kind in nlp.pipe_names]


def assert_same(nlp: Language, docs: Iterable[Doc], expected: Iterable[Doc]) -> None:
    for doc, wanted in zip(docs, expected, strict=True):
        assert doc.text == wanted.text
        for (found, scores), (found_alone, scores_alone) in zip(outcome(nlp, doc), outcome(nlp, wanted), strict=True):
            assert found == found_alone
            assert scores == pytest.approx(scores_alone, abs=1e-5)


@pytest.mark.backbone
@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_pipe_equals_call_at_any_batch_size(
    name: str, batch_size: int, trained: dict[str, Path], texts: list[str]
) -> None:
    nlp = spacy.load(trained[name])
    assert_same(nlp, nlp.pipe(texts, batch_size=batch_size), map(nlp, texts))


@pytest.mark.parametrize("name", PIPELINES)
def test_pipe_equals_call_in_any_order(name: str, trained: dict[str, Path], texts: list[str]) -> None:
    nlp = spacy.load(trained[name])
    shuffled = random.Random(1).sample(texts, len(texts))
    assert_same(nlp, nlp.pipe(shuffled, batch_size=7), map(nlp, shuffled))


@pytest.mark.parametrize("name", PIPELINES)
def test_pipe_as_tuples_keeps_contexts_paired(name: str, trained: dict[str, Path], texts: list[str]) -> None:
    nlp = spacy.load(trained[name])
    pairs = list(nlp.pipe(((text, i) for i, text in enumerate(texts)), as_tuples=True, batch_size=4))
    assert [(doc.text, i) for doc, i in pairs] == [(text, i) for i, text in enumerate(texts)]


# Several processes. In a script, so that a hang meets a time limit, and since `spawn` imports the script again.

PROCESSES = """
import multiprocessing
import sys

import spacy
import torch

sys.path.insert(0, sys.argv[2])
from pipelines import HEADS, annotation, probabilities

def outcome(docs):
    return [[(annotation(kind, d), [round(p, 4) for p in probabilities(kind, d)]) for kind in HEADS] for d in docs]

if __name__ == "__main__":
    torch.set_num_threads(2)
    settings = {"cache_mb": 1, "backend": sys.argv[3]}
    nlp = spacy.load(sys.argv[1], config={f"components.ctx_encoder.model.{key}": settings[key] for key in settings})
    texts = ["Ada wrote to Charles in London .", "", "Frau Müller answered Ada", " ", "The Elbe flows " * 30] * 3
    expected = outcome(nlp.pipe(texts))  # with two threads, which a fork does not take along
    assert expected[0][0][0]
    for method in ("fork", "spawn"):
        multiprocessing.set_start_method(method, force=True)
        docs = list(nlp.pipe(texts, n_process=2, batch_size=4))
        assert [doc.text for doc in docs] == texts
        assert outcome(docs) == expected, method
        print(method, "done")
"""


@pytest.mark.backbone
@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_pipe_in_two_processes_by_fork_and_spawn(backend: str, trained: dict[str, Path], tmp_path: Path) -> None:
    script = tmp_path / "processes.py"
    script.write_text(PROCESSES, encoding="utf8")
    command = [sys.executable, str(script), str(trained["joint"]), str(Path(__file__).parents[1]), backend]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["fork done", "spawn done"]


# Documents that fail


class Fails:
    """Makes a method fail for batches in which a certain text stands, and counts its calls."""

    def __init__(self, pipe: Any, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.original = getattr(pipe, method)
        self.calls = 0
        monkeypatch.setattr(pipe, method, self, raising=True)

    def __call__(self, docs: Iterable[Doc], *args: Any) -> Any:
        docs = list(docs)
        self.calls += 1
        if any(doc.text == BAD for doc in docs):
            raise RuntimeError("met the bad one")
        return self.original(docs, *args)


@pytest.mark.parametrize(
    ("name", "component"),
    [("ctx_ner", "ctx_ner"), ("ctx_tagger", "ctx_tagger"), ("joint", "ctx_encoder"), ("joint", "ctx_ner")],
)
@pytest.mark.parametrize("method", ["predict", "set_annotations"])
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_pipe_failing_document_fails_alone(
    name: str,
    component: str,
    method: str,
    batch_size: int,
    trained: dict[str, Path],
    texts: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nlp = spacy.load(trained[name])
    failed: list[Any] = []

    def handle(component: str, pipe: Any, docs: list[Doc], error: Exception) -> None:
        failed.append((component, [doc.text for doc in docs], str(error)))

    nlp.set_error_handler(handle)
    expected = list(nlp.pipe(texts[:10]))
    Fails(nlp.get_pipe(component), method, monkeypatch)
    stream = [(text, i) for i, text in enumerate([*texts[:5], BAD, *texts[5:10], BAD])]
    pairs = list(nlp.pipe(stream, as_tuples=True, batch_size=batch_size))
    assert failed == [(component, [BAD], "met the bad one")] * 2
    assert [i for _, i in pairs] == [i for text, i in stream if text != BAD]
    assert_same(nlp, [doc for doc, _ in pairs], expected)


@pytest.mark.parametrize("name", PIPELINES)
def test_pipe_failing_document_raises_by_default(
    name: str, trained: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    nlp = spacy.load(trained[name])
    Fails(nlp.get_pipe(nlp.pipe_names[0]), "predict", monkeypatch)
    seen = []
    with pytest.raises(RuntimeError, match="the bad one"):
        seen.extend(doc.text for doc in nlp.pipe(["Ada", BAD, "Charles"], batch_size=1))
    assert [doc.text for doc in nlp.pipe(["Ada", "Charles"])] == ["Ada", "Charles"]


def test_pipe_predicts_a_batch_once_when_nothing_fails(
    trained: dict[str, Path], texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nlp = spacy.load(trained["ctx_ner"])
    predict = Fails(nlp.get_pipe("ctx_ner"), "predict", monkeypatch)
    assert len(list(nlp.pipe(texts, batch_size=10))) == 25
    assert predict.calls == 3


def test_pipe_makes_smaller_batches_of_long_documents(
    trained: dict[str, Path], texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nlp = spacy.load(trained["ctx_ner"])
    expected = list(nlp.pipe(texts))
    monkeypatch.setattr(ctx_pipe, "BATCH_TOKENS", 100)
    predict = Fails(nlp.get_pipe("ctx_ner"), "predict", monkeypatch)
    assert_same(nlp, nlp.pipe(texts), expected)
    assert predict.calls >= sum(map(len, expected)) / 100 > 3


def test_pipe_gives_a_batch_as_soon_as_it_is_full(trained: dict[str, Path]) -> None:
    pipe = spacy.load(trained["ctx_ner"]).get_pipe("ctx_ner")
    read = []
    stream = pipe.pipe((read.append(i) or Doc(pipe.vocab, words=["Ada"]) for i in range(9)), batch_size=3)
    next(stream)
    assert read == [0, 1, 2]


def test_pipe_of_nothing_is_nothing(trained: dict[str, Path]) -> None:
    assert list(spacy.load(trained["joint"]).pipe([])) == []
