"""`python -m spacy ctx evaluate MODEL DATA --output report/`: how good a pipeline is, and where it errs."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Callable, Dict, Iterator, List, Optional

import typer

from ..errors import Errors
from ..training.folders import replace_folder, write_json
from ..warnings import Warnings
from . import _options as opt
from ._app import app
from ._checks import reading, writing
from ._printer import count, msg
from .behave import try_behaviour
from .evaluation_table import show

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from ..evaluation.report.known import Known

JSON_FILE, PAGE, BEHAVIOUR = FILES = ("report.json", "index.html", "behaviour.json")  # what a report consists of
NEEDED = {"scipy": "SciPy", "matplotlib": "matplotlib"}
if sys.version_info >= (3, 11):
    NEEDED["nervaluate"] = "nervaluate"
OFTEN = 5000  # documents between two lines that tell how far it is


@app.command("evaluate", no_args_is_help=True)
def evaluate_cli(
    model: Annotated[str, typer.Argument(help="Pipeline: a folder or package", show_default=False)],
    data: Annotated[
        Path, typer.Argument(help="Annotated texts it was not trained on: a file or folder", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the report")],
    train: Annotated[
        Optional[Path], typer.Option("--train", help="What it was trained on, to tell known words and mentions")
    ] = None,
    behaviour: Annotated[
        Optional[Path], typer.Option("--behaviour", help="YAML file of tests of behaviour; exit code 1 if one fails")
    ] = None,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=0, help="Documents to predict at once; 0: as the pipeline says")
    ] = 0,
    n_samples: Annotated[
        int, typer.Option("--n-samples", min=0, help="Draws of the bootstrap for intervals; 0: no intervals")
    ] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the draws")] = 0,
    code: Annotated[Optional[Path], typer.Option("--code", "-c", help="Python file with registered functions")] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """
    Score a pipeline on annotated texts, and say where it errs: by label, domain, length, and what training has seen;
    with intervals, kinds of errors, confusions, and calibration. Print a table, and write report.json and a page.
    """
    from spacy.cli._util import import_code, setup_gpu
    from spacy.util import load_model

    from ..evaluation.report.about import DataReport, describe_model
    from ..evaluation.report.known import known_of_docs, known_of_pipeline
    from ..evaluation.report.run import Evaluation

    missing = [title for name, title in NEEDED.items() if find_spec(name) is None]
    if missing:
        msg.fail(Errors.CT710.format(packages=" and ".join(missing)), exits=1)
    check_folder(output)
    import_code(code)
    setup_gpu(gpu_id, silent=gpu_id < 0)
    try:
        nlp = load_model(model)
    except (OSError, ValueError) as error:
        msg.fail(Errors.CT513.format(path=model, reason=error), exits=1)
        raise typer.Exit(1) from error
    behaved = None if behaviour is None else try_behaviour(nlp, behaviour)
    known: Known = known_of_pipeline(nlp)
    if train is not None:
        known = known_of_docs(stream(train, nlp), str(train), digest_of(train))
    about = DataReport(str(data), digest_of(data), learned_from(nlp))
    evaluation = Evaluation(nlp, known, about, batch_size or nlp.batch_size)
    evaluation.add(stream(data, nlp), Teller())
    device = "cpu" if gpu_id < 0 else f"gpu:{gpu_id}"
    report = evaluation.result(describe_model(nlp, model), device, n_samples, seed)
    check_report(report, data)
    with writing(output):
        replace_folder(output, lambda folder: write(folder, report, behaved))
    show(report)
    msg.good(f"{output / PAGE}: all of it, to be read in a browser; {JSON_FILE} beside it")
    if behaved is not None and not behaved["passed"]:
        msg.fail(f"{behaviour}: not all tests of behaviour passed, see above", exits=1)


def check_folder(path: Path) -> None:
    """End the program where a folder cannot be replaced, or has something that is no report."""
    if path.exists() and path.samefile(Path.cwd()):
        msg.fail(Errors.CT714.format(path=path), exits=1)
    names = sorted(each.name for each in path.iterdir()) if path.is_dir() else [path.name] if path.exists() else []
    others = [name for name in names if name not in FILES]
    if others:
        msg.fail(Errors.CT712.format(path=path, names=", ".join(others[:5])), exits=1)


def digest_of(path: Path) -> str:
    """The hash of the files that an input means; without any, the program ends."""
    from ..data.records import Problem
    from ..data.sources import find_files
    from ..evaluation.report.about import digest

    problems: List[Problem] = []
    files = find_files([path], problems)
    if problems:
        opt.show_problems(problems)
        msg.fail(count(len(problems), "error"), exits=1)
    return digest(files)


def stream(path: Path, nlp: "Language") -> Iterator["Doc"]:
    """The documents of a file or folder in any format; errors in the data are listed and end the program."""
    from ..data.corpus import read_docs
    from ..data.sources import ReadOptions

    with reading():
        yield from read_docs(path, nlp, ReadOptions())


def learned_from(nlp: "Language") -> Optional[Callable[[str], bool]]:
    """A function that says whether the pipeline was trained on a text; None where it does not know."""
    from ..training.fingerprint import META_KEY, hash_text

    if META_KEY not in nlp.meta:
        return None
    hashes = frozenset(nlp.meta[META_KEY])
    return lambda text: hash_text(text) in hashes


class Teller:
    """Says how far it is, but not often."""

    def __init__(self) -> None:
        self.told = 0

    def __call__(self, n: int) -> None:
        """n (int): Documents so far."""
        if n // OFTEN > self.told:
            self.told = n // OFTEN
            msg.text(f"{n:,} documents", icon="info")


def check_report(report: Dict[str, Any], path: Path) -> None:
    """End the program where nothing was scored; warn where the scores are too good."""
    about = report["data"]
    if not report["components"]:
        layers = ", ".join(report["model"]["pipeline"]) or "nothing"
        msg.fail(Errors.CT711.format(path=path, n=about["documents"], layers=layers), exits=1)
    if about["trained_on"] is None:
        msg.warn(Warnings.CW501.format(path=path))
    elif about["trained_on"]:
        msg.warn(Warnings.CW710.format(n=about["trained_on"], total=about["documents"], path=path))


def write(folder: Path, report: Dict[str, Any], behaved: Optional[Dict[str, Any]]) -> None:
    """Write the files of a report into a new folder."""
    from ..evaluation.page import write_page

    folder.mkdir()
    write_json(folder / JSON_FILE, report)
    write_page(report, folder / PAGE)
    if behaved is not None:
        write_json(folder / BEHAVIOUR, behaved)
