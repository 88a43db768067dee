"""The registered corpus reader: any of the formats as Examples, without a conversion, metadata kept.

It takes the settings of `spacy.Corpus.v1` and differs in three things: `path` may be a file or folder of any format;
the predicted Doc carries the metadata of the reference, so that reports by domain need no gold data; and a
source with errors stops training with all errors listed, before any document of the file with errors is used (in a
`.spacy` file: any document from the first broken one on).
"""

import warnings
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..errors import Errors
from ..warnings import Warnings
from .records import USER_DATA_KEY, DataError, Problem, doc_meta
from .sources import ReadOptions, SourceReader, find_files

Augmenter = Callable[[Language, Example], Iterator[Example]]
Corpus = Callable[[Language], Iterator[Example]]


def create_corpus_v1(
    path: Optional[Path],
    max_length: int = 0,
    limit: int = 0,
    gold_preproc: bool = False,
    augmenter: Optional[Callable[[Language, Example], Iterator[Example]]] = None,
    options: Optional[Dict[str, Any]] = None,
) -> Callable[[Language], Iterable[Example]]:
    """Make the reader `spacy-ctxtag.Corpus.v1`.

    path (Optional[Path]): A file or folder.
    max_length (int): Documents of this many tokens or more are cut into their sentences, and sentences of this many
        are left out with a warning; 0: no limit.
    limit (int): Take this many documents at most; 0: all.
    gold_preproc (bool): Whether to yield single sentences with the reference's tokens.
    augmenter (Optional[Callable]): Makes more examples of each.
    options (Optional[Dict[str, Any]]): How to read, as `sources.ReadOptions`: format, separator, scheme, ….
    RETURNS (Callable[[Language], Iterable[Example]]): The reader.
    RAISES (ValueError): No path (CT374), or an unknown option (CT304). When read: DataError (CT300).
    """
    if path is None or not str(path):
        raise ValueError(Errors.CT374)
    read_options = ReadOptions.from_dict(options or {})
    source = Path(path)

    def read_corpus(nlp: Language) -> Iterator[Example]:
        n_long = 0
        for number, doc in enumerate(read_docs(source, nlp, read_options), 1):
            for reference in _cut(doc, max_length, gold_preproc=gold_preproc):
                if max_length and not gold_preproc and len(reference) >= max_length:
                    n_long += 1
                    continue
                example = make_example(nlp, reference, gold_preproc=gold_preproc)
                for made in augmenter(nlp, example) if augmenter is not None else [example]:
                    _copy_user_data(reference, made)
                    yield made
            if number == limit:
                break
        if n_long:
            warnings.warn(Warnings.CW300.format(n=n_long, max_length=max_length, path=source), stacklevel=2)

    return read_corpus


def read_docs(source: Path, nlp: Language, options: ReadOptions) -> Iterator[Doc]:
    """The documents of a file or folder.

    YIELDS (Doc): Documents, of .spacy files one at a time.
    RAISES (DataError): CT300, before the first document of a file with errors, or its first broken one.
    """
    problems: List[Problem] = []
    files = find_files([source], problems, format=options.format)
    reader = SourceReader(nlp, options)
    has_errors, seen = False, 0
    for path in files:
        docs: Iterable[Doc] = reader.read(path, problems)
        if path.suffix.lower() != ".spacy":  # that one is lazy; a broken document of it shows when it is read
            docs = list(docs)
        for doc in docs:  # after an error it goes on, only to list the problems of all files
            has_errors = has_errors or any(problem.is_error for problem in problems[seen:])
            seen = len(problems)
            if not has_errors:
                yield doc
    if any(problem.is_error for problem in problems):
        raise DataError(problems)


def _cut(doc: Doc, max_length: int, *, gold_preproc: bool) -> Iterator[Doc]:
    """The document, or its sentences where they are wanted or it is too long, with its metadata."""
    is_long = max_length > 0 and len(doc) >= max_length
    if doc.has_annotation("SENT_START") and (gold_preproc or is_long):
        for sent in doc.sents:
            piece = sent.as_doc()
            piece.user_data[USER_DATA_KEY] = doc_meta(doc)
            piece.has_unknown_spaces = doc.has_unknown_spaces
            _copy_spans(sent, piece)
            yield piece
    elif len(doc):
        yield doc


def _copy_spans(sent: Span, piece: Doc) -> None:
    """Take over the span groups of a sentence. One with a span across its border is left out, so as to be unknown."""
    for key, group in sent.doc.spans.items():
        touched = [span for span in group if span.start < sent.end and sent.start < span.end]
        if all(sent.start <= span.start and span.end <= sent.end for span in touched):
            moved = ((span.start - sent.start, span.end - sent.start, span.label) for span in touched)
            piece.spans[key] = [Span(piece, start, end, label=label) for start, end, label in moved]


def make_example(nlp: Language, reference: Doc, *, gold_preproc: bool = False) -> Example:
    """RETURNS (Example): The reference, and its text to predict; with the tokens of the reference where these are
    wanted, or the text between them is not known."""
    if gold_preproc or reference.has_unknown_spaces:
        words = [token.text for token in reference]
        predicted = Doc(nlp.vocab, words=words, spaces=[bool(token.whitespace_) for token in reference])
    else:
        predicted = nlp.make_doc(reference.text)
    return Example(predicted, reference)


def _copy_user_data(reference: Doc, example: Example) -> None:
    """Copy what is keyed by a string; extension attributes are keyed by tuples and belong to annotations."""
    for doc in (example.predicted, example.reference):
        for key, value in reference.user_data.items():
            if isinstance(key, str):
                doc.user_data.setdefault(key, value)
