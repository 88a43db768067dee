"""`ctx_ner` on an encoder that has learned raw texts of the domain; an environment variable names its folder."""

import os

from . import ctx
from .common import Run, Sentence, main
from .spacy_loop import SpacySystem

BACKBONE = "CTXTAG_BACKBONE"


def build(run: Run, train: list[Sentence]) -> SpacySystem:
    config = ctx.shipped()
    folder = {"@misc": "spacy-ctxtag.Backbone.v1", "name": os.environ[BACKBONE]}
    config["components"]["ctx_ner"]["model"]["tok2vec"]["encoder"]["backbone"] = folder
    return SpacySystem(run, train, ctx.pipeline_of(config), rate=ctx.HEAD_RATE * run.lr)


if __name__ == "__main__":
    main(build)
