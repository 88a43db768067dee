"""`ctx_ner` on an encoder that has learned raw texts of the domain; an environment variable names its folder."""

import json
import os

from . import ctx
from .common import Run, Sentence, main
from .spacy_loop import SpacySystem, gold_doc, tags_of

BACKBONE = "CTXTAG_BACKBONE"
MINILM = '@misc = "spacy-ctxtag.MiniLM.v1"'
FOLDER = '@misc = "spacy-ctxtag.Backbone.v1"\nname = {name}'


def build(run: Run, train: list[Sentence]) -> SpacySystem:
    config = ctx.NLP.format(pipeline='["head"]') + ctx.head("head", crf=True)
    encoder = ctx.ENCODER.format(section="components.head.model.tok2vec.encoder")
    config += encoder.replace(MINILM, FOLDER.format(name=json.dumps(os.environ[BACKBONE])))
    return SpacySystem(run, train, config, rate=ctx.HEAD_RATE * run.lr, gold=gold_doc, tags=tags_of)


if __name__ == "__main__":
    main(build)
