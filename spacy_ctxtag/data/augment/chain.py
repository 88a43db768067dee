"""The registered chain: several augmenters, one after the other, on each document."""

from typing import Any, Callable, Iterator, List, Sequence

from spacy.language import Language
from spacy.training import Example

from ...errors import Errors

AnyAugmenter = Callable[[Language, Example], Iterator[Example]]


class Chain:
    """Gives each document to the first augmenter, what that yields to the second, and so on.

    augmenters (Sequence[Callable]): The augmenters; those of spaCy, too.
    copies (int): How many variants are made of a document.
    keep_original (bool): Whether the document itself is yielded first. Variants that did not change are then left out.
    RAISES (ValueError): No augmenter, or no copy (CT390).
    """

    def __init__(self, augmenters: Sequence[AnyAugmenter], *, copies: int, keep_original: bool) -> None:
        if not augmenters:
            raise ValueError(
                Errors.CT390.format(name="Chain", setting="*", value=(), expected="one or more augmenters")
            )
        if copies < 1:
            raise ValueError(Errors.CT390.format(name="Chain", setting="copies", value=copies, expected="1 or more"))
        self.augmenters = list(augmenters)
        self.copies = copies
        self.keep_original = keep_original

    def __call__(self, nlp: Language, example: Example) -> Iterator[Example]:
        """YIELDS (Example): The variants, after the document itself where it is kept."""
        if self.keep_original:
            yield example
        for _ in range(self.copies):
            made: List[Example] = [example]
            for augmenter in self.augmenters:
                made = [each for one in made for each in augmenter(nlp, one)]
            yield from (each for each in made if not (self.keep_original and each is example))


def create_chain_v1(*augmenters: Any, copies: int = 1, keep_original: bool = False) -> Chain:
    """Registered as `spacy-ctxtag.Chain.v1`; settings as in `Chain`. In a config the augmenters are the sections below
    `*`, by names of your choice, in their order.
    """
    return Chain(augmenters, copies=copies, keep_original=keep_original)
