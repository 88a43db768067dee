"""What it saves to train less of the encoder: time and memory of `nlp.update`.

    .venv/bin/python benchmarks/finetuning.py --data DIR

A `ctx_ner` on MiniLM-L6 (6 layers) learns from documents of about 150 words (sentences of wikigold laid end to end), 8
in one update. Every setting runs in processes of its own, turn about; updates after the first two are timed.
Memory is by how much the updates raise the peak of the process. The result is `results/finetuning.json`.
"""

import argparse
import itertools
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import accuracy
import spacy
import torch
from options import make_parser
from spacy.tokens import Doc
from spacy.training import Example
from systems.common import environment, joined, read_tsv, write_result
from systems.spacy_loop import gold_doc

RESULT = accuracy.HERE / "results" / "finetuning.json"
SETTINGS: dict[str, dict[str, Any]] = {
    "all": {},
    "embeddings-frozen": {"freeze_embeddings": True},
    "3-layers-frozen": {"freeze_layers": 3},
    "6-layers-frozen": {"freeze_layers": 6},
    "checkpointing": {"checkpointing": True},
}
WORDS, BATCH, WARM, STEPS, REPETITIONS = 150, 8, 2, 10, 5


def documents(nlp: Any, path: Path, count: int) -> list[Example]:
    """Examples of at least WORDS words each."""
    pieces = itertools.islice(joined(read_tsv(path), WORDS), count)
    return [Example(Doc(nlp.vocab, each.words), gold_doc(nlp.vocab, each)) for each in pieces]


def measure(name: str, path: Path, threads: int, steps: int) -> dict[str, float]:
    """Train in this process. RETURNS: words per second, and MiB by which the peak of memory rose."""
    torch.set_num_threads(threads)
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("en")
    backbone = {"@misc": "spacy-ctxtag.MiniLM.v1"}
    encoder = {"@architectures": "spacy-ctxtag.Encoder.v1", "backbone": backbone, **SETTINGS[name]}
    nlp.add_pipe("ctx_ner", config={"model": {"tok2vec": {"encoder": encoder}}})
    examples = documents(nlp, path, (WARM + steps) * BATCH)
    optimizer = nlp.initialize(lambda: examples)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, words = 0.0, 0
    for nth, low in enumerate(range(0, len(examples), BATCH)):
        if nth == WARM:
            start = time.perf_counter()
        batch = examples[low : low + BATCH]
        nlp.update(batch, sgd=optimizer)
        words += sum(len(eg.reference) for eg in batch) if nth >= WARM else 0
    seconds = time.perf_counter() - start
    risen = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"words_per_second": round(words / seconds, 1), "peak_mib": round(risen, 1)}


def main() -> None:
    parser = make_parser(__doc__, "few updates", jobs=False)
    parser.add_argument("--of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    path = options.data / "wikigold" / "train.tsv"
    if options.of:
        print(json.dumps(measure(options.of, path, options.threads, 1 if options.quick else STEPS)))
        return
    before = environment()
    raw: dict[str, list[dict[str, float]]] = {name: [] for name in SETTINGS}
    for _ in range(1 if options.quick else REPETITIONS):
        for name, found in raw.items():
            command = [sys.executable, __file__, "--data", str(options.data), "--threads", str(options.threads)]
            command += ["--of", name, *(["--quick"] if options.quick else [])]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
    means = {name: {field: median(each[field] for each in found) for field in found[0]} for name, found in raw.items()}
    claims = []
    for name, row in means.items():
        faster = row["words_per_second"] / means["all"]["words_per_second"]
        smaller = row["peak_mib"] / means["all"]["peak_mib"]
        print(f"{name:18} {row['words_per_second']:8.0f} words/s ({faster:.2f} ×)   {row['peak_mib']:7.0f} MiB")
        if name == "checkpointing":
            claims.append(accuracy.claim(f"{name}.memory", round(smaller, 3), at_most=1.0))
            claims.append(accuracy.claim(f"{name}.speed", round(faster, 3), at_most=1.0))
        elif name != "all":
            claims.append(accuracy.claim(f"{name}.speed", round(faster, 3), at_least=1.0))
            claims.append(accuracy.claim(f"{name}.memory", round(smaller, 3), at_most=1.05))
    if not options.quick:
        about = {"unit": "times the words per second, and the risen peak of memory, of training all of it"}
        write_result(RESULT, {**before, **about, "raw": raw, "claims": claims})


if __name__ == "__main__":
    main()
