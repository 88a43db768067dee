"""What commands check alike: what they read, where a result goes and whether it got there, how they end."""

import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, List, NoReturn

import typer

from ..errors import Errors
from ..warnings import Warnings
from ._options import show_problems
from ._printer import count, msg, printable

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.training import Example


def check_output(output: Path, *, force: bool) -> None:
    """End the program where something would be replaced that is no pipeline, or without `force`."""
    problem, remedy = "", "Name another folder."
    if output.exists() and not output.is_dir():
        problem = "is a file"
    elif output.is_dir() and any(output.iterdir()) and not (output / "meta.json").is_file():
        problem = "is not empty and no pipeline"
    elif output.is_dir() and any(output.iterdir()) and not force:
        problem, remedy = "is there already", "Name another folder, or replace it with --force."
    if problem:
        msg.fail(Errors.CT508.format(path=output, problem=problem, remedy=remedy), exits=1)


def check_dev(nlp: "Language", path: Path, dev: List["Example"], train: List["Example"], *, force: bool) -> None:
    """End the program where texts to measure with are learned from, or were; with `force`, say so."""
    from ..training.fingerprint import META_KEY as TRAINED
    from ..training.fingerprint import hash_text

    known = {*nlp.meta.get(TRAINED, ()), *(hash_text(eg.reference.text) for eg in train)}
    n = sum(hash_text(eg.reference.text) in known for eg in dev)
    if n and not force:
        msg.fail(Errors.CT520.format(n=n, total=len(dev), path=path), exits=1)
    if n:
        msg.warn(Warnings.CW510.format(n=n, total=len(dev), path=path))


@contextmanager
def reading(exit_code: int = 1) -> Iterator[None]:
    """Read data; where there are errors in them, these are listed, and the program ends."""
    from ..data.records import DataError

    try:
        yield
    except DataError as error:
        show_problems(error.problems)
        msg.fail(count(sum(problem.is_error for problem in error.problems), "error"))
        raise SystemExit(exit_code) from error


@contextmanager
def writing(path: Path, exit_code: int = 1) -> Iterator[None]:
    """Write what a command makes; where the system does not let it, the program ends."""
    try:
        yield
    except OSError as error:
        msg.fail(printable(Errors.CT713.format(path=path, reason=error)))
        raise typer.Exit(exit_code) from error


@contextmanager
def crash_is_no_verdict() -> Iterator[None]:
    """End a command that is a gate with exit code 2, instead of Python's 1, where something raises, as a component."""
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        traceback.print_exc()
        raise typer.Exit(2) from error


def refuse(message: str) -> NoReturn:
    """End a command that is a gate where it cannot do its work: exit code 2, since 1 says that the gate is closed."""
    msg.fail(message)
    raise typer.Exit(2)
