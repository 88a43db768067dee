"""`python -m spacy ctx agreement A B …`: how far annotators agree, and a list of what they do not agree on."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Optional

import typer

from .. import __version__
from ..errors import Errors
from ..warnings import Warnings
from . import _options as opt
from ._app import app
from ._checks import reading
from ._printer import count, msg, printable

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from ..data.sources import ReadOptions
    from ..evaluation.disagreements import Disagreement

FIGURES, LIST = "agreement.json", "disagreements.jsonl"
TITLES = {"entities": "Entities", "pos": "Parts of speech", "tag": "Tags"}
PAIR = {"kappa": "kappa", "kappa_annotated": "kappa, annotated", "f": "F", "f_overlap": "F, overlap"}
LONGEST = 60  # characters of a cell


@app.command("agreement", no_args_is_help=True)
def agreement_cli(
    inputs: Annotated[
        List[str],
        typer.Argument(help="An annotator each: a file, a folder, or NAME=PATH, also several", show_default=False),
    ],
    output: Annotated[Optional[Path], typer.Option("--output", "-o", help=f"Folder for {FIGURES} and {LIST}")] = None,
    top: Annotated[int, typer.Option("--top", help="Print so many kinds of disagreement", min=0)] = 10,
    adjudicated: Annotated[
        Optional[Path], typer.Option("--adjudicated", help=f"A {LIST} with answers", exists=True, dir_okay=False)
    ] = None,
    gold: Annotated[Optional[Path], typer.Option("--gold", help="With --adjudicated: the .spacy file to write")] = None,
    samples: Annotated[int, typer.Option("--samples", help="Draws of documents, for intervals", min=100)] = 9999,
    seed: Annotated[int, typer.Option("--seed", help="Of these draws", min=0)] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace a list that has answers in it")] = False,
    format: opt.Format = "auto",
    separator: opt.Separator = "auto",
    token_column: opt.TokenColumn = 0,
    tag_column: opt.TagColumn = -1,
    pos_column: opt.PosColumn = None,
    scheme: opt.Scheme = "auto",
    n_sents: opt.NSents = 1,
    tag_set: opt.TagSet = "auto",
    no_ents: opt.NoEnts = False,
    on_misaligned: opt.OnMisaligned = "error",
    lang: opt.Lang = "en",
) -> None:
    """
    Compare two or more annotations of the same documents, in any format: kappa, Krippendorff's alpha, F of entities,
    distances of borders, confusions; entities and tags. Documents are matched by their texts.

    With --output, write all figures, and a list of all disagreements for somebody who decides. With --adjudicated and
    --gold, write one annotation from the answers.
    """
    from ..evaluation.agreement_figures import compute_agreement, find_layers
    from ..evaluation.annotations import match_documents
    from ..evaluation.disagreements import list_disagreements

    options = opt.make_options(
        format=format,
        separator=separator,
        token_column=token_column,
        tag_column=tag_column,
        pos_column=pos_column,
        scheme=scheme,
        n_sents=n_sents,
        tag_set=tag_set,
        has_ents=not no_ents,
        on_misaligned=on_misaligned,
    )
    check_output(output, adjudicated, gold, force=force)
    annotators = name_annotators(inputs)
    if len(annotators) < 2:
        msg.fail(Errors.CT755.format(n=len(annotators), names=", ".join(annotators)), exits=1)
    if gold is not None and any(path.resolve() == gold.resolve() for paths in annotators.values() for path in paths):
        msg.fail(f"{gold}: {Errors.CT372}", exits=1)
    try:
        with reading():
            shared = match_documents(list(annotators), read(annotators, options, lang))
            layers = find_layers(shared)
            if not layers:
                n = sum(sum(each is not None for each in doc.annotations) > 1 for doc in shared)
                msg.fail(Errors.CT758.format(n=n), exits=1)
            disagreements = list_disagreements(shared, list(annotators), layers)
            if adjudicated is not None and gold is not None:
                from ..evaluation.adjudication import adjudicate

                docs, n_open = adjudicate(shared, disagreements, adjudicated)
                write_gold(docs, gold)
                msg.good(f"{gold}: {count(len(docs), 'document')}; {count(n_open, 'disagreement')} left open")
                return
            figures = compute_agreement(shared, list(annotators), n_samples=samples, seed=seed)
            show(figures)
            show_disagreements(disagreements, top)
            if output is not None:
                write(output, {"version": __version__, "samples": samples, "seed": seed, **figures}, disagreements)
                msg.good(f"{output}: {FIGURES}, {LIST} ({count(len(disagreements), 'disagreement')})")
    except OSError as error:
        msg.fail(str(error), exits=1)


# Input


def check_output(output: Optional[Path], adjudicated: Optional[Path], gold: Optional[Path], *, force: bool) -> None:
    """End the program where something would be lost, or an option is missing."""
    from ..evaluation.adjudication import has_answers

    if (adjudicated is None) != (gold is None):
        msg.fail(Errors.CT757, exits=1)
    if gold is not None and (gold.suffix != ".spacy" or gold.is_dir()):
        msg.fail(f"{gold}: {Errors.CT371}", exits=1)
    if output is None:
        return
    if output.exists() and not output.is_dir():
        msg.fail(Errors.CT759.format(path=output), exits=1)
    if (output / LIST).exists() and not force and has_answers(output / LIST):
        msg.fail(Errors.CT756.format(path=output / LIST), exits=1)


def name_annotators(inputs: List[str]) -> Dict[str, List[Path]]:
    """`NAME=PATH` as {name: paths}; a path alone is an annotator called after its file, by its path where that is not
    enough to tell them apart."""
    given = [each.partition("=") if "=" in each and not Path(each).exists() else ("", "", each) for each in inputs]
    stems = Counter(Path(path).stem for name, _, path in given if not name)
    annotators: Dict[str, List[Path]] = {}
    for name, _, path in given:
        stem = Path(path).stem
        unnamed = stem if stems[stem] == 1 and all(stem != other for other, _, _ in given) else path
        annotators.setdefault(name or unnamed, []).append(Path(path))
    return annotators


def read(annotators: Dict[str, List[Path]], options: "ReadOptions", lang: str) -> List[List["Doc"]]:
    """RETURNS (List[List[Doc]]): The documents of each. RAISES (DataError): With all that cannot be read."""
    from ..data.records import DataError, Problem
    from ..data.sources import SourceReader, find_files

    nlp = opt.make_tokenizer(lang)
    problems: List[Problem] = []
    found = []
    for paths in annotators.values():
        reader = SourceReader(nlp, options)
        files = find_files(paths, problems, format=options.format)
        found.append([doc for path in files for doc in reader.read(path, problems)])
    if any(problem.is_error for problem in problems):
        raise DataError(problems)
    opt.show_problems(problems)
    return found


# Output


def write(folder: Path, figures: Dict[str, Any], disagreements: List["Disagreement"]) -> None:
    """Write the figures and the list."""
    from ..training.folders import to_json, write_texts

    lines = [json.dumps(each, ensure_ascii=False) + "\n" for each in disagreements]
    write_texts(folder, {FIGURES: to_json(figures), LIST: "".join(lines)})


def write_gold(docs: List["Doc"], path: Path) -> None:
    """Write a .spacy file."""
    from spacy.tokens import DocBin

    from ..data.convert import write_docbin

    write_docbin(DocBin(docs=docs, store_user_data=True), path)


def show(figures: Dict[str, Any]) -> None:
    """Print tables of the figures."""
    documents = figures["documents"]
    names = ", ".join(f"{plain(each['name'])} ({each['documents']:,})" for each in figures["annotators"])
    msg.text(f"Documents: {names}; by two or more {documents['by_two_or_more']:,}, by all {documents['by_all']:,}")
    if documents["by_one"]:
        msg.warn(Warnings.CW751.format(n=documents["by_one"], total=documents["total"]))
    if documents["other_tokens"]:
        msg.warn(Warnings.CW750.format(n=documents["other_tokens"], total=documents["total"]))
    for layer, found in figures["layers"].items():
        title, pairs = TITLES[layer], found["pairs"]
        columns = {key: name for key, name in PAIR.items() if layer == "entities" or key == "kappa"}
        rows = [
            [
                _pair(pair),
                f"{pair['documents']:,}",
                f"{pair['units']:,}",
                *(_with_interval(pair[key]) for key in columns),
            ]
            for pair in pairs
        ]
        _table(rows, [title, "documents", "tokens", *columns.values()])
        _show_all(found["all"], title)
        if layer == "entities":
            _show_labels(pairs)


def _show_all(found: Dict[str, Any], title: str) -> None:
    kinds = [kind for kind in ("", "_annotated") if f"alpha{kind}" in found]
    rows = [
        [name, *(_with_interval(found[f"{key}{kind}"]) for kind in kinds)]
        for key, name in (("fleiss", "Fleiss' kappa"), ("alpha", "Krippendorff's alpha"))
    ]
    _table(rows, [f"{title}, all annotators", *("annotated tokens" if kind else "tokens" for kind in kinds)])


def _show_labels(pairs: List[Dict[str, Any]]) -> None:
    rows = [
        [
            plain(label),
            _pair(pair),
            f"{each['a']:,}",
            f"{each['b']:,}",
            *(_with_interval(each[k]) for k in ("f", "f_overlap")),
        ]
        for pair in pairs
        for label, each in pair["labels"].items()
    ]
    _table(rows, ["label", "", "first", "second", PAIR["f"], PAIR["f_overlap"]])
    rows = [
        [
            _pair(pair),
            f"{pair['borders']['matched']:,}",
            *(_with_interval(pair["borders"][k]) for k in ("same", "first", "last")),
        ]
        for pair in pairs
    ]
    _table(rows, ["borders, tokens apart", "mentions", "same", "first token", "last token"])


def show_disagreements(found: List["Disagreement"], top: int) -> None:
    """Print the most frequent kinds, with an example of each."""
    kinds: Dict[Any, Disagreement] = {}
    for each in found:
        kinds.setdefault((each["layer"], each["kind"]), each)
    layers = list(dict.fromkeys(layer for layer, _ in kinds))
    for layer in layers if top else ():
        examples = [each for (of, _), each in kinds.items() if of == layer][:top]
        rows = [[plain(e["kind"]), f"{e['times']:,}", plain(e["document"]), plain(e["text"])] for e in examples]
        _table(rows, [f"{TITLES[layer]}: disagreements", "times", "such as", ""], right=(1,))


def plain(text: str) -> str:
    """A text on one line, short, and without what would steer a terminal."""
    text = printable(re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", text))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _pair(pair: Dict[str, Any]) -> str:
    return f"{plain(pair['a'])} – {plain(pair['b'])}"


def _with_interval(found: Dict[str, Optional[float]]) -> str:
    if found["value"] is None:
        return "-"
    interval = "" if found["low"] is None else f" ({found['low']:.3f} to {found['high']:.3f})"
    return f"{found['value']:.3f}{interval}"


def _table(rows: List[List[str]], header: List[str], right: Any = None) -> None:
    aligns = ["r" if (i in right if right is not None else i > 0) else "l" for i in range(len(header))]
    msg.table(rows, header=header, divider=True, aligns=aligns, max_col=2 * LONGEST)
