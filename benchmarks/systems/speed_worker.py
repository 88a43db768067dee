"""One system of `speed.py`, in a process of its own, that does what it is told line by line.

    python -m systems.speed_worker SYSTEM FOLDER PRECISION THREADS

Requests come as JSON on standard input, answers go as JSON to standard output; what libraries print goes to standard
error. `annotate` runs over texts, `train` updates with documents, `score` gives F. Every answer has the peak of memory
of the process, in MiB.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .common import Sentence, score_entities, spans_of, weights

PIECES = 4096  # of a padded batch of the bare encoder, as ours has them
TRAIN_BATCH = 8  # documents


class SpacyPipeline:
    """Any spaCy pipeline of a folder or a package."""

    def __init__(self, model: str, **options: Any):
        import spacy

        self.nlp = spacy.load(model, **options)
        self.optimizer: Any = None

    def annotate(self, texts: list[str], batch_size: int) -> None:
        for _ in self.nlp.pipe(texts, batch_size=batch_size):
            pass

    def train(self, documents: list[dict[str, Any]]) -> None:
        from spacy.tokens import Doc
        from spacy.training import Example

        self.optimizer = self.optimizer or self.nlp.resume_training()
        vocab = self.nlp.vocab
        gold = [Doc(vocab, each["words"], ents=each["tags"]) for each in documents]
        examples = [Example(Doc(vocab, each["words"]), doc) for each, doc in zip(documents, gold, strict=True)]
        for low in range(0, len(examples), TRAIN_BATCH):
            self.nlp.update(examples[low : low + TRAIN_BATCH], sgd=self.optimizer)

    def tags(self, sentences: list[Sentence]) -> list[list[str]]:
        from .spacy_loop import Doc, tags_of

        docs = (Doc(self.nlp.vocab, sentence.words) for sentence in sentences)
        return [tags_of(doc, "ner") for doc in self.nlp.pipe(docs)]


class BareEncoder:
    """The encoder called directly, without a head: texts sorted by length, cut into pieces before the clock runs."""

    def __init__(self, folder: str, precision: str):
        import torch
        from transformers import AutoModel, AutoTokenizer

        self.torch = torch
        self.tokenizer = AutoTokenizer.from_pretrained(weights(), model_max_length=100000)
        module = AutoModel.from_pretrained(weights(), add_pooling_layer=False).eval()
        self.module = module.to({"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision])
        self.batches: dict[int, list[tuple[Any, Any]]] = {}

    def prepare(self, texts: list[str]) -> None:
        """Make the padded batches; `annotate` then takes them by the number of texts."""
        rows = sorted(self.tokenizer(texts)["input_ids"], key=len, reverse=True)
        batches: list[tuple[Any, Any]] = []
        while rows:
            longest = len(rows[0])
            some, rows = rows[: max(1, PIECES // longest)], rows[max(1, PIECES // longest) :]
            ids = self.torch.tensor([row + [0] * (longest - len(row)) for row in some])
            mask = self.torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in some])
            batches.append((ids, mask))
        self.batches[len(texts)] = batches

    def annotate(self, texts: list[str], batch_size: int) -> None:
        with self.torch.inference_mode():
            for ids, mask in self.batches[len(texts)]:
                self.module(input_ids=ids, attention_mask=mask)


class HuggingFacePipeline:
    """transformers' own `pipeline("ner")`."""

    def __init__(self, folder: str, precision: str):
        from transformers import pipeline

        self.pipe = pipeline("ner", model=folder, aggregation_strategy="simple")

    def annotate(self, texts: list[str], batch_size: int) -> None:
        for _ in self.pipe(texts, batch_size=batch_size):
            pass


class SpacyHuggingFace(SpacyPipeline):
    """The same classifier in spaCy, through spacy-huggingface-pipelines."""

    def __init__(self, folder: str, precision: str):
        import spacy

        self.nlp = spacy.blank("en")
        self.nlp.add_pipe(
            "hf_token_pipe", config={"model": folder, "annotate": "ents", "aggregation_strategy": "simple"}
        )


class Flair:
    """Flair's `SequenceTagger` with the same encoder and linear layer, as its transformer taggers have them: no RNN, no
    CRF. It gets words, so that it need not cut them."""

    def __init__(self, folder: str, precision: str):
        import torch
        from flair.data import Dictionary
        from flair.embeddings import TransformerWordEmbeddings
        from flair.models import SequenceTagger
        from safetensors.torch import load_file

        config = json.loads((Path(folder) / "config.json").read_text(encoding="utf8"))
        labels = Dictionary(add_unk=False)
        for nth in range(len(config["id2label"])):
            labels.add_item(config["id2label"][str(nth)])
        embeddings = TransformerWordEmbeddings(folder, layers="-1", subtoken_pooling="first", fine_tune=False)
        self.tagger = SequenceTagger(
            embeddings,
            labels,
            tag_type="ner",
            tag_format="BIO",
            use_rnn=False,
            use_crf=False,
            reproject_embeddings=False,
        )
        trained = load_file(Path(folder) / "model.safetensors")
        with torch.no_grad():
            self.tagger.linear.weight.copy_(trained["classifier.weight"])
            self.tagger.linear.bias.copy_(trained["classifier.bias"])
        self.tagger.eval()

    def annotate(self, texts: list[str], batch_size: int) -> None:
        from flair.data import Sentence as FlairSentence

        self.tagger.predict([FlairSentence(text.split(" ")) for text in texts], mini_batch_size=batch_size)


def ours(folder: str, precision: str) -> SpacyPipeline:
    """A pipeline whose encoder is in its one head, or in `ctx_encoder`."""
    config = json.loads((Path(folder) / "meta.json").read_text(encoding="utf8"))
    shared = "ctx_encoder" in config["pipeline"]
    place = "ctx_encoder.model" if shared else f"{config['pipeline'][0]}.model.tok2vec.encoder"
    return SpacyPipeline(folder, config={f"components.{place}.precision": precision})


SYSTEMS: dict[str, Callable[[str, str], Any]] = {
    "ctx": ours,
    "joint": ours,
    "spacy_trf": lambda folder, precision: SpacyPipeline(folder),
    "sm": lambda folder, precision: SpacyPipeline(folder, exclude=["parser", "attribute_ruler", "lemmatizer"]),
    "bare": BareEncoder,
    "hf_pipeline": HuggingFacePipeline,
    "spacy_hf": SpacyHuggingFace,
    "flair": Flair,
}


def answer(system: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Do what one request asks for."""
    content = json.loads(Path(request["file"]).read_text(encoding="utf8")) if "file" in request else None
    if request["do"] == "annotate":
        if hasattr(system, "prepare"):
            system.prepare(content)
        start = time.perf_counter()
        system.annotate(content, request["batch_size"])
        return {"seconds": time.perf_counter() - start}
    if request["do"] == "train":
        start = time.perf_counter()
        system.train(content)
        return {"seconds": time.perf_counter() - start}
    if request["do"] == "score":
        sentences = [Sentence(each["words"], {"ner": each["tags"]}) for each in content]
        found = system.tags(sentences)
        return {"f": score_entities([each["tags"] for each in content], found)["f"], "spans": len(spans_of(found[0]))}
    raise ValueError(request["do"])


def main() -> None:
    name, folder, precision, threads = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import torch

    torch.set_num_threads(int(threads))
    system = SYSTEMS[name](folder, precision)
    for line in sys.stdin:
        found = answer(system, json.loads(line))
        found["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main()
