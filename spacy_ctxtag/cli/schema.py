"""`python -m spacy ctx schema [NAME]`: the JSON Schema of a format that is read or written, or a list of these."""

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from ..errors import Errors
from ._app import app
from ._printer import msg

PACKAGE = Path(__file__).parents[1]
SCHEMAS = {
    "jsonl": "data/schemas/jsonl.schema.json",
    "gazetteer": "data/schemas/gazetteer.schema.json",
    "lexicon": "data/schemas/lexicon.schema.json",
    "paraphrases": "data/schemas/paraphrases.schema.json",
    "problems": "data/schemas/problems.schema.json",
    "report": "evaluation/report.schema.json",
}  # by name, files below the folder of the package


@app.command("schema")
def schema_cli(
    name: Annotated[Optional[str], typer.Argument(help="Name of a format", show_default=False)] = None,
) -> None:
    """
    Print the JSON Schema (2020-12) of a format that spacy-ctxtag reads or writes. Without NAME: list the formats.
    """
    if name is None:
        msg.table([(each, json.loads(read(each))["title"]) for each in SCHEMAS])
        return
    if name not in SCHEMAS:
        msg.fail(Errors.CT387.format(name=name, known=", ".join(SCHEMAS)), exits=1)
    typer.echo(read(name), nl=False)


def read(name: str) -> str:
    """RETURNS (str): The schema of a name, as it stands in its file."""
    return (PACKAGE / SCHEMAS[name]).read_text(encoding="utf8")
