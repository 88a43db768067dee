"""What settings of a config mean by themselves, before anything is made of them."""

from difflib import get_close_matches
from typing import Any, Dict, Iterator, Tuple

from spacy.schemas import ConfigSchemaTraining
from spacy.util import dot_to_object

SCHEMA: Any = ConfigSchemaTraining
TRAINING = sorted(getattr(SCHEMA, "model_fields", None) or SCHEMA.__fields__)  # pydantic 2, 1
PLAIN = ("spacy.Corpus.v1", "spacy-ctxtag.Corpus.v1")


def unknown_settings(config: Dict[str, Any]) -> Iterator[Tuple[str, str]]:
    """The settings of [training] that spaCy drops without a word, since it does not know them.

    YIELDS (Tuple[str, str]): The name, and a question whether one that is much like it is meant, or "".
    """
    section = config.get("training")
    for name in sorted(set(section) - set(TRAINING)) if isinstance(section, dict) else ():
        like = get_close_matches(name, TRAINING, 1)
        yield name, f" Is {like[0]!r} meant?" if like else ""


def reads_the_same(config: Any, corpus: str) -> bool:
    """RETURNS (bool): Whether a corpus, such as "corpora.dev", surely gives the same examples each time that it is
    read, and leaves random numbers alone. The config is filled and interpolated."""
    try:
        section = dot_to_object(config, corpus)
    except KeyError:  # one reader of several corpora stands in [corpora] itself
        return False
    return isinstance(section, dict) and section.get("@readers") in PLAIN and section.get("augmenter") is None
