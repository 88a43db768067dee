"""The typer app behind `python -m spacy ctx`. Commands add themselves; `__init__` imports them."""

import typer

HELP = "Sequence labelling with spacy-ctxtag: data, models and their quality."

app = typer.Typer(name="ctx", help=HELP, no_args_is_help=True, rich_markup_mode=None)
