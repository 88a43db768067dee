"""`python -m spacy ctx validate train=… dev=… test=…`: structural checks of annotated data, and a table of counts."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Dict, List, Optional, Tuple

import typer

from ..errors import Errors
from . import _options as opt
from ._app import app
from ._checks import writing
from ._printer import count, msg, printable
from .pretrain import find as find_backbone

if TYPE_CHECKING:
    from ..data.checks.known_tokens import Judge
    from ..data.validate import Validation


@app.command("validate", no_args_is_help=True)
def validate_cli(
    inputs: Annotated[List[str], typer.Argument(help="NAME=PATH (train, dev, test, …) or PATH", show_default=False)],
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 for warnings, too")] = False,
    output: Annotated[
        Optional[Path], typer.Option("--output", "-o", help="Also write all problems to this file, as JSON")
    ] = None,
    max_problems: Annotated[
        int, typer.Option("--max-problems", help="Print so many problems of a code at most; 0: all")
    ] = 10,
    near_duplicates: Annotated[
        float,
        typer.Option(
            "--near-duplicates", help="Texts are nearly the same if they share so much of their words; 1: off"
        ),
    ] = 0.8,
    backbone: Annotated[
        Optional[str],
        typer.Option("--backbone", help="Look for tokens it does not know: minilm, a folder, or a name on the hub"),
    ] = None,
    spans_key: opt.SpansKey = "chunks",
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
    Check annotated data, in any format: texts that stand in two splits, or nearly so, entities with white space at an
    edge, documents without text or annotation, labels that are misspelt, rare or cannot be learnt or measured, mentions
    with conflicting labels or annotated in some places only, tokens that an encoder does not know.

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
        spans_key=spans_key,
        on_misaligned=on_misaligned,
    )
    splits = name_splits(inputs)
    if max_problems < 0:
        msg.fail(Errors.CT304.format(name="max-problems", met=max_problems, expected="0 or more"), exits=1)
    if output is not None:
        check_output(output, [path for paths in splits.values() for path in paths])
    nlp = opt.make_tokenizer(lang)
    try:
        result = validate(
            splits,
            nlp,
            options,
            similarity=near_duplicates,
            judge=make_judge(backbone) if backbone is not None else None,
            encoder=backbone or "",
            progress=opt.show_files(options),
        )
    except ValueError as error:
        msg.fail(str(error), exits=1)
        raise typer.Exit(1) from error
    show_by_code(result, max_problems)
    show_table(result, has_encoder=backbone is not None)
    if output is not None:
        write(result, output)
    codes = ", ".join(f"{code} {len(group):,}" for (_, code), group in result.by_code().items())
    n_errors = len(result.errors)
    n_warnings = len(result.problems) - n_errors
    counts = f"{count(n_errors, 'error')}, {count(n_warnings, 'warning')}" + (f": {codes}" if codes else "")
    if n_errors or (strict and n_warnings):
        msg.fail(counts, exits=1)
    msg.good(counts)


def name_splits(inputs: List[str]) -> Dict[str, List[Path]]:
    """`NAME=PATH` as {name: paths}; a path alone is named after its file, or by all of it where something else has that
    name, too. A path that exists is not cut at a "="."""
    named: List[Tuple[str, Path]] = []
    for given in inputs:
        name, separator, rest = given.partition("=")
        is_named = separator and name and rest and not Path(given).exists()
        named.append((name, Path(rest)) if is_named else ("", Path(given)))
    taken = Counter([*{name for name, _ in named if name}, *(path.stem for name, path in named if not name)])
    splits: Dict[str, List[Path]] = {}
    for name, path in named:
        splits.setdefault(name or (path.stem if taken[path.stem] == 1 else str(path)), []).append(path)
    return splits


def check_output(output: Path, inputs: List[Path]) -> None:
    """End the program where the problems would be written over something that is not such a file."""
    if output.is_dir() or output.suffix != ".json":
        msg.fail(
            Errors.CT304.format(name="output", met=str(output), expected="a file whose name ends in .json"), exits=1
        )
    if any(path.exists() and path.resolve() == output.resolve() for path in inputs):
        msg.fail(Errors.CT372, exits=1)


def make_judge(backbone: str) -> "Judge":
    """RETURNS (Judge): Tells which tokens an encoder knows. RAISES (ValueError): There is none (CT002), or no fast
    tokenizer (CT006)."""
    from ..layers.hf_weights import load_tokenizer
    from ..layers.known_tokens import know_tokens

    tokenizer = load_tokenizer(find_backbone(backbone, None).resolve())
    return lambda docs: know_tokens(docs, tokenizer)


def show_by_code(result: "Validation", most: int) -> None:
    """Print the problems, errors first, at most so many of each code (0: all)."""
    for (is_warning, code), group in result.by_code().items():
        for problem in group[: most or None]:
            line = printable(str(problem))
            if is_warning:
                msg.warn(line)
            else:
                msg.fail(line)
        if 0 < most < len(group):
            msg.text(f"… and {len(group) - most:,} more of {code}")


def show_table(result: "Validation", *, has_encoder: bool) -> None:
    """Print the counts of every split, one column a split."""
    from ..data.statistics import layers_of, unseen_share
    from ..data.validate import TRAIN

    splits = result.splits
    train = next((split for split in splits if split.name == TRAIN), None)
    rows: List[List[str]] = [
        ["documents", *(f"{split.docs:,}" for split in splits)],
        ["sentences", *(f"{split.sents:,}" for split in splits)],
        ["tokens", *(f"{split.tokens:,}" for split in splits)],
        ["tokens with a tag", *(f"{split.tagged:,}" for split in splits)],
        ["tokens, entity unknown", *(f"{split.unknown:,}" for split in splits)],
        ["tokens in entities", *(percent(split.inside, split.tokens) for split in splits)],
    ]
    if has_encoder:
        rows += [
            ["tokens, not known to the encoder", *(f"{result.unknown[split.name]:,}" for split in splits)],
            ["tokens, nothing left of them", *(f"{result.deleted[split.name]:,}" for split in splits)],
        ]
    for layer in layers_of(splits):
        counts = [split.of(layer) for split in splits]
        rows.append([printable(layer), *(f"{each.total():,}" for each in counts)])
        for label in sorted({label for each in counts for label in each}):
            cells = (f"{each[label]:,} {percent(each[label], each.total()):>4}" for each in counts)
            rows.append(["  " + printable(label), *cells])
    if train is not None:
        shares = ["" if split is train else f"{unseen_share(train, split):.0%}" for split in splits]
        rows.append(["mentions not in train", *shares])
    rows += [
        ["documents: " + printable(domain), *(f"{split.domains[domain]:,}" for split in splits)]
        for domain in sorted({domain for split in splits for domain in split.domains})
    ]
    header = ["", *(printable(split.name) for split in splits)]
    msg.table(rows, header=header, divider=True, aligns=["l", *("r" for _ in splits)])


def percent(n: int, total: int) -> str:
    """RETURNS (str): A share, "" of nothing."""
    return f"{n / total:.0%}" if total else ""


def write(result: "Validation", output: Path) -> None:
    """Write all problems and counts; a file that cannot be written ends the program."""
    from ..training.folders import write_json

    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        write_json(output, result.to_json())
    msg.good(f"{output}: {count(len(result.problems), 'problem')}")
