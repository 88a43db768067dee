"""What commands that change a pipeline check first: where it goes, and what it is measured on."""

from pathlib import Path
from typing import TYPE_CHECKING, List, NoReturn

import typer

from ..errors import Errors
from ..warnings import Warnings
from ._printer import msg

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


def refuse(message: str) -> NoReturn:
    """End a command that is a gate where it cannot do its work: exit code 2, since 1 says that the gate is closed."""
    msg.fail(message)
    raise typer.Exit(2)
