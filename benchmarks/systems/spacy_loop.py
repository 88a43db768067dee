"""Training and prediction for the systems that are spaCy pipelines: one step here is one step of `spacy train`."""

from typing import Any

from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed, load_model_from_config
from spacy.vocab import Vocab
from thinc.api import Config, Optimizer

from .column_tagger import column
from .common import Run, Sentence, Tags


def reference(vocab: Vocab, sentence: Sentence) -> Doc:
    """A gold Doc: entities, or fine tags (XPOS) and coarse ones (UPOS)."""
    tags = sentence.tags
    if "ner" in tags:
        return Doc(vocab, sentence.words, ents=tags["ner"])
    return Doc(vocab, sentence.words, tags=tags["xpos"], pos=tags["upos"])


class SpacySystem:
    """A pipeline built from a config, updated with one optimizer.

    run (Run): what to train.
    train (list[Sentence]): the training sentences.
    config (str): the config of the pipeline, as in a config file.
    optimizer (Optimizer): one for all components.
    dropout (float): what `training.dropout` is in a config file.
    settings (dict): for the record.
    """

    def __init__(
        self,
        run: Run,
        train: list[Sentence],
        *,
        config: Config,
        optimizer: Optimizer,
        dropout: float,
        settings: dict[str, Any],
    ):
        fix_random_seed(run.seed)
        self.nlp = load_model_from_config(config, auto_fill=True)
        self.columns = list(train[0].tags)
        self.examples = [
            Example(Doc(self.nlp.vocab, sentence.words), reference(self.nlp.vocab, sentence)) for sentence in train
        ]
        self.optimizer = optimizer
        self.dropout = dropout
        self.settings = settings
        self.nlp.initialize(lambda: self.examples)

    def update(self, batch: list[int]) -> float:
        losses: dict[str, float] = {}
        self.nlp.update([self.examples[i] for i in batch], drop=self.dropout, sgd=False, losses=losses)
        for _, component in self.nlp.pipeline:
            if getattr(component, "is_trainable", False):
                component.finish_update(self.optimizer)
        self.optimizer.step_schedules()
        return sum(losses.values())

    def predict(self, texts: list[list[str]]) -> list[Tags]:
        docs = (Doc(self.nlp.vocab, words) for words in texts)
        return [{name: column(doc, name) for name in self.columns} for doc in self.nlp.pipe(docs, batch_size=64)]
