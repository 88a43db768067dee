from pathlib import Path

import pytest
import spacy
from card_helpers import make_model
from spacy.tokens import Doc, DocBin


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "finder")


@pytest.fixture
def train(tmp_path: Path) -> Path:
    doc = Doc(spacy.blank("en").vocab, ["word0", "word0", "word1"], ents=["B-PERSON", "B-PERSON", "B-per-son"])
    DocBin(docs=[doc, Doc(doc.vocab)]).to_disk(tmp_path / "train.spacy")
    return tmp_path / "train.spacy"
