"""F on long documents by the windows they are read in: what an overlap, or a larger window, brings.

    .venv/bin/python benchmarks/overlap.py MODEL DATA

MODEL is a `ctx_ner` with an encoder of its own, trained on sentences; DATA holds `dev.tsv` and `test.tsv` of the same
corpus (word, tab, BIO tag), which are laid end to end to documents of 1,000 words. Windows and overlaps are settings of
use, so one model does for all.
"""

import sys
from pathlib import Path

import spacy
from spacy.tokens import Doc
from systems.common import joined, read_tsv, score_entities
from systems.spacy_loop import tags_of

PAIRS = ((128, 32), (256, 0), (256, 16), (256, 32), (256, 64), (512, 64), (512, 128))


def main(model: str, data: Path) -> None:
    gold = [*joined([*read_tsv(data / "test.tsv"), *read_tsv(data / "dev.tsv")], 1000)]
    nlp = spacy.load(model)
    [name] = [name for name, pipe in nlp.pipeline if nlp.get_pipe_meta(name).factory == "ctx_ner"]
    place = f"components.{name}.model.tok2vec.encoder"
    for window, overlap in PAIRS:
        nlp = spacy.load(model, config={f"{place}.window": window, f"{place}.overlap": overlap})
        tags = [tags_of(doc, "ner") for doc in nlp.pipe(Doc(nlp.vocab, each.words) for each in gold)]
        f = score_entities([each.tags["ner"] for each in gold], tags)["f"]
        print(f"window {window:4}   overlap {overlap:4}   F {f:.2f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
