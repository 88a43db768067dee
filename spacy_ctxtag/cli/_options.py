"""What several commands have in common: options that say how to read data, and how problems are shown."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Callable, Iterable, Optional

import typer

from ..errors import Errors
from ._printer import msg

if TYPE_CHECKING:
    from spacy.language import Language

    from ..data.records import Problem
    from ..data.sources import ReadOptions

# fmt: off
Format = Annotated[str, typer.Option("--format", "-f", help="auto, inline, columns, conllu, jsonl or spacy")]
Separator = Annotated[str, typer.Option("--separator", "-s", help="Columns: auto, tab, space, comma, semicolon, pipe or any other string")]  # noqa: E501
TokenColumn = Annotated[int, typer.Option("--token-column", help="Columns: the token's column, from 0, or from -1 at the end")]  # noqa: E501
TagColumn = Annotated[int, typer.Option("--tag-column", help="Columns: the entity tag's column")]
PosColumn = Annotated[Optional[int], typer.Option("--pos-column", help="Columns: the part of speech's column, if it is to be read")]  # noqa: E501
ChunkColumn = Annotated[Optional[int], typer.Option("--chunk-column", help="Columns: the column with tags of chunks, if they are to be read")]  # noqa: E501
Scheme = Annotated[str, typer.Option("--scheme", help="Columns: auto (by the whole file), IOB1, BIO, BIOES or BILUO")]
NSents = Annotated[int, typer.Option("--n-sents", "-n", help="Columns, CoNLL-U: sentences a document where documents are not marked; 0: the file is one")]  # noqa: E501
TagSet = Annotated[str, typer.Option("--tag-set", help="Tags are universal parts of speech (upos), others (xpos), or auto")]  # noqa: E501
NoEnts = Annotated[bool, typer.Option("--no-ents", help="Entities are not annotated: leave them unknown")]
NounChunks = Annotated[bool, typer.Option("--noun-chunks", help="Derive noun chunks from universal parts of speech")]
SpansKey = Annotated[str, typer.Option("--spans-key", help="Chunks go to doc.spans[KEY]")]
OnMisaligned = Annotated[str, typer.Option("--on-misaligned", help="JSONL: spans that do not lie on token borders: error, drop (their tokens become unknown) or expand")]  # noqa: E501
Lang = Annotated[str, typer.Option("--lang", "-l", help="Language of the tokenizer, for formats without tokens")]
# fmt: on


def make_options(**values: Any) -> "ReadOptions":
    """The options of a command as ReadOptions; a wrong one ends the program with exit code 1."""
    from ..data.sources import ReadOptions

    try:
        return ReadOptions(**values)
    except ValueError as err:
        msg.fail(str(err), exits=1)
        raise typer.Exit(1) from err


def make_tokenizer(lang: str) -> "Language":
    """A blank pipeline of a language; an unknown one ends the program with exit code 1."""
    import spacy

    try:
        return spacy.blank(lang)
    except ImportError as err:
        msg.fail(Errors.CT500.format(lang=lang, reason=err), exits=1)
        raise typer.Exit(1) from err


def show_problems(problems: Iterable["Problem"]) -> None:
    """Print all problems, a line each, by file and line; warnings first, so that the output ends with the errors."""
    listed = list(problems)
    order = {path: i for i, path in enumerate(dict.fromkeys(problem.path for problem in listed))}
    for problem in sorted(listed, key=lambda p: (p.is_error, order[p.path], p.line)):
        if problem.is_error:
            msg.fail(str(problem))
        else:
            msg.warn(str(problem))


def show_files(options: "ReadOptions") -> Callable[[Path], None]:
    """A function that prints each file as it is read, and the format that was guessed for it."""

    def show(path: Path) -> None:
        guessed = " (guessed)" if options.format == "auto" else ""
        msg.text(f"{path}: {options.format_of(path)}{guessed}", icon="info")

    return show
