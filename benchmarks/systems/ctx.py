"""spacy-ctxtag: `ctx_ner`, with and without its CRF and its characters; two `ctx_tagger`s on one `ctx_encoder`.

Without the CRF, `ctx_tagger` stands in for `ctx_ner`: the same features and the same linear layer, a softmax per token
over the same BILUO tags, decoded greedily. Without characters (and orthography) the head sees the encoder alone.
Entities are learned with the augmentation of `configs/ner.cfg`: beside each sentence a variant of it, the same in every
epoch.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, iob_to_biluo
from spacy.util import load_config, registry
from spacy.vocab import Vocab

from .common import Run, Sentence, main
from .spacy_loop import SpacySystem, gold_doc, tags_of

SHIPPED = Path(__file__).parents[2] / "configs" / "ner.cfg"

HEAD_RATE = 10  # the head learns so many times as fast as the encoder: the encoder's lr_scale is 1 / HEAD_RATE

NLP = """
[nlp]
lang = "en"
pipeline = {pipeline}

[components]
"""

HEAD = """
[components.{name}]
factory = "{factory}"
{settings}

[components.{name}.model]
@architectures = "{architecture}"

[components.{name}.model.tok2vec]
@architectures = "spacy-ctxtag.Features.v1"
{no_characters}
"""

CHARACTERS = """
[components.{name}.model.tok2vec.characters]
@layers = "spacy-ctxtag.CharCNN.v1"

[components.{name}.model.tok2vec.orthography]
@layers = "spacy-ctxtag.Orthography.v1"
"""

ENCODER = """
[{section}]
@architectures = "spacy-ctxtag.Encoder.v1"
lr_scale = 0.1

[{section}.backbone]
@misc = "spacy-ctxtag.MiniLM.v1"
"""

LISTENER = """
[components.{name}.model.tok2vec.encoder]
@architectures = "spacy.Tok2VecListener.v1"
width = 384
upstream = "ctx_encoder"
"""


def gold_as_tags(vocab: Vocab, sentence: Sentence) -> Doc:
    """Entities as BILUO tags, where `ctx_tagger` looks for its gold."""
    return Doc(vocab, sentence.words, tags=iob_to_biluo(sentence.tags["ner"]))


def entities_in_tags(doc: Doc, column: str) -> list[str]:
    return [token.tag_ for token in doc]


def head(name: str, settings: str = "", *, crf: bool = False, characters: bool = True) -> str:
    """The config of one `ctx_ner` (with a CRF) or one `ctx_tagger`."""
    config = HEAD.format(
        name=name,
        settings=settings,
        factory="ctx_ner" if crf else "ctx_tagger",
        architecture="spacy-ctxtag.NER.v1" if crf else "spacy-ctxtag.Tagger.v1",
        no_characters="" if characters else "characters = null\northography = null",
    )
    return config + (CHARACTERS.format(name=name) if characters else "")


class Once:
    """The augmenter of the shipped config, as spaCy's corpus readers use it: once for the whole training."""

    def __init__(self, seed: int) -> None:
        config = load_config(SHIPPED, overrides={"system.seed": seed}, interpolate=True)
        block = {"augmenter": config["corpora"]["train"]["augmenter"]}
        self.augmenter: Any = registry.resolve(block)["augmenter"]
        self.made: dict[int, list[Example]] = {}

    def __call__(self, nlp: Language, example: Example) -> Iterator[Example]:
        if id(example) not in self.made:
            self.made[id(example)] = list(self.augmenter(nlp, example))
        yield from self.made[id(example)]


def build(run: Run, train: list[Sentence]) -> SpacySystem:
    if "ner" in train[0].tags:
        crf, characters = "no-crf" not in run.system, "no-characters" not in run.system
        config = NLP.format(pipeline='["head"]') + head("head", crf=crf, characters=characters)
        config += ENCODER.format(section="components.head.model.tok2vec.encoder")
    else:
        crf = True
        config = NLP.format(pipeline='["ctx_encoder", "xpos", "upos"]')
        config += '[components.ctx_encoder]\nfactory = "ctx_encoder"\n'
        config += ENCODER.format(section="components.ctx_encoder.model")
        for name, target in (("xpos", "tag"), ("upos", "pos")):
            config += head(name, f'target = "{target}"') + LISTENER.format(name=name)
    gold, tags = (gold_doc, tags_of) if crf else (gold_as_tags, entities_in_tags)
    augmenter = Once(run.seed) if "ner" in train[0].tags and "no-augmentation" not in run.system else None
    return SpacySystem(run, train, config, rate=HEAD_RATE * run.lr, gold=gold, tags=tags, augmenter=augmenter)


if __name__ == "__main__":
    main(build)
