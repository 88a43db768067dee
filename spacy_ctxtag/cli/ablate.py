"""`python -m spacy ctx ablate CONFIG GRID`: what each part of a config brings, over several seeds."""

import sys
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Optional

import typer

from ..errors import Errors
from ._app import app
from ._printer import msg

if TYPE_CHECKING:
    from ..evaluation.ablation import Row, Run

HEADER = ["", "mean", "sd", "over base", "95 % interval", "p"]
CAPTION = "{score} on {data}, in percent; over documents: paired bootstrap, approximate randomisation"


@app.command(
    "ablate", no_args_is_help=True, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def ablate_cli(
    ctx: typer.Context,
    config: Annotated[Path, typer.Argument(help="Config of the base", exists=True, dir_okay=False, show_default=False)],
    grid: Annotated[Path, typer.Argument(help="YAML file of the variants", exists=True, dir_okay=False)],
    data: Annotated[
        Path, typer.Option("--data", help="Annotated texts (.spacy) to score all runs on", exists=True, dir_okay=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the runs and of the table")],
    seeds: Annotated[int, typer.Option("--seeds", help="Trainings of each variant", min=1)] = 3,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Trainings at a time", min=1)] = 1,
    keep_models: Annotated[bool, typer.Option("--keep-models", help="Do not remove the trained pipelines")] = False,
    code: Annotated[Optional[Path], typer.Option("--code", "-c", help="Python file with registered functions")] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """
    Train a config and variants of it, several seeds each, and show what each variant changes. What is cut off goes on
    where it stopped. Further options are settings of the config for all runs, such as --paths.train corpus/train.spacy.
    """
    from spacy.cli import _util

    from ..evaluation.ablation import execute, make_runs, read_grid, tables
    from ..training.folders import write_json

    spacy_cli: Any = _util  # not all of it is exported
    try:
        overrides = spacy_cli.parse_config_overrides(ctx.args)
    except spacy_cli.NoSuchOption as error:  # of a click that typer need not know
        raise typer.BadParameter(error.format_message()) from error
    if find_spec("scipy") is None:
        msg.fail(Errors.CT705, exits=1)
    spacy_cli.import_code(code)
    common = {"data": str(data), "gpu_id": gpu_id, "code": None if code is None else str(code), "keep": keep_models}

    def command(run: "Run") -> List[str]:
        task = run.folder / "task.json"
        write_json(task, {"folder": str(run.folder), "key": run.key, **common})
        return [sys.executable, "-m", "spacy_ctxtag.cli.ablate_child", str(task)]

    try:
        runs = make_runs(config, overrides, read_grid(grid), list(range(seeds)), data, output, code)
        execute(runs, command, jobs, lambda line: msg.text(line, icon="info"))
        found = tables(runs)
    except (ValueError, RuntimeError, OSError) as error:
        msg.fail(str(error), exits=1)
        raise typer.Exit(1) from error
    for score, rows in found.items():
        msg.table(as_cells(rows), header=HEADER, divider=True, aligns=["l", *("r" for _ in HEADER[1:])])
        msg.text(CAPTION.format(score=score, data=data))
    write_json(output / "ablation.json", as_record(found, data=data, seeds=seeds))
    msg.good(f"{output / 'ablation.json'}: all figures")


def as_cells(rows: List["Row"]) -> List[List[str]]:
    """RETURNS (List[List[str]]): The cells of a table, scores in percent."""
    cells = []
    for row in rows:
        line = [row.variant, f"{100 * row.mean:.2f}", f"{100 * row.sd:.2f}"]
        if row.over_base is not None:
            over = row.over_base
            interval = f"{100 * over.low:+.2f} to {100 * over.high:+.2f}"
            line += [f"{100 * over.difference:+.2f}", interval, f"{over.p_value:.3f}"]
        cells.append([*line, *("" for _ in HEADER[len(line) :])])
    return cells


def as_record(found: Dict[str, List["Row"]], *, data: Path, seeds: int) -> Dict[str, object]:
    """RETURNS (Dict): What ablation.json holds: by score and variant all figures, scores in [0, 1]."""
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    scores = {
        score: {
            row.variant: {
                "scores": row.scores,
                "mean": row.mean,
                "sd": row.sd,
                "over_base": None if row.over_base is None else vars(row.over_base),
            }
            for row in rows
        }
        for score, rows in found.items()
    }
    return {"date": date, "data": data.name, "seeds": seeds, "scores": scores}
