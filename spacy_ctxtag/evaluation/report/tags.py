"""All analyses of one layer of tags: token.tag_ or token.pos_."""

from collections import Counter
from functools import partial
from typing import Any, Dict, List, Sequence, Tuple

from .confusion import Confusion
from .known import Known
from .outcomes import Outcomes
from .parts import Parts, add_tags
from .records import NO_TAG, Guess, TagRecord
from .scores import Scores
from .worst import Worst, context, excerpt_tags, part_of_document, telling_guesses, wrong_tokens

SHARES = ("accuracy", "sequences")


class TagReport:
    """Adds up the documents in which a layer is annotated.

    known (Known): What is known of the training data.
    """

    def __init__(self, known: Known) -> None:
        self.known = known
        self.n_predicted = 0
        self.scores = Scores(SHARES, no_label=NO_TAG)
        self.parts = Parts()
        self.outcomes = Outcomes()
        self.confusion = Confusion("tokens", has_none=False)
        self.confident, self.costly = Worst(), Worst()

    def add(self, record: TagRecord) -> None:
        """Add a document."""
        gold, guesses, frame = record.gold, record.guesses, record.frame
        self.n_predicted += sum(guess.tag != NO_TAG for guess in guesses)
        right = [guess.tag == gold[guess.token] for guess in guesses]
        hits = Counter(guess.tag for guess, hit in zip(guesses, right, strict=True) if hit)
        sides = Counter(guess.tag for guess in guesses), Counter(tag for tag in gold if tag)
        wrong = wrong_tokens(record)
        n = sum(1 for at, tag in enumerate(gold) if tag and not frame.is_space[at])
        shares = {"accuracy": (n - len(wrong), n), "sequences": count_sequences(record, wrong)}
        self.scores.add(hits, *sides, shares)
        add_tags(self.parts, record, self.known)
        self.confusion.pairs.update((gold[at], guess.tag) for at, guess in telling_guesses(record).items())
        for guess, hit in zip(guesses, right, strict=True):
            self.outcomes.add(guess.probability, hit)
            if not hit and guess.probability is not None and not frame.is_space[guess.token]:
                self.confident.offer(guess.probability, partial(_error, record, guess))
        if wrong:
            self.costly.offer(
                len(wrong),
                lambda: {
                    "cost": len(wrong),
                    "tokens": n,
                    "excerpt": excerpt_tags(record, *part_of_document(frame, wrong[0])),
                },
            )

    def result(self, n_samples: int, seed: int) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): What the schema has under `tags`, but for where the layer comes from."""
        scores = self.scores.result(n_samples, seed)
        breakdowns = self.parts.result()
        calibration = self.outcomes.result()
        return {
            "has_probabilities": calibration is not None,
            "documents": self.scores.tally.documents,
            **{name: scores[name] for name in ("averages", *SHARES, "labels")},
            "breakdowns": breakdowns,
            "confusion": self.confusion.result(),
            "calibration": calibration,
            "confident_errors": self.confident.result(),
            "costly_documents": self.costly.result(),
            "unavailable": _unavailable([each["by"] for each in breakdowns], calibration is not None),
        }


def count_sequences(record: TagRecord, wrong: Sequence[int]) -> Tuple[int, int]:
    """RETURNS (Tuple[int, int]): Of the sequences with annotated tokens, white space aside, how many are all right; and
    how many there are."""
    frame = record.frame
    annotated = {frame.sequence_at(at) for at, tag in enumerate(record.gold) if tag and not frame.is_space[at]}
    return len(annotated) - len({frame.sequence_at(at) for at in wrong}), len(annotated)


def _error(record: TagRecord, guess: Guess) -> Dict[str, Any]:
    frame = record.frame
    start, end = context(frame, guess.token, guess.token + 1)
    return {
        "gold": record.gold[guess.token],
        "predicted": guess.tag,
        "probability": guess.probability,
        "text": frame.words(guess.token, guess.token + 1),
        "index": [at for at in wrong_tokens(record) if start <= at < end].index(guess.token),
        "excerpt": excerpt_tags(record, start, end),
    }


def _unavailable(found: Sequence[str], has_probabilities: bool) -> List[Dict[str, str]]:
    untrained = "the training data is not named with --train"
    checks = (
        ("calibration", not has_probabilities, "no component reports probabilities"),
        ("sentence_length", "sentence_length" not in found, "sentences are not annotated"),
        ("known_word", "known_word" not in found, untrained),
        ("word_frequency", "word_frequency" not in found, untrained),
    )
    return [{"analysis": name, "reason": reason} for name, is_missing, reason in checks if is_missing]
