"""Structural checks of annotated data, over one split or several: what a machine can see without knowing the texts.

Errors make data unusable or a result wrong: documents without text or annotation, entities with white space at an
edge, and long texts that stand in two splits. The rest are warnings. Whether a label is right is another matter
(label errors, agreement between annotators). The checks themselves are in `checks`; here they get what they look at:
each document once, as it is read, and at the end a table of all tokens as numbers. No text is kept.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from spacy.language import Language

from ..errors import Errors
from .checks.document import check_document
from .checks.known_tokens import Judge, KnownTokens
from .checks.labels import LabelIndex, check_labels
from .checks.mentions import MentionIndex, check_mentions, check_unlabelled
from .checks.near_duplicates import check_near_duplicates
from .checks.repeats import Repeats
from .places import place_of
from .records import Problem, doc_meta
from .sources import ReadOptions, SourceReader, find_files
from .statistics import SplitStatistics
from .token_table import TokenTable

TRAIN = "train"  # the split that the others are compared with
SIMILARITY = 0.8  # from which on two texts are near-duplicates
FORMAT = 1  # of what `Validation.to_json` returns


@dataclass
class Validation:
    """What was found.

    problems (List[Problem]): Errors and warnings, those of single documents in the order of the inputs.
    splits (List[SplitStatistics]): Counts of each split.
    unknown, deleted (Counter): By the split, tokens that the encoder does not know, and of which it leaves nothing.
    """

    problems: List[Problem]
    splits: List[SplitStatistics]
    unknown: "Counter[str]" = field(default_factory=Counter)
    deleted: "Counter[str]" = field(default_factory=Counter)

    @property
    def errors(self) -> List[Problem]:
        """The problems that are errors."""
        return [problem for problem in self.problems if problem.is_error]

    def by_code(self) -> Dict[Tuple[bool, str], List[Problem]]:
        """RETURNS (Dict): The problems by severity (whether they are warnings) and code: errors first, then by code."""
        found: Dict[Tuple[bool, str], List[Problem]] = {}
        for problem in self.problems:
            found.setdefault((not problem.is_error, problem.code), []).append(problem)
        return dict(sorted(found.items()))

    def to_json(self) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): All of it, as `schemas/problems.json` describes it."""
        groups = self.by_code()
        codes: Counter[str] = Counter(problem.code for problem in self.problems)
        return {
            "format": FORMAT,
            "errors": len(self.errors),
            "warnings": len(self.problems) - len(self.errors),
            "codes": dict(sorted(codes.items())),
            "splits": [
                {**split.to_json(), "unknown_to_encoder": self.unknown[split.name], "deleted": self.deleted[split.name]}
                for split in self.splits
            ],
            "problems": [problem.to_json() for group in groups.values() for problem in group],
        }


def validate(
    splits: Mapping[str, Sequence[Path]],
    nlp: Language,
    options: Optional[ReadOptions] = None,
    *,
    similarity: float = SIMILARITY,
    judge: Optional[Judge] = None,
    encoder: str = "the encoder",
    progress: Optional[Callable[[Path], None]] = None,
) -> Validation:
    """Check files or folders of any format.

    splits (Mapping[str, Sequence[Path]]): The inputs of each split; "train" is the one that others are compared with.
    nlp (Language): Gives the tokenizer for formats without tokens.
    options (Optional[ReadOptions]): How to read.
    similarity (float): From which on two texts are near-duplicates, above 0; 1: these are not looked for.
    judge (Optional[Judge]): Tells which tokens an encoder knows; None: that is not checked.
    encoder (str): How the encoder is called.
    progress (Optional[Callable]): Is called with each file before it is read.
    RETURNS (Validation): All problems, those of reading included, and counts. Nothing is raised for bad data.
    RAISES (ValueError): A similarity out of range (CT304).
    """
    if not 0.0 < similarity <= 1.0:
        expected = "a number above 0, and 1 at most (1: near-duplicates are not looked for)"
        raise ValueError(Errors.CT304.format(name="near-duplicates", met=similarity, expected=expected))
    options = options or ReadOptions()
    problems: List[Problem] = []
    statistics: List[SplitStatistics] = []
    table = TokenTable(nlp.vocab)
    labels, mentions, repeats = LabelIndex(), MentionIndex(), Repeats(table)
    known = KnownTokens(judge, encoder, table) if judge is not None else None
    for name, inputs in splits.items():
        reader = SourceReader(nlp, options)  # of its own: nothing else reads two splits together
        split = SplitStatistics(name)
        statistics.append(split)
        for path in find_files(inputs, problems, format=options.format):
            if progress is not None:
                progress(path)
            for doc in reader.read(path, problems):
                place = place_of(doc, path, name)
                first = table.add(doc, place)
                split.add(doc, str(doc_meta(doc).get("domain", "")))
                labels.add(doc, first)
                mentions.add(doc, first)
                if known is not None:
                    known.add(doc, first)
                problems.extend(check_document(doc, place, options.spans_key))
                problems.extend(repeats.check(doc))
    if not any(split.docs for split in statistics) and not problems:
        problems.append(Problem(", ".join(splits), 0, Errors.CT373))
    train = TRAIN if TRAIN in splits else None
    problems.extend(check_labels(statistics, train, labels, table))
    problems.extend(check_mentions(statistics, mentions, table))
    problems.extend(check_unlabelled(statistics, table))
    problems.extend(check_near_duplicates(table, repeats.repeated, similarity))
    if known is None:
        return Validation(problems, statistics)
    problems.extend(known.problems())
    return Validation(problems, statistics, known.unknown, known.deleted)
