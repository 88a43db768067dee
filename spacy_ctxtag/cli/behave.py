"""`python -m spacy ctx behave MODEL FILE.yml`: tests of behaviour, and what fails in them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Optional

import typer

from .. import __version__
from ..errors import Errors
from ..warnings import Warnings
from ._app import app
from ._checks import crash_is_no_verdict, reading, refuse, writing
from ._printer import count, msg, printable

if TYPE_CHECKING:
    from spacy.language import Language

HEADER = ["", "test", "type", "severity", "cases", "fail", "rate", "allowed"]


@app.command("behave", no_args_is_help=True)
@crash_is_no_verdict()
def behave_cli(
    model: Annotated[str, typer.Argument(help="Pipeline: a folder or package", show_default=False)],
    suite: Annotated[
        Path, typer.Argument(help="YAML file of tests, such as configs/behaviour.yml", show_default=False)
    ],
    output: Annotated[
        Optional[Path], typer.Option("--output", "-o", help="JSON file for all figures and all that fails")
    ] = None,
    show: Annotated[int, typer.Option("--show", help="How many cases to print of a test that fails", min=0)] = 3,
    code: Annotated[Optional[Path], typer.Option("--code", "-c", help="Python file with registered functions")] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """
    Test what a pipeline does: in texts in which it must not be wrong, and in texts that are changed in a way that must
    change nothing, or just one thing.

    The exit code is 0; 1 if a test fails more often than it allows; 2 if something cannot be read, or
    a component fails.
    """
    from spacy.cli._util import import_code, setup_gpu
    from spacy.util import load_model

    from ..training.folders import write_json

    if output is not None and output.is_dir():
        refuse(Errors.CT739.format(path=output))
    import_code(code)
    setup_gpu(gpu_id, silent=gpu_id < 0)
    try:
        nlp = load_model(model)
    except (OSError, ValueError) as error:
        refuse(Errors.CT513.format(path=model, reason=error))
    results = try_behaviour(nlp, suite, show)
    if output is not None:
        with writing(output, exit_code=2):
            write_json(output, {"version": __version__, "model": model, **results})
        msg.good(f"{output}: all figures, and all cases that fail")
    if not results["passed"]:
        raise typer.Exit(1)


def try_behaviour(nlp: "Language", path: Path, n_shown: int = 3) -> Dict[str, Any]:
    """Run the tests of a file and print what comes out. An error in the file ends the program with exit code 2.

    n_shown (int): How many cases are printed of each test that fails.
    RETURNS (Dict[str, Any]): As `run_behaviours`; exit code 1 is for the caller, where "passed" is False.
    """
    from ..evaluation.behaviour import run_behaviours
    from ..evaluation.behaviour_file import read_suite

    with reading(exit_code=2):
        suite = read_suite(path)
    results = run_behaviours(nlp, suite)
    show_results(results, n_shown)
    return results


def show_results(results: Dict[str, Any], n_shown: int) -> None:
    """Print a table of all tests, the first cases of those that fail, and how many do."""
    tests: List[Dict[str, Any]] = results["tests"]
    msg.table([_row(test) for test in tests], header=HEADER, divider=True, aligns=["l"] * 4 + ["r"] * 4)
    for test in tests:
        if test["unknown_labels"]:
            known, labels = (printable(", ".join(test[key])) for key in ("known_labels", "unknown_labels"))
            msg.warn(Warnings.CW736.format(test=printable(test["name"]), labels=labels, known=known))
    failed = [test for test in tests if not test["passed"]]
    for test in failed:
        msg.text(f"{printable(test['name'])}: {printable(test['description'])}", spaced=True)
        if not test["cases"]:
            msg.text("No text could be changed, so nothing was tested.")
        for case in test["failed_cases"][:n_shown]:
            original = "" if case["original"] is None else f"{printable(case['original'])}  →  "
            msg.text(f"  {original}{printable(case['text'])}")
            msg.text(f"    expected {_listed(case['expected'])}; got {_listed(case['got'])}")
    if failed:
        msg.fail(f"{len(failed):,} of {count(len(tests), 'test')} failed")
    else:
        msg.good(f"{count(len(tests), 'test')} passed")


def _row(test: Dict[str, Any]) -> List[str]:
    rate = "" if test["failure_rate"] is None else f"{test['failure_rate']:.0%}"
    names = [printable(test["name"]), test["type"], test["severity"]]
    numbers = [f"{test['cases']:,}", f"{test['failures']:,}", rate, f"{test['max_failure_rate']:.0%}"]
    return ["+" if test["passed"] else "-", *names, *numbers]


def _listed(records: List[Dict[str, Any]]) -> str:
    """RETURNS (str): Mentions or changes in a line."""
    said = (f"{each.get('change', '')} {each['text']!r} {each['label']}".strip() for each in records)
    return printable(", ".join(said)) or "nothing"
