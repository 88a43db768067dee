"""What all augmenters are: which documents are changed, and where the random numbers come from."""

import random
from abc import ABC, abstractmethod
from typing import Any, Iterator, Optional, Sequence

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ...errors import Errors


class Augmenter(ABC):
    """Changes a share of the documents, and yields the others as they are: one Example for each.

    It draws from a generator of its own, so that its results depend on its seed and on what it has been given so far,
    and on nothing else. The name of the class is part of the seed: in a chain, augmenters with the same seed do not
    change the same documents. It can be pickled, state included.

    level (float): The share of documents that are changed.
    seed (int): The seed.
    RAISES (ValueError): A level that is no share (CT390).
    """

    def __init__(self, *, level: float, seed: int) -> None:
        self.level = self.share("level", level)
        self.rng = random.Random(f"{type(self).__name__} {seed}")

    def __call__(self, nlp: Language, example: Example) -> Iterator[Example]:
        """YIELDS (Example): The changed Example, or the given one."""
        self.see(nlp, example.reference)
        if len(example.reference) and self.rng.random() < self.level:
            example = self.change(nlp, example)
        yield example

    def see(self, nlp: Language, doc: Doc) -> None:
        """Take note of a reference, before it is changed or not."""
        return

    @abstractmethod
    def change(self, nlp: Language, example: Example) -> Example:
        """RETURNS (Example): A changed copy, or the given one where nothing can be changed."""

    def share(self, setting: str, value: float) -> float:
        """RETURNS (float): A setting that is a share. RAISES (ValueError): It is not (CT390)."""
        if not 0 <= value <= 1:
            self.refuse(setting, value, "a share, from 0 to 1")
        return value

    def choice(self, setting: str, value: str, known: Sequence[str]) -> str:
        """RETURNS (str): A setting that is one of some words. RAISES (ValueError): It is not (CT390)."""
        if value not in known:
            self.refuse(setting, value, f"one of {', '.join(known)}")
        return value

    def choices(self, setting: str, values: Optional[Sequence[str]], known: Sequence[str]) -> Sequence[str]:
        """RETURNS (Sequence[str]): A setting that is a list of words; all known ones for None. RAISES (ValueError): It
        is not (CT390)."""
        if values is None:
            return known
        if not values or not set(values) <= set(known):
            self.refuse(setting, values, f"one or more of {', '.join(known)}")
        return values

    def refuse(self, setting: str, value: Any, expected: str) -> None:
        """RAISES (ValueError): Always (CT390)."""
        name = type(self).__name__
        raise ValueError(Errors.CT390.format(name=name, setting=setting, value=value, expected=expected))
