"""Flair: `SequenceTagger` with a CRF on the fine-tuned encoder, as `ModelTrainer.fine_tune` trains it.

AdamW, warm-up and linear decay, gradient clipped at 5.0, the dropouts that a SequenceTagger has by default; no RNN and
no projection, as Flair's own transformer taggers have none. The layers over the encoder learn ten times as fast as it
(`decoder_learning_rate`), as in `ctx`: at the encoder's rate a CRF learns next to nothing in so few epochs.
"""

from pathlib import Path
from typing import Any

import flair
import torch
from flair.data import Dictionary
from flair.data import Sentence as FlairSentence
from flair.embeddings import TransformerWordEmbeddings
from flair.models import SequenceTagger
from flair.training_utils import store_embeddings
from transformers import get_linear_schedule_with_warmup

from .common import Run, Sentence, Tags, main, spans_of, weights

DECODER_RATE = 10  # of the layers over the encoder, as a multiple of the encoder's


class FlairCRF:
    """run (Run): what to train. train (list[Sentence]): the training sentences."""

    def __init__(self, run: Run, train: list[Sentence]):
        flair.set_seed(run.seed)
        self.train = [annotated(sentence) for sentence in train]
        labels = Dictionary(add_unk=False)
        labels.span_labels = True
        for label in sorted({label for s in train for _, _, label in spans_of(s.tags["ner"])}):
            labels.add_item(label)
        embeddings = TransformerWordEmbeddings(
            str(weights()), layers="-1", subtoken_pooling="first", fine_tune=True, use_context=False
        )
        self.tagger = SequenceTagger(
            embeddings, labels, tag_type="ner", use_rnn=False, use_crf=True, reproject_embeddings=False
        )
        named = list(self.tagger.named_parameters())
        encoder = [p for name, p in named if "embeddings" in name]
        decoder = [p for name, p in named if "embeddings" not in name]
        groups = [{"params": encoder, "lr": run.lr}, {"params": decoder, "lr": DECODER_RATE * run.lr}]
        self.optimizer = torch.optim.AdamW(groups)
        warmup = run.steps // 10
        self.schedule = get_linear_schedule_with_warmup(self.optimizer, warmup, run.steps)
        self.settings: dict[str, Any] = {
            "optimizer": "AdamW, weight decay 0.01, gradient clipped at 5.0",
            "learn_rate": {
                "encoder": run.lr,
                "head": DECODER_RATE * run.lr,
                "warmup_steps": warmup,
                "zero_at_step": run.steps,
            },
            "dropout": {
                "encoder": 0.1,
                "word": self.tagger.use_word_dropout,
                "locked": self.tagger.use_locked_dropout,
            },
            "flair": flair.__version__,
        }

    def update(self, batch: list[int]) -> float:
        self.tagger.train()
        sentences = [self.train[i] for i in batch]
        loss, _ = self.tagger.forward_loss(sentences)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.tagger.parameters(), 5.0)
        self.optimizer.step()
        self.schedule.step()
        store_embeddings(sentences, "none")  # as the trainer does: Flair would use them again in the next epoch
        return loss.item()

    def predict(self, texts: list[list[str]]) -> list[Tags]:
        self.tagger.eval()
        sentences = [FlairSentence(words) for words in texts]
        self.tagger.predict(sentences, mini_batch_size=64)
        return [{"ner": bio_of(sentence)} for sentence in sentences]

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.tagger.save(folder / "model.pt")


def annotated(sentence: Sentence) -> FlairSentence:
    new = FlairSentence(sentence.words)
    for start, end, label in spans_of(sentence.tags["ner"]):
        new[start:end].add_label("ner", label)
    return new


def bio_of(sentence: FlairSentence) -> list[str]:
    tags = ["O"] * len(sentence)
    for span in sentence.get_spans("ner"):
        start, end = span.tokens[0].idx - 1, span.tokens[-1].idx  # Flair counts tokens from 1
        tags[start:end] = ["B-" + span.tag] + ["I-" + span.tag] * (end - start - 1)
    return tags


if __name__ == "__main__":
    main(FlairCRF)
