"""`python -m spacy ctx compare A B TEST`: whether B is better than A, what it fixes and what it breaks."""

from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import typer

from .. import __version__
from ..errors import Errors
from ..warnings import Warnings
from ._app import app
from ._checks import crash_is_no_verdict, reading, refuse, writing
from ._printer import count, msg, printable

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc
    from spacy.training import Example

    from ..evaluation.comparison import Change, Compared, Comparison, Gate

BATCH = 128  # documents
N_LABELS = 12  # lines of the table for a score
HEADER = ["", "gold", "A", "B", "B - A", "95 % interval", "p"]
CAPTION = """scores in percent; over documents: paired bootstrap and approximate randomisation; p is adjusted (Holm)
A {a}
B {b}"""


@app.command("compare", no_args_is_help=True)
@crash_is_no_verdict()
def compare_cli(
    a: Annotated[str, typer.Argument(help="Pipeline: a folder or package; or its predictions: a .spacy file")],
    b: Annotated[str, typer.Argument(help="The same, of the one that may take its place")],
    data: Annotated[Path, typer.Argument(help="Annotated texts, in any format", show_default=False)],
    output: Annotated[
        Optional[Path], typer.Option("--output", "-o", help="JSON file for all figures and all changes")
    ] = None,
    show: Annotated[int, typer.Option("--show", help="How many changes to print, for better and for worse", min=0)] = 5,
    fail_if_worse: Annotated[
        bool, typer.Option("--fail-if-worse", help="Fail if a score, or that of a label, is worse by more than chance")
    ] = False,
    max_drop: Annotated[
        Optional[float], typer.Option("--max-drop", help="Fail if a score falls by more than so many points", min=0)
    ] = None,
    max_label_drop: Annotated[
        Optional[float], typer.Option("--max-label-drop", help="The same for the score of a label", min=0)
    ] = None,
    min_support: Annotated[
        int, typer.Option("--min-support", help="Labels with fewer annotated spans are not tested, never fail", min=0)
    ] = 20,
    alpha: Annotated[
        float, typer.Option("--alpha", help="The p below which a difference is more than chance", min=0, max=1)
    ] = 0.05,
    samples: Annotated[int, typer.Option("--samples", help="Draws of each test", min=1)] = 9999,
    seed: Annotated[int, typer.Option("--seed", help="Of the tests", min=0)] = 0,
    code: Annotated[Optional[Path], typer.Option("--code", "-c", help="Python file with registered functions")] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """
    Compare two pipelines on the same documents: entities, spans, tags and parts of speech, overall and by label, with
    tests of significance; and the spans that B fixes, breaks, adds and removes.

    The exit code is 0; 1 if B fails what was asked for with --fail-if-worse, --max-drop or --max-label-drop; 2 if there
    is nothing to compare, something cannot be read, or a component fails.
    """
    from spacy.cli._util import import_code, setup_gpu

    from ..evaluation.comparison import Gate, compare_examples
    from ..training.folders import write_json

    if find_spec("scipy") is None:
        refuse(Errors.CT705)
    if output is not None and output.is_dir():
        refuse(Errors.CT739.format(path=output))
    gate = Gate(fail_if_worse, alpha, max_drop, max_label_drop)
    import_code(code)
    setup_gpu(gpu_id, silent=gpu_id < 0)
    try:
        one, two = System.load(a), System.load(b)
        pairs = read_pairs(one, two, data)
        with reading(exit_code=2):
            found = compare_examples(pairs, min_support=min_support, n_samples=samples, seed=seed)
    except (ValueError, OSError) as error:
        refuse(printable(str(error)))
    for system in (one, two):
        if system.n_known:
            msg.warn(Warnings.CW735.format(n=system.n_known, total=found.documents, path=data, model=system.name))
    failures = gate.failures(found)
    show_tables(found, one, two)
    show_changes(found, show)
    if output is not None:
        options = {"min_support": min_support, "samples": samples, "seed": seed}
        with writing(output, exit_code=2):
            write_json(output, as_record(found, one, two, data, gate, failures, options))
        msg.good(f"{output}: all figures, {count(len(found.changes), 'change')}")
    for failure in failures:
        msg.fail(printable(failure))
    if failures:
        raise typer.Exit(1)
    if gate.is_set:
        msg.good("B passes")


@dataclass
class System:
    """One of the two: a pipeline, or a file of its predictions.

    n_known (int): How many of the documents so far the pipeline was trained on, by what its meta says.
    """

    name: str
    nlp: Optional["Language"] = None
    docs: Optional[Iterator["Doc"]] = None
    n_known: int = 0

    @classmethod
    def load(cls, name: str) -> "System":
        """RAISES (ValueError): CT513 for what is neither."""
        import spacy
        from spacy.tokens import DocBin
        from spacy.util import load_model

        path = Path(name)
        if path.suffix.lower() == ".spacy" and path.is_file():
            try:
                docs = DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab)
            except Exception as error:  # zlib, msgpack and NumPy each have their own for bytes that are something else
                reason = Errors.CT309.format(reason=f"{type(error).__name__}: {error}".rstrip("."))
                raise ValueError(Errors.CT513.format(path=name, reason=reason)) from error
            return cls(name, docs=(doc for doc in docs if len(doc)))
        try:
            return cls(name, nlp=load_model(name))
        except OSError as error:
            raise ValueError(Errors.CT513.format(path=name, reason=error)) from error

    def predict(self, references: Sequence["Doc"]) -> Iterator["Doc"]:
        """The Docs of the next references, in order. RAISES (ValueError): CT740 where a file has other documents."""
        from spacy.tokens import Doc

        from ..training.fingerprint import META_KEY, hash_text

        if self.nlp is not None:
            known = frozenset(self.nlp.meta.get(META_KEY, ()))
            self.n_known += sum(hash_text(doc.text) in known for doc in references) if known else 0
            vocab, make_doc = self.nlp.vocab, self.nlp.make_doc

            def bare(doc: Doc) -> Doc:
                if not doc.has_unknown_spaces:
                    return make_doc(doc.text)
                return Doc(vocab, [token.text for token in doc], [bool(token.whitespace_) for token in doc])

            yield from self.nlp.pipe([bare(doc) for doc in references])
            return
        found = list(islice(self.docs or (), len(references)))
        for number, reference in enumerate(references):
            text = found[number].text if number < len(found) else ""
            if "".join(text.split()) != "".join(reference.text.split()):
                met = printable(text[:60]) if number < len(found) else "nothing more"
                raise ValueError(Errors.CT740.format(path=self.name, met=met, text=printable(reference.text[:60])))
            yield found[number]

    def check_end(self) -> None:
        """RAISES (ValueError): CT740 where a file has more documents."""
        for doc in self.docs or ():
            raise ValueError(Errors.CT740.format(path=self.name, met=printable(doc.text[:60]), text="nothing more"))


