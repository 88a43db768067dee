"""`ctx_tagger` for UPOS and spaCy's `parser`, together on one `ctx_encoder`, or one of them alone on its own.

The words, the batches and the loop are those of all systems. The columns are "upos", "uas" (the number of the head) and
"las" (the number of the head, and the label), so that accuracies over words are UPOS, UAS and LAS, with punctuation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spacy.tokens import Doc
from spacy.vocab import Vocab

from .common import Run, Sentence, main
from .ctx import ENCODER, HEAD_RATE, LISTENER, NLP, head
from .spacy_loop import SpacySystem

PARSER = """
[components.parser]
factory = "parser"

[components.parser.model]
@architectures = "spacy.TransitionBasedParser.v2"
state_type = "parser"
extra_state_tokens = false
hidden_width = 128
maxout_pieces = 3
use_upper = false

[components.parser.model.tok2vec]
@architectures = "spacy.Tok2VecListener.v1"
width = 384
upstream = "ctx_encoder"
"""
COLUMNS = {
    "ctx-together": ("upos", "uas", "las"),
    "ctx-tagger-alone": ("upos",),
    "ctx-parser-alone": ("uas", "las"),
}


@dataclass(frozen=True)
class TreeRun(Run):
    """A training on a treebank, with the columns of its system."""

    def read(self, split: str) -> list[Sentence]:
        return list(read_trees(self.file(split), COLUMNS[self.system]))[: self.limit or None]


def read_trees(path: Path, columns: tuple[str, ...]) -> Iterator[Sentence]:
    """Syntactic words of a CoNLL-U file, each with its part of speech, its head, and its head and label."""
    rows: list[list[str]] = []
    for line in [*path.read_text(encoding="utf8").split("\n"), ""]:
        cells = line.split("\t")
        if cells[0].isdigit():
            rows.append(cells)
        elif not line and rows:
            found = {"upos": [row[3] for row in rows], "uas": [row[6] for row in rows]}
            found["las"] = [f"{row[6]} {'ROOT' if row[6] == '0' else row[7]}" for row in rows]
            yield Sentence([row[1] for row in rows], {column: found[column] for column in columns})
            rows = []


def gold_tree(vocab: Vocab, sentence: Sentence) -> Doc:
    """A Doc with the gold where spaCy looks for it."""
    tags = sentence.tags
    given = {"pos": tags["upos"]} if "upos" in tags else {}
    if "las" in tags:
        pairs = [cell.split() for cell in tags["las"]]
        heads = [int(number) - 1 if number != "0" else i for i, (number, _) in enumerate(pairs)]
        given |= {"heads": heads, "deps": [label for _, label in pairs]}
    return Doc(vocab, sentence.words, **given)


def found_in(doc: Doc, column: str) -> list[str]:
    """What a pipeline has set on a Doc."""
    if column == "upos":
        return [token.pos_ for token in doc]
    heads = [0 if token.head.i == token.i else token.head.i + 1 for token in doc]
    if column == "uas":
        return [str(number) for number in heads]
    return [f"{number} {token.dep_}" for number, token in zip(heads, doc, strict=True)]


def build(run: Run, train: list[Sentence]) -> SpacySystem:
    columns = COLUMNS[run.system]
    heads = {"upos": head("upos", 'target = "pos"') + LISTENER.format(name="upos"), "las": PARSER}
    chosen = {name: config for name, config in heads.items() if name in columns}
    names = ["parser" if name == "las" else name for name in chosen]
    config = NLP.format(pipeline=str(["ctx_encoder", *names]).replace("'", '"'))
    config += '[components.ctx_encoder]\nfactory = "ctx_encoder"\n'
    config += ENCODER.format(section="components.ctx_encoder.model") + "".join(chosen.values())
    return SpacySystem(run, train, config, rate=HEAD_RATE * run.lr, gold=gold_tree, tags=found_in)


if __name__ == "__main__":
    main(build, TreeRun)
