"""The registered reader that makes other variants of a corpus every time it is read; `augment_docs` for single Docs."""

import random
from typing import Callable, Iterable, Iterator, List, Optional, Set, Tuple

import numpy as np
from spacy.attrs import DEP, ENT_TYPE, MORPH, POS, TAG
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from .chain import AnyAugmenter

_LABELS = [TAG, POS, MORPH, DEP, ENT_TYPE]


class AugmentedCorpus:
    """Reads a corpus once, and gives variants of its documents every time it is asked, in another order.

    spaCy reads a corpus once for the whole training, unless `max_epochs` is -1: then it reads it for every epoch, does
    not shuffle it, and initializes components with the first 100 examples. So documents come in random order here, but
    first those that show a label (of an entity, span, tag, …) which has not come yet.

    corpus (Callable): Any corpus reader. Its documents are kept in memory.
    augmenter (Callable): Makes the variants.
    seed (int): The seed of the order.
    """

    def __init__(self, corpus: Callable[[Language], Iterable[Example]], augmenter: AnyAugmenter, *, seed: int) -> None:
        self.corpus = corpus
        self.augmenter = augmenter
        self.rng = random.Random(f"AugmentedCorpus {seed}")
        self._examples: List[Tuple[Example, Set[object]]] = []
        self._vocab: Optional[Vocab] = None

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """YIELDS (Example): Variants of all documents."""
        if self._vocab is not nlp.vocab:
            self._examples = [(example, _labels(example.reference)) for example in self.corpus(nlp)]
            self._vocab = nlp.vocab
        for example in self._order():
            for made in self.augmenter(nlp, example):
                for key, value in example.predicted.user_data.items():  # the metadata of our own reader
                    if isinstance(key, str):  # not a custom attribute, which stands at an offset
                        made.predicted.user_data.setdefault(key, value)
                yield made

    def _order(self) -> List[Example]:
        shuffled = self.rng.sample(self._examples, len(self._examples))
        known: Set[object] = set()
        first: List[Example] = []
        rest: List[Example] = []
        for example, labels in shuffled:
            (rest if labels <= known else first).append(example)
            known |= labels
        return first + rest


def _labels(doc: Doc) -> Set[object]:
    array = doc.to_array(_LABELS)  # (T, 5)
    found: Set[object] = {(i, value) for i in range(len(_LABELS)) for value in np.unique(array[:, i]).tolist() if value}
    return found | {(key, span.label) for key, group in doc.spans.items() for span in group}


def augment_docs(nlp: Language, docs: Iterable[Doc], augmenter: AnyAugmenter) -> Iterator[Doc]:
    """Variants of annotated Docs, e.g. a noisy copy of a test corpus.

    nlp (Language): The pipeline whose vocabulary the Docs have.
    docs (Iterable[Doc]): The Docs; they are not changed.
    augmenter (Callable): Any augmenter; the same seed gives the same variants.
    YIELDS (Doc): The variants, with all annotation.
    """
    for doc in docs:
        words, spaces = [token.text for token in doc], [bool(token.whitespace_) for token in doc]
        for example in augmenter(nlp, Example(Doc(nlp.vocab, words=words, spaces=spaces), doc)):
            yield example.reference


def create_augmented_corpus_v1(
    corpus: Callable[[Language], Iterable[Example]],
    augmenter: Callable[[Language, Example], Iterator[Example]],
    seed: int = 0,
) -> AugmentedCorpus:
    """Registered as `spacy-ctxtag.AugmentedCorpus.v1`; settings as in `AugmentedCorpus`."""
    return AugmentedCorpus(corpus, augmenter, seed=seed)
