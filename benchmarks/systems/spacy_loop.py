"""Training and prediction for the systems that are spaCy pipelines. One update here is one step of `spacy train`."""

from collections.abc import Callable
from typing import Any

from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed, load_model_from_config
from spacy.vocab import Vocab
from thinc.api import Adam, Config, warmup_linear

from .common import Run, Sentence, Tags

ENCODERS = ("transformer", "ctx_encoder")  # what they report as a loss is the size of a gradient


def gold_doc(vocab: Vocab, sentence: Sentence) -> Doc:
    """A Doc with the gold where spaCy looks for it."""
    tags = sentence.tags
    if "ner" in tags:
        return Doc(vocab, sentence.words, ents=tags["ner"])
    return Doc(vocab, sentence.words, tags=tags["xpos"], pos=tags["upos"])


def tags_of(doc: Doc, column: str) -> list[str]:
    """What a pipeline has set on a Doc: "xpos", "upos", or "ner" as BIO tags."""
    if column == "xpos":
        return [token.tag_ for token in doc]
    if column == "upos":
        return [token.pos_ for token in doc]
    return [f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else "O" for token in doc]


class SpacySystem:
    """A pipeline built from a config, and Adam as spaCy's configs for transformers have it.

    run (Run): what to train.
    train (list[Sentence]): the training sentences.
    config (str): the pipeline, as in a config file.
    rate (float): the peak of the optimizer's learning rate.
    gold (Callable): makes the gold Doc of a sentence.
    tags (Callable): reads a column of tags from a Doc.
    """

    dropout = 0.1
    warmup = 0.1  # share of the steps; then the rate falls linearly to 0

    def __init__(
        self,
        run: Run,
        train: list[Sentence],
        config: str,
        *,
        rate: float,
        gold: Callable[[Vocab, Sentence], Doc] = gold_doc,
        tags: Callable[[Doc, str], list[str]] = tags_of,
    ):
        fix_random_seed(run.seed)
        warmup = int(self.warmup * run.steps)
        self.settings: dict[str, Any] = {
            "optimizer": "Adam, L2 0.01 as weight decay, gradient clipped at 1.0",
            "learn_rate": {"encoder": run.lr, "head": rate, "warmup_steps": warmup, "zero_at_step": run.steps},
            "dropout": self.dropout,
            "config": config.strip(),
        }
        self.tags = tags
        self.columns = list(train[0].tags)
        self.optimizer = Adam(
            warmup_linear(rate, warmup, run.steps), L2=0.01, L2_is_weight_decay=True, grad_clip=1.0, use_averages=False
        )
        self.nlp = load_model_from_config(Config().from_str(config), auto_fill=True)
        vocab = self.nlp.vocab
        self.examples = [Example(Doc(vocab, sentence.words), gold(vocab, sentence)) for sentence in train]
        self.nlp.initialize(lambda: self.examples)

    def update(self, batch: list[int]) -> float:
        losses: dict[str, float] = {}
        examples = [self.examples[i] for i in batch]
        self.nlp.update(examples, drop=self.dropout, sgd=False, losses=losses)
        for _, component in self.nlp.pipeline:
            if getattr(component, "is_trainable", False):
                component.finish_update(self.optimizer)
        self.optimizer.step_schedules()
        return sum(loss for name, loss in losses.items() if name not in ENCODERS)

    def predict(self, texts: list[list[str]]) -> list[Tags]:
        docs = (Doc(self.nlp.vocab, words) for words in texts)
        return [{c: self.tags(doc, c) for c in self.columns} for doc in self.nlp.pipe(docs, batch_size=64)]
