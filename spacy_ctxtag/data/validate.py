"""Structural checks of annotated data, over one split or several: what a machine can see without knowing the texts.

Errors make data unusable or a result wrong: documents without text or annotation, entities with white space at an
edge, and long texts that stand in two splits. The rest are warnings. Whether a label is right is another matter
(label errors, agreement between annotators).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.tokens import Doc

from ..errors import Errors
from ..warnings import Warnings
from .records import Problem, doc_meta
from .sources import ReadOptions, SourceReader, find_files
from .statistics import SplitStatistics, conflicting_mentions

TRAIN = "train"  # the split that the others are compared with
MIN_TOKENS = 5  # a shorter text that is repeated ("Thanks !") is no leak

Place = Tuple[str, Problem]  # split, and where in it (a problem without a message)


@dataclass
class Validation:
    """What was found.

    problems (List[Problem]): Errors and warnings, in the order of the inputs.
    splits (List[SplitStatistics]): Counts of each split.
    """

    problems: List[Problem]
    splits: List[SplitStatistics]

    @property
    def errors(self) -> List[Problem]:
        """The problems that are errors."""
        return [problem for problem in self.problems if problem.is_error]


def validate(
    splits: Mapping[str, Sequence[Path]],
    nlp: Language,
    options: Optional[ReadOptions] = None,
    *,
    progress: Optional[Callable[[Path], None]] = None,
) -> Validation:
    """Check files or folders of any format.

    splits (Mapping[str, Sequence[Path]]): The inputs of each split; "train" is the one that others are compared with.
    nlp (Language): Gives the tokenizer for formats without tokens.
    options (Optional[ReadOptions]): How to read.
    progress (Optional[Callable]): Is called with each file before it is read.
    RETURNS (Validation): All problems, those of reading included, and counts. Nothing is raised for bad data.
    """
    options = options or ReadOptions()
    reader = SourceReader(nlp, options)
    problems: List[Problem] = []
    statistics: List[SplitStatistics] = []
    texts: Dict[str, Place] = {}
    sents: Dict[str, Place] = {}
    for name, inputs in splits.items():
        split = SplitStatistics(name)
        statistics.append(split)
        for path in find_files(inputs, problems, format=options.format):
            if progress is not None:
                progress(path)
            for doc in reader.read(path, problems):
                split.add(doc, str(doc_meta(doc).get("domain", "")))
                problems.extend(check_doc(doc, path))
                if not _check_repeated(doc, name, path, texts, problems):
                    _check_repeated_sents(doc, name, path, sents, problems)
    if not any(split.docs for split in statistics) and not problems:
        problems.append(Problem(", ".join(splits), 0, Errors.CT373))
    problems.extend(_check_labels(statistics))
    return Validation(problems, statistics)


def check_doc(doc: Doc, path: Path) -> Iterator[Problem]:
    """The checks that need one document only.

    doc (Doc): The document.
    path (Path): The file it was read from.
    YIELDS (Problem): What is wrong, with the document, token and character.
    """
    if not doc.text.strip():
        yield _problem(doc, path, Errors.CT381)
        return
    has_tags = doc.has_annotation("TAG") or doc.has_annotation("POS")
    has_ents = doc.has_annotation("ENT_IOB")
    if not (has_tags or has_ents or doc.has_annotation("DEP") or doc.cats or doc.spans):
        yield _problem(doc, path, Errors.CT380)
    for ent in doc.ents:
        if ent.text != ent.text.strip():
            yield _problem(doc, path, Errors.CT382.format(text=ent.text, label=ent.label_), token=ent.start)
        if doc.has_annotation("SENT_START") and any(token.is_sent_start for token in ent[1:]):
            message = Warnings.CW301.format(text=ent.text, label=ent.label_)
            yield _problem(doc, path, message, token=ent.start, is_error=False)
    untagged = [token.i for token in doc if not (token.tag or token.pos)] if has_tags else []
    if untagged:
        message = Warnings.CW302.format(n=len(untagged), total=len(doc), text=doc[untagged[0]].text)
        yield _problem(doc, path, message, token=untagged[0], is_error=False)


def _problem(doc: Doc, path: Path, message: str, *, token: int = -1, is_error: bool = True) -> Problem:
    """A problem of a document: its name, and the offset of a token, stand at the end of the message."""
    meta = doc_meta(doc)
    source, line = meta.get("source"), int(meta.get("line", 0))
    is_own = source == path.as_posix()
    where = f"document {meta.get('id')!r}"
    if not is_own and source:
        where += f" from {source}" + (f":{line}" if line else "")
    if token >= 0:
        where += f", token {token}, character {doc[token].idx}"
    return Problem(str(path), line if is_own else 0, f"{message} ({where})", is_error)


def _place(problem: Problem) -> str:
    """Where a problem without a message is, to stand inside a sentence."""
    return f"{problem.path}:{problem.line}{problem.message}" if problem.line else f"{problem.path}{problem.message}"


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())


def _check_repeated(doc: Doc, split: str, path: Path, seen: Dict[str, Place], problems: List[Problem]) -> bool:
    """Report a text that was met before. RETURNS (bool): Whether it was."""
    here = _problem(doc, path, "")
    other_split, other = seen.setdefault(_normal(doc.text), (split, here))
    if other is here:
        return False
    leaks = other_split != split and len(doc) >= MIN_TOKENS
    template = Errors.CT383 if leaks else Warnings.CW303
    message = template.format(split=split, other=other_split, place=_place(other), text=doc.text[:60])
    problems.append(_problem(doc, path, message, is_error=leaks))
    return True


def _check_repeated_sents(doc: Doc, split: str, path: Path, seen: Dict[str, Place], problems: List[Problem]) -> None:
    """Report sentences that also stand in another split."""
    for sent in doc.sents if doc.has_annotation("SENT_START") else ():
        if len(sent) >= MIN_TOKENS:
            here = _problem(doc, path, "", token=sent.start)
            other_split, other = seen.setdefault(_normal(sent.text), (split, here))
            if other_split != split:
                text = sent.text[:60]
                message = Warnings.CW304.format(split=split, other=other_split, place=_place(other), text=text)
                problems.append(_problem(doc, path, message, token=sent.start, is_error=False))


def _check_labels(splits: List[SplitStatistics]) -> Iterator[Problem]:
    """Labels that cannot be learnt or measured, and surfaces with several labels."""
    train = next((split for split in splits if split.name == TRAIN), None)
    labels = sorted({label for split in splits for label in split.ents})
    for label in labels:
        having = [split.name for split in splits if split.ents[label]]
        if sum(split.ents[label] for split in splits) == 1:
            yield Problem(having[0], 0, Warnings.CW305.format(label=label), is_error=False)
        if train is not None and TRAIN not in having:
            yield Problem(", ".join(having), 0, Warnings.CW306.format(label=label), is_error=False)
        lacking = [s.name for s in splits if s is not train and s.ents and not s.ents[label]]
        if train is not None and TRAIN in having and lacking:
            yield Problem(", ".join(lacking), 0, Warnings.CW307.format(label=label), is_error=False)
    conflicts = conflicting_mentions(splits)
    if conflicts:
        shown = "; ".join(
            f"{surface!r} " + ", ".join(f"{label} {n}" for label, n in counts.most_common())
            for surface, counts in list(conflicts.items())[:10]
        )
        names = ", ".join(split.name for split in splits)
        yield Problem(names, 0, Warnings.CW308.format(n=len(conflicts), examples=shown), is_error=False)
