"""A callback for `[training] before_to_disk`: what a packaged pipeline needs, so that its wheel outlives releases."""

import re
from typing import Callable

from spacy.language import Language

from .. import __version__


def create_requirements_v1() -> Callable[[Language], Language]:
    """Registered as spacy-ctxtag.Requirements.v1. Writes `spacy-ctxtag>=X` into the pipeline's meta, without the upper
    bound that `spacy package` would put in, since later releases load the models of earlier ones."""
    return _require_plugin


def _require_plugin(nlp: Language) -> Language:
    others = [each for each in nlp.meta.get("requirements", ()) if re.split(r"[^\w.-]", each)[0] != "spacy-ctxtag"]
    nlp.meta["requirements"] = [*others, f"spacy-ctxtag>={__version__}"]
    return nlp
