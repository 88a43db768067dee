"""Memory of prediction: flat over a stream inside `nlp.memory_zone`, and bounded for one long document.

What is measured is the peak of a process of its own, so that other tests do not disturb.
"""

import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from backbones import make_backbone
from pipelines import encoder, head, make_examples

pytestmark = pytest.mark.backbone
START = """
import random, resource, sys
import spacy, torch
from spacy.tokens import Doc

torch.set_num_threads(1)
nlp = spacy.load(sys.argv[1])

def peak():
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return taken / 2**20 if sys.platform == "darwin" else taken / 2**10
"""
STREAM = """
nlp.add_pipe("ctx_cleaner")
rng = random.Random(0)

def texts(count):  # of mixed lengths, with words that come once
    for _ in range(count):
        length = 200 if rng.random() < 0.01 else rng.randrange(12)
        yield " ".join("%x" % rng.getrandbits(40) for _ in range(length))

def run(zones):
    for _ in range(zones):
        with nlp.memory_zone():
            for doc in nlp.pipe(texts(500), batch_size=500):
                assert doc.tensor.size == 0

run(5)
before = peak()
run(15)
print(peak() - before)
"""
LONG = """
words = ["Ada", "wrote", "to", "London"]
nlp(Doc(nlp.vocab, words=words * 5000))
doc = Doc(nlp.vocab, words=words * 250_000)
before = peak()
nlp(doc)
assert doc.has_annotation("TAG") and doc.tensor.size == 0
print(peak() - before)
"""


def risen(script: str, model: Path) -> float:
    """RETURNS (float): By how many MiB the peak rises, as a script prints it."""
    command = [sys.executable, "-c", START + script, str(model)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_memory_is_flat_over_10_000_documents_in_zones(trained: dict[str, Path]) -> None:
    assert risen(STREAM, trained["joint"]) < 8


def test_memory_of_a_document_of_1_000_000_tokens_is_less_than_its_vectors(tmp_path: Path) -> None:
    width = 64
    backbone = make_backbone("bert", tmp_path / "bert", hidden_size=width, num_hidden_layers=1)
    nlp = spacy.blank("en")
    nlp.add_pipe("ctx_tagger", config=head("ctx_tagger", encoder(backbone, overlap=4), small=False))
    nlp.initialize(lambda: make_examples(nlp))
    nlp.to_disk(tmp_path / "model")
    assert risen(LONG, tmp_path / "model") < 1_000_000 * width * 4 / 2**20
