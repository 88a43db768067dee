"""`python -m spacy ctx convert INPUT... OUTPUT.spacy`: annotated files of any format to one `.spacy` file."""

from pathlib import Path
from typing import Annotated, List

import typer

from . import _options as opt
from ._app import app
from ._checks import writing
from ._printer import count, msg


@app.command("convert", no_args_is_help=True)
def convert_cli(
    inputs: Annotated[List[Path], typer.Argument(help="Files or folders", show_default=False)],
    output: Annotated[Path, typer.Argument(help="The .spacy file to write", show_default=False)],
    format: opt.Format = "auto",
    separator: opt.Separator = "auto",
    token_column: opt.TokenColumn = 0,
    tag_column: opt.TagColumn = -1,
    pos_column: opt.PosColumn = None,
    chunk_column: opt.ChunkColumn = None,
    scheme: opt.Scheme = "auto",
    n_sents: opt.NSents = 1,
    tag_set: opt.TagSet = "auto",
    no_ents: opt.NoEnts = False,
    noun_chunks: opt.NounChunks = False,
    spans_key: opt.SpansKey = "chunks",
    on_misaligned: opt.OnMisaligned = "error",
    lang: opt.Lang = "en",
) -> None:
    """
    Convert annotated texts to a .spacy file. Formats: the inline markup; tokens in columns (CoNLL, IOB); CoNLL-U; JSONL
    with character offsets (spaCy, Prodigy); .spacy. Documents and sentences are kept.

    Every problem is listed with its file and line. If there is an error, nothing is written and the exit code is 1.
    """
    from ..data.convert import convert
    from ..data.records import DataError

    options = opt.make_options(
        format=format,
        separator=separator,
        token_column=token_column,
        tag_column=tag_column,
        pos_column=pos_column,
        chunk_column=chunk_column,
        scheme=scheme,
        n_sents=n_sents,
        tag_set=tag_set,
        has_ents=not no_ents,
        noun_chunks=noun_chunks,
        spans_key=spans_key,
        on_misaligned=on_misaligned,
    )
    nlp = opt.make_tokenizer(lang)
    try:
        with writing(output):
            result = convert(inputs, output, nlp, options, progress=opt.show_files(options))
    except DataError as err:
        opt.show_problems(err.problems)
        n_errors = sum(problem.is_error for problem in err.problems)
        msg.fail(f"{count(n_errors, 'error')}; {output} was not written", exits=1)
        return
    opt.show_problems(result.warnings)
    numbers = ((result.docs, "document"), (result.sents, "sentence"), (result.tokens, "token"))
    counts = ", ".join(count(n, noun) for n, noun in numbers)
    msg.good(f"{output}: {counts}")
    for what, found in (("Entities", result.ents), *((f"Spans, {key}", each) for key, each in result.spans.items())):
        if found:
            msg.text(f"{what}: " + ", ".join(f"{label} {n:,}" for label, n in sorted(found.items())))
