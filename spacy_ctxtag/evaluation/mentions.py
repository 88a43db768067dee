"""Entities that training has seen, and others: a model that knows its training data by heart finds the former only.

A mention is seen when its text, white space aside, occurs in the training data as an entity of the same label, upper
and lower case told apart. A predicted entity counts by its own text and label, so that each right one is on one side.
"""

import hashlib
from typing import Collection, Dict, Iterable, List, Optional

from spacy.scorer import PRFScore
from spacy.training import Example

SIDES = ("seen", "unseen")


def hash_mention(text: str, label: str) -> str:
    """RETURNS (str): 16 hexadecimal digits (64 bits) for a text and a label."""
    mention = f"{label}\t{' '.join(text.split())}".encode("utf8", "surrogatepass")
    return hashlib.blake2b(mention, digest_size=8).hexdigest()


def hash_mentions(examples: Iterable[Example]) -> List[str]:
    """RETURNS (List[str]): The hashes of all entities in the references, sorted, each once."""
    return sorted({hash_mention(ent.text, ent.label_) for eg in examples for ent in eg.reference.ents})


def score_mentions(examples: Iterable[Example], known: Optional[Collection[str]]) -> Dict[str, Optional[float]]:
    """Score the entities that training has seen, and the others, as spaCy scores all of them.

    known (Optional[Collection[str]]): Hashes of the mentions of the training data, if they are known.
    RETURNS (Dict[str, Optional[float]]): ents_p_seen, ents_r_seen, ents_f_seen, ents_p_unseen, ents_r_unseen,
        ents_f_unseen. None where there is nothing to count.
    """
    counts = {side: PRFScore() for side in SIDES}
    hashes = frozenset(known or ())
    for eg in examples if known is not None else ():
        gold = eg.reference
        if not gold.has_annotation("ENT_IOB"):
            continue
        wanted = {(ent.start, ent.end, ent.label_) for ent in gold.ents}
        for ent in eg.predicted.ents:
            aligned = eg.alignment.x2y[ent.start : ent.end]
            if not len(aligned):
                continue
            span = gold[int(aligned[0]) : int(aligned[-1]) + 1]
            if any(token.ent_iob == 0 for token in span):  # neither right nor wrong
                continue
            count = counts[SIDES[hash_mention(span.text, ent.label_) not in hashes]]
            found = (span.start, span.end, ent.label_)
            if found in wanted:
                wanted.remove(found)
                count.tp += 1
            else:
                count.fp += 1
        for start, end, label in wanted:
            counts[SIDES[hash_mention(gold[start:end].text, label) not in hashes]].fn += 1
    scores: Dict[str, Optional[float]] = {}
    for side, count in counts.items():
        values = (count.precision, count.recall, count.fscore) if len(count) else (None, None, None)
        scores.update(zip((f"ents_{key}_{side}" for key in "prf"), values, strict=True))
    return scores
