"""`python -m spacy ctx validate train=… dev=… test=…`: structural checks of annotated data, and a table of counts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Dict, List

import typer

from . import _options as opt
from ._app import app
from ._printer import count, msg

if TYPE_CHECKING:
    from ..data.statistics import SplitStatistics


@app.command("validate", no_args_is_help=True)
def validate_cli(
    inputs: Annotated[List[str], typer.Argument(help="NAME=PATH (train, dev, test, …) or PATH", show_default=False)],
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 for warnings, too")] = False,
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
    on_misaligned: opt.OnMisaligned = "error",
    lang: opt.Lang = "en",
) -> None:
    """
    Check annotated data, in any format: texts that stand in two splits, entities with white space at an edge, documents
    without text or annotation, labels that cannot be learnt or measured, mentions with conflicting labels.

    PATH is a file or folder. The exit code is 1 if there is an error (with --strict: or a warning).
    """
    from ..data.validate import validate

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
        on_misaligned=on_misaligned,
    )
    nlp = opt.make_tokenizer(lang)
    result = validate(name_splits(inputs), nlp, options, progress=opt.show_files(format))
    opt.show_problems(result.problems)
    show_table(result.splits)
    n_errors = len(result.errors)
    n_warnings = len(result.problems) - n_errors
    counts = f"{count(n_errors, 'error')}, {count(n_warnings, 'warning')}"
    if n_errors or (strict and n_warnings):
        msg.fail(counts, exits=1)
    msg.good(counts)


def name_splits(inputs: List[str]) -> Dict[str, List[Path]]:
    """`NAME=PATH` as {name: paths}; a path alone is named after its file, and one that exists is not cut at a "="."""
    splits: Dict[str, List[Path]] = {}
    for given in inputs:
        name, separator, rest = given.partition("=")
        if not separator or not name or Path(given).exists():
            name, rest = Path(given).stem, given
        splits.setdefault(name, []).append(Path(rest))
    return splits


def show_table(splits: List["SplitStatistics"]) -> None:
    """Print the counts of every split, one column a split."""
    from ..data.statistics import unseen_share
    from ..data.validate import TRAIN

    train = next((split for split in splits if split.name == TRAIN), None)
    rows: List[List[str]] = [
        ["documents", *(f"{split.docs:,}" for split in splits)],
        ["sentences", *(f"{split.sents:,}" for split in splits)],
        ["tokens", *(f"{split.tokens:,}" for split in splits)],
        ["tokens with a tag", *(f"{split.tagged:,}" for split in splits)],
        ["tokens, entity unknown", *(f"{split.unknown:,}" for split in splits)],
        ["entities", *(f"{split.ents.total():,}" for split in splits)],
    ]
    rows += [
        ["  " + label, *(f"{split.ents[label]:,}" for split in splits)]
        for label in sorted({label for split in splits for label in split.ents})
    ]
    if train is not None:
        shares = ["" if split is train else f"{unseen_share(train, split):.0%}" for split in splits]
        rows.append(["mentions not in train", *shares])
    rows += [
        ["documents: " + domain, *(f"{split.domains[domain]:,}" for split in splits)]
        for domain in sorted({domain for split in splits for domain in split.domains})
    ]
    msg.table(rows, header=["", *(split.name for split in splits)], divider=True, aligns=["l", *("r" for _ in splits)])
