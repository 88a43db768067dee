"""A Hugging Face token classifier: the encoder, dropout, one linear layer, cross-entropy on each word's first piece.

AutoModelForTokenClassification with the training that its tutorials and the Trainer's defaults make usual: AdamW,
weight decay 0.01 except on biases and LayerNorm, warm-up and linear decay, gradient clipped at 1.0.
"""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    BatchEncoding,
    get_linear_schedule_with_warmup,
    set_seed,
)

from .common import Run, Sentence, Tags, main, weights

IGNORED = -100  # the label cross-entropy skips
LONGEST = 512  # word pieces; no sentence of the corpora is longer, and one that were would be an error here


class LinearClassifier:
    """run (Run): what to train. train (list[Sentence]): the training sentences."""

    def __init__(self, run: Run, train: list[Sentence]):
        set_seed(run.seed)
        self.train = train
        self.labels = sorted({tag for sentence in train for tag in sentence.tags["ner"]})
        self.ids = {label: i for i, label in enumerate(self.labels)}
        self.tokenizer = AutoTokenizer.from_pretrained(weights())
        self.model = AutoModelForTokenClassification.from_pretrained(weights(), num_labels=len(self.labels))
        decayed = [p for n, p in self.model.named_parameters() if not n.endswith("bias") and "LayerNorm" not in n]
        others = [p for n, p in self.model.named_parameters() if n.endswith("bias") or "LayerNorm" in n]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=run.lr)
        warmup = run.steps // 10
        self.schedule = get_linear_schedule_with_warmup(self.optimizer, warmup, run.steps)
        self.settings: dict[str, Any] = {
            "optimizer": "AdamW, weight decay 0.01, gradient clipped at 1.0",
            "learn_rate": {"encoder": run.lr, "head": run.lr, "warmup_steps": warmup, "zero_at_step": run.steps},
            "dropout": self.model.config.hidden_dropout_prob,
        }

    def encode(self, texts: list[list[str]]) -> tuple[BatchEncoding, list[dict[int, int]]]:
        """RETURNS: the batch, and for each text the column of each word's first piece (a word may have none)."""
        batch = self.tokenizer(texts, is_split_into_words=True, padding=True, return_tensors="pt")
        if batch["input_ids"].shape[1] > LONGEST:
            raise ValueError(f"a sentence of {batch['input_ids'].shape[1]} word pieces; the encoder takes {LONGEST}")
        firsts: list[dict[int, int]] = []
        for row in range(len(texts)):
            first: dict[int, int] = {}
            for i, word in enumerate(batch.word_ids(row)):
                if word is not None:
                    first.setdefault(word, i)
            firsts.append(first)
        return batch, firsts

    def update(self, batch: list[int]) -> float:
        sentences = [self.train[i] for i in batch]
        inputs, firsts = self.encode([sentence.words for sentence in sentences])
        labels = torch.full_like(inputs["input_ids"], IGNORED)
        for row, (sentence, first) in enumerate(zip(sentences, firsts, strict=True)):
            for word, i in first.items():
                labels[row, i] = self.ids[sentence.tags["ner"][word]]
        self.model.train()
        loss = self.model(**inputs, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        return loss.item()

    def save(self, folder: Path) -> None:
        self.model.config.id2label = dict(enumerate(self.labels))
        self.model.config.label2id = self.ids
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    @torch.inference_mode()
    def predict(self, texts: list[list[str]]) -> list[Tags]:
        self.model.eval()
        found: list[Tags] = []
        for start in range(0, len(texts), 64):
            some = texts[start : start + 64]
            inputs, firsts = self.encode(some)
            best = self.model(**inputs).logits.argmax(-1)  # (B, P)
            for row, (words, first) in enumerate(zip(some, firsts, strict=True)):
                found.append(
                    {"ner": [self.labels[best[row, first[w]]] if w in first else "O" for w in range(len(words))]}
                )
        return found


if __name__ == "__main__":
    main(LinearClassifier)
