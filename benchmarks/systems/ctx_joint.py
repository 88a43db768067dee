"""`ctx_ner` and `ctx_tagger` on one `ctx_encoder`: entities from wikigold, tags from UD English EWT, for one epoch.

    python -m systems.ctx_joint DATA FOLDER LIMIT

Neither corpus has what the other one has: that is missing in its texts, and not learnt from there.
"""

import itertools
import random
import sys
from pathlib import Path

import spacy
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam, Config

from .common import read_conllu, read_tsv
from .ctx import ENCODER, LISTENER, NLP, head
from .spacy_loop import gold_doc

EWT_SENTENCES = 3000
BATCH = 16


def main() -> None:
    data, folder, limit = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) or None
    spacy.util.fix_random_seed(0)
    config = NLP.format(pipeline='["ctx_encoder", "tagger", "ner"]')
    config += '[components.ctx_encoder]\nfactory = "ctx_encoder"\n'
    config += ENCODER.format(section="components.ctx_encoder.model")
    for name in ("tagger", "ner"):
        config += head(name, crf=name == "ner") + LISTENER.format(name=name)
    nlp = spacy.util.load_model_from_config(Config().from_str(config), auto_fill=True)
    sentences = [
        *itertools.islice(read_tsv(data / "wikigold" / "train.tsv"), limit),
        *itertools.islice(read_conllu(data / "ud_ewt" / "train.conllu"), limit or EWT_SENTENCES),
    ]
    examples = [Example(Doc(nlp.vocab, each.words), gold_doc(nlp.vocab, each)) for each in sentences]
    nlp.initialize(lambda: examples)
    random.Random(0).shuffle(examples)
    optimizer = Adam(1e-3)
    for low in range(0, len(examples), BATCH):
        nlp.update(examples[low : low + BATCH], sgd=optimizer, drop=0.1)
    nlp.to_disk(folder)


if __name__ == "__main__":
    main()
