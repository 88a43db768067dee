"""`python -m spacy ctx explain MODEL TEXT`: which words moved the probability of what it finds, or might find."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, List, Optional

import typer

from ..errors import Errors
from ._app import app
from ._printer import count, msg

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span

    from ..components.span_head import SpanHead


@app.command("explain", no_args_is_help=True)
def explain_cli(
    model: Annotated[str, typer.Argument(help="Pipeline: a folder or package", show_default=False)],
    text: Annotated[str, typer.Argument(help="A text", show_default=False)],
    span: Annotated[
        Optional[str], typer.Option("--span", help="Explain these words, wherever they stand [all that is found]")
    ] = None,
    label: Annotated[Optional[str], typer.Option("--label", help="Their label [the most probable one]")] = None,
    component: Annotated[str, typer.Option("--component", help="A ctx_ner or ctx_chunker [the only one]")] = "",
    method: Annotated[str, typer.Option("--method", help="integrated_gradients or occlusion")] = "integrated_gradients",
    output: Annotated[Optional[Path], typer.Option("--output", "-o", help="Write a page of HTML")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else")] = False,
    code: Annotated[Optional[Path], typer.Option("--code", "-c", help="Python file with registered functions")] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """
    Show how much each word of a text did to the log-probability of a span: of each span that the pipeline finds, or of
    one that you name, whether it finds it or not.
    """
    from spacy.cli._util import import_code, setup_gpu
    from spacy.util import load_model

    from ..evaluation.explanation import to_page
    from ..training.folders import write_texts

    if label is not None and span is None:
        msg.fail(Errors.CT773.format(label=label), exits=1)
    import_code(code)
    setup_gpu(gpu_id, silent=True)
    try:
        nlp = load_model(model)
    except (OSError, ValueError) as error:
        msg.fail(Errors.CT513.format(path=model, reason=error), exits=1)
        raise typer.Exit(1) from error
    try:
        head = find_head(nlp, component)
        doc = nlp(text)
        spans = find_spans(head, doc, span, label)
        found = [head.explain(doc, each, method=method) for each in spans]
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
            write_texts(output.parent, {output.name: to_page(found, f"{head.name}: {text[:60]}")})
    except (ValueError, OSError) as error:
        msg.fail(str(error), exits=1)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps([each.to_dict() for each in found], ensure_ascii=False, indent=2))
        return
    for each in found:
        msg.text(f"{each.to_text()}\n")
    if output is not None:
        msg.good(f"{output}: {count(len(found), 'span')}")


def find_head(nlp: "Language", name: str) -> "SpanHead":
    """RETURNS (SpanHead): The component of this name, or the only one. RAISES (ValueError): CT770 without it."""
    from ..components.span_head import SpanHead

    heads = {each: pipe for each, pipe in nlp.pipeline if isinstance(pipe, SpanHead)}
    chosen = [heads[name]] if name in heads else [] if name else list(heads.values())
    if len(chosen) != 1:
        raise ValueError(Errors.CT770.format(name=name or "", known=", ".join(heads) or "none"))
    return chosen[0]


def find_spans(head: "SpanHead", doc: "Doc", text: Optional[str], label: Optional[str]) -> List["Span"]:
    """Find what is to be explained.

    text (Optional[str]): Words of the Doc; None: what the component has found.
    label (Optional[str]): Their label; None: the one with the highest probability.
    RETURNS (List[Span]): At least one, with labels.
    RAISES (ValueError): CT771 when nothing was found, CT772 when the words do not stand in the Doc.
    """
    from spacy.tokens import Span

    if text is None:
        found = [each for each in doc.spans.get(head.key, ()) if each.label_ in head.labels]
        if not found and len(doc):
            raise ValueError(Errors.CT771.format(name=head.name))
        return found or [doc[:]]
    places = [at for at in range(len(doc.text)) if text and doc.text.startswith(text, at)]
    spans = [each for at in places if (each := doc.char_span(at, at + len(text))) is not None]
    if not spans:
        raise ValueError(Errors.CT772.format(text=text, tokens=" | ".join(token.text for token in doc)))
    if label is not None:
        return [Span(doc, each.start, each.end, label=label) for each in spans]
    chosen = []
    for each in spans:
        labelled = [Span(doc, each.start, each.end, label=name) for name in head.labels]
        scores = head.score_spans(doc, labelled)
        chosen.append(labelled[scores.index(max(scores))])
    return chosen
