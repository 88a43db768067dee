"""`python -m spacy ctx find-label-errors CONFIG CORPUS… --output FILE.jsonl`: labels to look at first.

Cross-validated: every document is scored by a pipeline that was trained on others.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Optional, Sequence, Tuple

import typer

from ..errors import Errors
from ..warnings import Warnings
from . import _options as opt
from ._app import app
from ._printer import count, msg, printable

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from ..evaluation.ablation import Run

OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command("find-label-errors", no_args_is_help=True, context_settings=OVERRIDES)
def find_label_errors_cli(
    config: Annotated[Path, typer.Argument(help="Config of the pipelines", exists=True, dir_okay=False)],
    corpus: Annotated[List[str], typer.Argument(help="Annotated files or folders", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .jsonl file to write")],
    folds: Annotated[int, typer.Option("--folds", help="Trainings; each leaves out one part of the corpus", min=2)] = 5,
    least: Annotated[
        float, typer.Option("--least", help="Leave out findings of a lower suspicion", min=0.05, max=1.0)
    ] = 0.5,
    top: Annotated[int, typer.Option("--top", "-n", help="Findings to print", min=0)] = 20,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the folds and of the trainings")] = 0,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Trainings at a time", min=1)] = 1,
    keep_models: Annotated[bool, typer.Option("--keep-models", help="Do not remove the trained pipelines")] = False,
    code: Annotated[Optional[Path], typer.Option("--code", "-c", help="Python file with registered functions")] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """
    Find the labels of a corpus that are probably wrong. The corpus is cut into folds; for each, a pipeline is trained
    on the others, and contradicts the annotation of the fold where another one is more probable. What is cut off goes
    on where it stopped. Further options are settings of the config, such as --training.max_steps 400.
    """
    from spacy.cli import _util
    from spacy.util import load_config, load_model_from_config

    from ..evaluation.ablation import execute
    from ..learning.folds import write_folds
    from ..learning.label_errors import rank
    from ..training.folders import write_json, write_texts

    spacy_cli: Any = _util  # not all of it is exported
    inputs, extra = split_arguments(corpus)
    try:
        overrides = spacy_cli.parse_config_overrides(extra)
    except spacy_cli.NoSuchOption as error:  # of a click that typer need not know
        raise typer.BadParameter(error.format_message()) from error
    if not inputs:
        raise typer.BadParameter("expected files or folders", param_hint="CORPUS")
    check_output(output, inputs)
    spacy_cli.import_code(code)
    with spacy_cli.show_validation_error(config):
        nlp = load_model_from_config(load_config(config, overrides=overrides, interpolate=False), auto_fill=True)
    docs = read_corpus(inputs, str(nlp.lang))
    check_heads(nlp, docs)
    folder = output.with_suffix(".folds")
    common = {"gpu_id": gpu_id, "code": None if code is None else str(code), "keep": keep_models}
    try:
        pairs = write_folds(docs, folder, config, overrides, folds=folds, seed=seed, code=code)
        data = {run.folder: file for run, file in pairs}

        def command(run: "Run") -> List[str]:
            task = run.folder / "task.json"
            write_json(task, {"folder": str(run.folder), "key": run.key, "data": str(data[run.folder]), **common})
            return [sys.executable, "-m", "spacy_ctxtag.cli.find_label_errors_child", str(task)]

        runs = [run for run, _ in pairs]
        execute(runs, command, jobs, lambda line: msg.text(line, icon="info"))
        findings = rank((found for run in runs for found in (run.read() or {})["findings"]), least)
        write_texts(
            output.parent, {output.name: "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in findings)}
        )
    except (ValueError, RuntimeError, OSError) as error:
        msg.fail(str(error), exits=1)
        raise typer.Exit(1) from error
    for each in findings[:top]:
        for line in render(each):
            msg.text(line)
    kinds = Counter(each["kind"] for each in findings)
    if kinds:
        msg.table(kinds.most_common(), header=["", "findings"], divider=True, aligns=["l", "r"])
    msg.good(f"{output}: {count(len(findings), 'finding')} in {count(len(docs), 'document')}")


# Input


def split_arguments(words: Sequence[str]) -> Tuple[List[str], List[str]]:
    """Part the paths from the settings of the config between them, which typer cannot: it does not know their names.

    RETURNS (Tuple[List[str], List[str]]): The paths, and the settings with their values, as spaCy takes them.
    """
    paths, extra, rest = [], [], list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            paths.append(word)
            continue
        extra.append(word)
        if "=" not in word and rest and not rest[0].startswith("--"):
            extra.append(rest.pop(0))
    return paths, extra


def check_output(output: Path, inputs: Sequence[str]) -> None:
    """End the program where the findings, or the folds beside them, would be in the way of something."""
    problem = "is a folder" if output.is_dir() else ""
    folders = [Path(path).resolve() for path in inputs if Path(path).is_dir()]
    if any(folder in output.resolve().parents for folder in folders):
        problem = "lies inside the corpus"
    if any(output.resolve() == Path(path).resolve() for path in inputs):
        problem = "is the corpus itself"
    if output.suffix == ".folds":
        problem = "has the name of the folder for the folds"
    if problem:
        msg.fail(Errors.CT765.format(path=output, problem=problem), exits=1)


def read_corpus(inputs: Sequence[str], lang: str) -> List["Doc"]:
    """All documents, each with its file and its place there; errors in the data are listed and end the program."""
    from ..data.records import Problem
    from ..data.sources import ReadOptions, SourceReader, find_files
    from ..learning.label_errors import PLACE

    problems: List[Problem] = []
    docs = []
    reader = SourceReader(opt.make_tokenizer(lang), ReadOptions())
    for path in find_files(map(Path, inputs), problems):
        for number, doc in enumerate(reader.read(path, problems)):
            doc.user_data[PLACE] = {"file": path.as_posix(), "number": number}
            docs.append(doc)
    if any(problem.is_error for problem in problems):
        opt.show_problems(problems)
        msg.fail(count(sum(problem.is_error for problem in problems), "error"), exits=1)
    return docs


def check_heads(nlp: "Language", docs: Sequence["Doc"]) -> None:
    """End the program where no component can doubt anything; warn of labels that stand in one text alone."""
    from spacy.tokens import Doc
    from spacy.training import Example

    from ..components.span_head import SpanHead
    from ..learning.folds import text_key
    from ..learning.label_errors import doubting

    names = doubting(nlp)
    if not names:
        msg.fail(Errors.CT763.format(names=", ".join(nlp.pipe_names) or "none"), exits=1)
    heads: List[Any] = [nlp.get_pipe(name) for name in names]
    examples = [Example(Doc(doc.vocab, [token.text for token in doc]), doc) for doc in docs if len(doc)]
    if not any(head.is_annotated(eg) for head in heads for eg in examples):
        msg.fail(Errors.CT764.format(names=", ".join(names), n=len(docs)), exits=1)
    texts: Dict[str, set[str]] = {}
    for head in heads:
        for eg in examples if isinstance(head, SpanHead) else ():
            for label in head.loss.gold.labels_of(eg.reference):
                texts.setdefault(label, set()).add(text_key(eg.reference.text))
    alone = sorted(label for label, keys in texts.items() if len(keys) == 1)
    if alone:
        msg.warn(Warnings.CW760.format(labels=printable(", ".join(alone))))


# Output


def render(finding: Dict[str, Any]) -> List[str]:
    """RETURNS (List[str]): Lines that show a finding: what it is and where, its sentence, and both readings."""
    place = f"{finding['document']}, characters {finding['start_char']} to {finding['end_char']}"
    head = f"{finding['rank']:4}  {finding['kind']}, {finding['suspicion']:.3f}  ({finding['file']}, {place})"
    text, start = finding["text"], finding["text_start"]
    low, high = finding["start_char"] - start, finding["end_char"] - start
    readings = [
        f"{name}: {_reading(finding[name])} ({finding[f'{name}_probability']:.3f})"
        for name in ("annotated", "proposed")
    ]
    shown = f"{printable(text[:low])}[{printable(text[low:high])}]{printable(text[high:])}"
    return [printable(head), *(f"      {line}" for line in (shown, *map(printable, readings)))]


def _reading(spans: Sequence[Dict[str, Any]]) -> str:
    return ", ".join(f"{span['label']} {span['text']!r}" for span in spans) or "nothing"
