"""A source of paraphrases: a file of texts with their paraphrases, made beforehand."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from .entries import read_entries, text_of, texts_of


class ParaphraseFile:
    """Looks texts up, first with placeholders for the entities, then as they are. White space does not matter.

    path (Path): A file of JSON lines: {"text": "…", "paraphrases": ["…", …]}.
    RAISES (DataError): A file that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.paraphrases: Dict[str, List[str]] = {}
        for text, paraphrases in read_entries(path, (), _parse, '{"text": "…", "paraphrases": ["…", "…"]}'):
            self.paraphrases.setdefault(_key(text), []).extend(paraphrases)

    def __call__(self, text: str, masked: str) -> List[str]:
        """RETURNS (List[str]): The paraphrases of a text; empty if the file does not have it."""
        return self.paraphrases.get(_key(masked)) or self.paraphrases.get(_key(text), [])


def _parse(data: Dict[str, Any]) -> Optional[Tuple[str, List[str]]]:
    text, paraphrases = text_of(data, "text"), texts_of(data, "paraphrases")
    return (text, paraphrases) if text and paraphrases else None


def _key(text: str) -> str:
    return " ".join(text.split())


def create_paraphrase_file_v1(path: Path) -> ParaphraseFile:
    """Registered as `spacy-ctxtag.ParaphraseFile.v1`; settings as in `ParaphraseFile`."""
    return ParaphraseFile(Path(path))
