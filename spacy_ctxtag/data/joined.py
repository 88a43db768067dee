"""The registered reader that joins corpora annotated with different labels into one training corpus.

A label that a corpus was not annotated with is unknown there, not absent: its Docs carry the names of the labels that
they were annotated with, and `ctx_ner` sums over all the others outside of the entities (`components.ner_loss`).
"""

from typing import Any, Callable, Dict, Iterator, List

from spacy.language import Language
from spacy.training import Example

from ..errors import Errors

ANNOTATED_LABELS = "ctx_annotated_labels"  # the key in user_data of a reference; absent: all labels are annotated


def create_joined_corpora_v1(
    corpora: Dict[str, Any], labels: Dict[str, List[str]]
) -> Callable[[Language], Iterator[Example]]:
    """Make the reader `spacy-ctxtag.JoinedCorpora.v1`.

    corpora (Dict[str, Any]): Any corpus readers, by names of your choice; read one after the other.
    labels (Dict[str, List[str]]): For each corpus by its name, all entity labels that it was annotated with, those
        without a single entity included. A corpus that is not named is annotated with all labels.
    RETURNS (Callable[[Language], Iterator[Example]]): The reader.
    RAISES (ValueError): Labels for a corpus that is not there (CT304). When read: an entity of a label that is not
        among those of its corpus (CT375).
    """
    for name in labels:
        if name not in corpora:
            raise ValueError(Errors.CT304.format(name="labels", met=name, expected=f"one of {', '.join(corpora)}"))

    def read_corpora(nlp: Language) -> Iterator[Example]:
        for name, corpus in corpora.items():
            for example in corpus(nlp):
                if name in labels:
                    _mark(example, name, labels[name])
                yield example

    return read_corpora


def _mark(example: Example, name: str, labels: List[str]) -> None:
    for ent in example.reference.ents:
        if ent.label_ not in labels:
            raise ValueError(Errors.CT375.format(corpus=name, text=ent.text, label=ent.label_, labels=sorted(labels)))
    example.reference.user_data[ANNOTATED_LABELS] = list(labels)
