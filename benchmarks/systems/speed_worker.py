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
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .common import Sentence, score_entities, weights

PIECES = 2048  # of a padded batch of the bare encoder, as ours has them
TRAIN_BATCH = 8  # documents

Work = Callable[[], Any]  # what is timed, with all that it needs made ready


def exhaust(items: Iterable[Any]) -> None:
    for _ in items:
        pass


class SpacyPipeline:
    """Any spaCy pipeline of a folder or a package."""

    def __init__(self, model: str, **options: Any):
        import spacy

        self.nlp = spacy.load(model, **options)
        self.optimizer: Any = None

    def annotate(self, texts: list[str], batch_size: int) -> Work:
        return lambda: exhaust(self.nlp.pipe(texts, batch_size=batch_size))

    def train(self, sentences: list[Sentence]) -> Work:
        from .spacy_loop import Doc, Example, gold_doc

        sgd = self.optimizer = self.optimizer or self.nlp.resume_training()
        vocab = self.nlp.vocab
        examples = [Example(Doc(vocab, each.words), gold_doc(vocab, each)) for each in sentences]
        batches = [examples[low : low + TRAIN_BATCH] for low in range(0, len(examples), TRAIN_BATCH)]
        return lambda: exhaust(self.nlp.update(batch, sgd=sgd) for batch in batches)

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
        if precision == "int8":  # there is nothing else that reads these
            from spacy_ctxtag.layers.hf_weights import load_module

            self.module = load_module(Path(folder) / "ctx_ner" / "encoder")
            return
        module = AutoModel.from_pretrained(weights(), add_pooling_layer=False).eval()
        self.module = module.to({"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision])

    def annotate(self, texts: list[str], batch_size: int) -> Work:
        rows = sorted(self.tokenizer(texts)["input_ids"], key=len, reverse=True)
        batches: list[tuple[Any, Any]] = []
        while rows:
            longest = len(rows[0])
            some, rows = rows[: max(1, PIECES // longest)], rows[max(1, PIECES // longest) :]
            ids = self.torch.tensor([row + [0] * (longest - len(row)) for row in some])
            mask = self.torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in some])
            batches.append((ids, mask))

        def run() -> None:
            with self.torch.inference_mode():
                for ids, mask in batches:
                    self.module(input_ids=ids, attention_mask=mask)

        return run


class HuggingFacePipeline:
    """transformers' own `pipeline("ner")`."""

    def __init__(self, folder: str, precision: str):
        from transformers import pipeline

        self.pipe = pipeline("ner", model=folder, aggregation_strategy="simple")

    def annotate(self, texts: list[str], batch_size: int) -> Work:
        return lambda: exhaust(self.pipe(texts, batch_size=batch_size))


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

    def annotate(self, texts: list[str], batch_size: int) -> Work:
        from flair.data import Sentence as FlairSentence

        words = [text.split(" ") for text in texts]
        return lambda: self.tagger.predict([FlairSentence(each) for each in words], mini_batch_size=batch_size)


def ours(folder: str, precision: str) -> SpacyPipeline:
    """A pipeline whose encoder is in its one head, or in `ctx_encoder`; beside small numbers features are in bf16."""
    names = json.loads((Path(folder) / "meta.json").read_text(encoding="utf8"))["pipeline"]
    shared = "ctx_encoder" in names
    places = {"ctx_encoder.model" if shared else f"{names[0]}.model.tok2vec.encoder": precision}
    for name in names[shared:]:
        places[f"{name}.model.tok2vec"] = "bf16" if precision in ("bf16", "int8") else "fp32"
    return SpacyPipeline(folder, config={f"components.{place}.precision": value for place, value in places.items()})


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
    """Do what one request asks for; only the work itself is timed."""
    content = json.loads(Path(request["file"]).read_text(encoding="utf8"))
    if request["do"] == "annotate":
        work = system.annotate(content, request["batch_size"])
    else:
        sentences = [Sentence(each["words"], {"ner": each["tags"]}) for each in content]
        if request["do"] == "score":
            gold = [sentence.tags["ner"] for sentence in sentences]
            return {"f": score_entities(gold, system.tags(sentences))["f"]}
        work = system.train(sentences)
    start = time.perf_counter()
    work()
    return {"seconds": time.perf_counter() - start}


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
