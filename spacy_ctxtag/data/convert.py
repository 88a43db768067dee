"""Converts annotated files of any format to one `.spacy` file, all or nothing.

The output is written under a temporary name in its own folder and then moved into place, so that a file with the
output's name is either the old one or a complete new one. The same inputs give the same bytes.
"""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence

from spacy.language import Language
from spacy.tokens import DocBin

from ..errors import Errors
from .records import DataError, Problem
from .sources import ReadOptions, SourceReader, find_files


@dataclass
class Conversion:
    """What a conversion did.

    formats (Dict[str, str]): The format of each file, by path.
    docs, sents, tokens (int): How many; a document without sentence starts counts as no sentence.
    ents (Counter): Entities by label.
    spans (Dict[str, Counter]): Other spans by label, under their key.
    warnings (List[Problem]): What is worth a look but does not stop a conversion.
    """

    formats: Dict[str, str] = field(default_factory=dict)
    docs: int = 0
    sents: int = 0
    tokens: int = 0
    ents: "Counter[str]" = field(default_factory=Counter)
    spans: Dict[str, "Counter[str]"] = field(default_factory=dict)
    warnings: List[Problem] = field(default_factory=list)


def convert(
    inputs: Sequence[Path],
    output: Path,
    nlp: Language,
    options: Optional[ReadOptions] = None,
    *,
    progress: Optional[Callable[[Path], None]] = None,
) -> Conversion:
    """Convert files to one `.spacy` file.

    inputs (Sequence[Path]): Files and folders.
    output (Path): The file to write; its folder is made if it does not exist.
    nlp (Language): Gives the tokenizer for formats without tokens, e.g. `spacy.blank("en")`.
    options (Optional[ReadOptions]): How to read.
    progress (Optional[Callable]): Is called with each file before it is read.
    RETURNS (Conversion): Counts and warnings.
    RAISES (DataError): Any error in any input (CT300, with all of them); nothing is written then.
    """
    options = options or ReadOptions()
    problems: List[Problem] = []
    if output.suffix != ".spacy" or output.is_dir():
        raise DataError([Problem(str(output), 0, Errors.CT371)])
    if any(path.exists() and path.resolve() == output.resolve() for path in inputs):
        raise DataError([Problem(str(output), 0, Errors.CT372)])
    reader = SourceReader(nlp, options)
    result = Conversion()
    doc_bin = DocBin(store_user_data=True)
    for path in find_files(inputs, problems, format=options.format, exclude=output):
        if progress is not None:
            progress(path)
        result.formats[str(path)] = options.format_of(path)
        for doc in reader.read(path, problems):
            result.docs += 1
            result.sents += sum(1 for token in doc if token.is_sent_start) if doc.has_annotation("SENT_START") else 0
            result.tokens += len(doc)
            result.ents.update(ent.label_ for ent in doc.ents)
            for key, group in doc.spans.items():
                result.spans.setdefault(key, Counter()).update(span.label_ for span in group)
            doc_bin.add(doc)
    if any(problem.is_error for problem in problems):
        raise DataError(problems)
    if not result.docs:
        raise DataError([Problem(str(output), 0, Errors.CT373)])
    result.warnings = problems
    write_docbin(doc_bin, output)
    return result


def write_docbin(doc_bin: DocBin, output: Path) -> None:
    """Write a DocBin to a temporary name, then move it into place.

    doc_bin (DocBin): What to write.
    output (Path): The file; its folder is made if it does not exist.
    RAISES (OSError): The folder cannot be written to; the output is as it was.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(doc_bin.to_bytes())
        os.replace(temporary, output)
    finally:
        temporary.unlink(missing_ok=True)
