from pathlib import Path
from typing import Any, Callable, List, Tuple

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc

from spacy_ctxtag.data.records import Problem
from spacy_ctxtag.data.sources import ReadOptions, SourceReader


@pytest.fixture(scope="session")
def nlp() -> Language:
    return spacy.blank("en")


@pytest.fixture
def read(nlp: Language, tmp_path: Path) -> Callable[..., Tuple[List[Doc], List[Problem]]]:
    """Write a file and read it with the options: its documents and problems."""

    def read_content(name: str, content: Any, **options: Any) -> Tuple[List[Doc], List[Problem]]:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf8"))
        problems: List[Problem] = []
        docs = list(SourceReader(nlp, ReadOptions(**options)).read(path, problems))
        return docs, problems

    return read_content