def read_pairs(a: System, b: System, data: Path) -> Iterator[Tuple["Example", "Example"]]:
    """The documents of a file or folder with the predictions of both, a batch at a time.

    RAISES (DataError): Errors in the data. RAISES (ValueError): As `System.predict`.
    """
    import spacy
    from spacy.training import Example
    from spacy.util import minibatch

    from ..data.corpus import create_corpus_v1

    nlp = a.nlp or b.nlp or spacy.blank("en")
    references: Iterable[Doc] = (eg.reference for eg in create_corpus_v1(data)(nlp))
    for batch in minibatch(references, BATCH):  # type: ignore[no-untyped-call]
        for doc, one, two in zip(batch, a.predict(batch), b.predict(batch), strict=True):
            yield Example(one, doc), Example(two, doc)
    for system in (a, b):
        system.check_end()


# What is shown


def show_tables(found: "Comparison", a: System, b: System) -> None:
    """Print a table: every score, and below it the labels that differ most surely."""
    rows: List[List[str]] = []
    hidden = 0
    for name, compared in found.scores.items():
        rows.append([printable(name), *_cells(compared)])
        labels = sorted(found.labels[name].items(), key=lambda pair: _order(pair[1]))
        rows += [["  " + printable(label), *_cells(each)] for label, each in labels[:N_LABELS]]
        hidden += len(labels[N_LABELS:])
    msg.table(rows, header=HEADER, divider=True, aligns=["l", *("r" for _ in HEADER[1:])])
    if hidden:
        msg.text(f"{count(hidden, 'label')} more in the file of --output")
    msg.text(CAPTION.format(a=printable(a.name), b=printable(b.name)))


def _order(compared: "Compared") -> Tuple[float, float, float]:
    p = 2.0 if compared.p_value is None else compared.p_value
    return p, -abs(compared.difference), -compared.gold


def _cells(compared: "Compared") -> List[str]:
    scores = [f"{compared.gold:,}", *(f"{100 * score:.2f}" for score in (compared.a, compared.b))]
    cells = [*scores, f"{100 * compared.difference:+.2f}"]
    if compared.low is None or compared.high is None or compared.p_adjusted is None:
        return [*cells, "", ""]
    return [*cells, f"{100 * compared.low:+.2f} to {100 * compared.high:+.2f}", f"{compared.p_adjusted:.3f}"]


def show_changes(found: "Comparison", n: int) -> None:
    """Print how many spans changed, and those changes that come most often."""
    from ..evaluation.comparison import BETTER, WORSE, telling

    for title, kinds in (("Worse", WORSE), ("Better", BETTER)):
        numbers = [f"{sum(change.kind == kind for change in found.changes):,} {kind}" for kind in kinds]
        msg.text(f"{title}: {', '.join(numbers)}", spaced=True)
        for change, times in telling(found.changes, kinds, n):
            msg.text(describe(change, times))


def describe(change: "Change", times: int) -> str:
    """RETURNS (str): A line: what changed, how often, where first, and what the other has there."""
    other = {"broken": "B has", "fixed": "A had", "spurious": "A had", "cleared": "B has"}[change.kind]
    has = ", ".join(f"{label} {text!r}" if text != change.text else label for text, label in change.instead)
    left, right = change.left[-25:], change.right[:25]
    where = f"{change.id or change.document}: …{left}[{change.text}]{right}…"
    often = f" ({times} ×)" if times > 1 else ""
    return printable(f"{change.kind}{often} {change.label}, {other} {has or 'nothing'}; {where}")


def as_record(
    found: "Comparison",
    a: System,
    b: System,
    data: Path,
    gate: "Gate",
    failures: List[str],
    options: Dict[str, Any],
) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): What the JSON file holds; `docs/compare.md` says what that is."""
    about = {
        "version": __version__,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "a": a.name,
        "b": b.name,
        "data": data.name,
        "options": options,
        "gate": {**asdict(gate), "passed": not failures, "failures": failures},
    }
    return {**about, **found.as_dict()}
