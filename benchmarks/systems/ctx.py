"""spacy-ctxtag: `ctx_ner` as `configs/ner.cfg` has it, with and without its augmentation; two `ctx_tagger`s on one
`ctx_encoder`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spacy
from spacy.util import load_config, registry
from thinc.api import Config

from spacy_ctxtag.data.augment.corpus import augment_docs

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


def head(name: str, settings: str = "", *, crf: bool = False) -> str:
    """The config of one `ctx_ner` (with a CRF) or one `ctx_tagger`."""
    factory, architecture = ("ctx_ner", "NER") if crf else ("ctx_tagger", "Tagger")
    return HEAD.format(name=name, settings=settings, factory=factory, architecture=f"spacy-ctxtag.{architecture}.v1")


def shipped(seed: int = 0, **changes: Any) -> Config:
    """RETURNS: `configs/ner.cfg`, with other settings of its `ctx_ner` where there are any."""
    overrides = {f"components.ctx_ner.{name}": value for name, value in changes.items()}
    return load_config(SHIPPED, overrides={"system.seed": seed, **overrides}, interpolate=True)


def pipeline_of(config: Config) -> str:
    """RETURNS: the part of a config that describes the pipeline."""
    return Config({name: config[name] for name in ("nlp", "components")}).to_str()


@dataclass(frozen=True)
class AugmentedRun(Run):
    """A training that reads the variants of the shipped config beside the sentences, the same ones in every epoch."""

    def read(self, split: str) -> list[Sentence]:
        sentences = super().read(split)
        if split != "train" or "ner" not in sentences[0].tags or "no-augmentation" in self.system:
            return sentences
        block = {"augmenter": shipped(self.seed)["corpora"]["train"]["augmenter"]}
        augmenter: Any = registry.resolve(block)["augmenter"]
        nlp = spacy.blank("en")
        docs = augment_docs(nlp, (gold_doc(nlp.vocab, sentence) for sentence in sentences), augmenter)
        return [Sentence([token.text for token in doc], {"ner": tags_of(doc, "ner")}) for doc in docs]


def build(run: Run, train: list[Sentence]) -> SpacySystem:
    if "ner" in train[0].tags:
        config = pipeline_of(shipped(run.seed))
    else:
        config = NLP.format(pipeline='["ctx_encoder", "xpos", "upos"]')
        config += '[components.ctx_encoder]\nfactory = "ctx_encoder"\n'
        config += ENCODER.format(section="components.ctx_encoder.model")
        for name, target in (("xpos", "tag"), ("upos", "pos")):
            config += head(name, f'target = "{target}"') + LISTENER.format(name=name)
    return SpacySystem(run, train, config, rate=HEAD_RATE * run.lr)


if __name__ == "__main__":
    main(build, AugmentedRun)
