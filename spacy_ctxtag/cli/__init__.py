"""`python -m spacy ctx …`, one command a file.

The entry point `spacy_cli` loads this module with every `python -m spacy` command, so it and the command modules
import nothing at their top that spaCy itself does not need: an ImportError here would break all of spaCy's commands.
"""

from spacy.cli._util import app as spacy_app

from . import (
    ablate,
    agreement,
    behave,
    calibrate,
    card,
    compare,
    convert,
    curves,
    evaluate,
    explain,
    find_label_errors,
    pretrain,
    prune,
    quantize,
    schema,
    smoke,
    train,
    validate,
)
from ._app import app

__all__ = [
    "ablate",
    "agreement",
    "app",
    "behave",
    "calibrate",
    "card",
    "compare",
    "convert",
    "curves",
    "evaluate",
    "explain",
    "find_label_errors",
    "pretrain",
    "prune",
    "quantize",
    "schema",
    "smoke",
    "train",
    "validate",
]

spacy_app.add_typer(app)
