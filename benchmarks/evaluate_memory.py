"""Memory of `ctx evaluate` on test sets of up to a million tokens, beside that of reading the file alone.

    .venv/bin/python benchmarks/evaluate_memory.py

The texts are made up: words of a made vocabulary, with entities. The pipeline is an `entity_ruler` that knows some of
them; `--model` names another one. For each size two processes: one that loads the pipeline, reads the file and makes
its documents one by one, and one that evaluates. What the peak of the second is above that of the first is what the
evaluation takes. Needs Linux. Results are in `results/evaluate_memory.json`, sizes in MiB; `--quick` only sees that it
runs, and keeps nothing.
"""

import argparse
import contextlib
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import spacy
from spacy.tokens import Doc, DocBin, Span
from systems.common import environment, write_result

RESULT = Path(__file__).parent / "results" / "evaluate_memory.json"
SIZES, QUICK = (250_000, 500_000, 1_000_000), (5_000, 10_000)  # tokens
DOC, SENTENCE, WORDS, LABELS = 100, 20, 30_000, 12
MOST = 64.0  # MiB that the evaluation may take of a million tokens beyond what reading the file takes
READ = """
import sys
import nervaluate, scipy.sparse, scipy.stats, spacy
from spacy.tokens import DocBin
from spacy_ctxtag.evaluation.report import run

nlp = spacy.load(sys.argv[1])
for doc in DocBin().from_disk(sys.argv[2]).get_docs(nlp.vocab):
    pass
"""


def make_words(rng: random.Random) -> list[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return ["".join(rng.choice(letters) for _ in range(rng.randrange(2, 11))) for _ in range(WORDS)]


def write_corpus(path: Path, words: list[str], n_tokens: int, rng: random.Random) -> None:
    """Write documents of 100 tokens; every tenth token or so begins an entity."""
    vocab, store = spacy.blank("en").vocab, DocBin(store_user_data=True)
    for number in range(n_tokens // DOC):
        chosen = [words[min(int(rng.paretovariate(0.5)), WORDS) - 1] for _ in range(DOC)]
        doc = Doc(vocab, words=chosen, sent_starts=[i % SENTENCE == 0 for i in range(DOC)])
        starts = range(rng.randrange(5), DOC - 3, 10)
        doc.set_ents([Span(doc, i, i + rng.choice((1, 1, 2, 3)), label=f"L{rng.randrange(LABELS)}") for i in starts])
        doc.user_data["ctx"] = {"id": f"made-{number}", "domain": f"domain {number % 4}"}
        store.add(doc)
    store.to_disk(path)


def write_pipeline(path: Path, words: list[str]) -> None:
    """Write a pipeline that takes frequent words for entities."""
    nlp = spacy.blank("en")
    ruler: Any = nlp.add_pipe("entity_ruler")
    ruler.add_patterns(
        [{"label": f"L{i % LABELS}", "pattern": word} for i, word in enumerate(words[:2000]) if i % 5 == 0]
    )
    nlp.to_disk(path)


def watch(command: list[str]) -> dict[str, Any]:
    """Run a process. RETURNS: its peak in MiB, and what it took every half second.

    Both as Linux tells them: what a parent hears of the peak of a child begins with its own.
    """
    peak, curve = 0.0, []
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    status = Path(f"/proc/{process.pid}/status")
    for turn in itertools.count():
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
            peak = max(peak, mib_of(fields.get("VmHWM", "0 kB")))
            curve += [mib_of(fields.get("VmRSS", "0 kB"))] if turn % 5 == 0 else []
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    return {"peak": peak, "curve": curve}


def mib_of(field: str) -> float:
    """RETURNS: a size such as "1024 kB" in MiB."""
    return round(int(field.split()[0]) / 2**10, 1)


def claims_of(raw: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """RETURNS: the claims: the peak of the evaluation of the largest file, and how far it is above that of reading."""
    peaks = {name: raw[-1][name]["peak"] for name in ("reading", "evaluating")}
    values = (("million", peaks["evaluating"], 2048.0), ("above", peaks["evaluating"] - peaks["reading"], MOST))
    return [{"claim": n, "value": round(v, 1), "at_most": most, "holds": v <= most} for n, v, most in values]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a pipeline (default: an entity_ruler)")
    parser.add_argument("--quick", action="store_true", help="two small sizes: to see that it runs; nothing is kept")
    options = parser.parse_args()
    sizes = QUICK if options.quick else SIZES
    rng, before, raw = random.Random(0), environment(), []
    words = make_words(rng)
    with tempfile.TemporaryDirectory() as folder:
        if options.model is None:
            write_pipeline(Path(folder) / "ruler", words)
        model = options.model or f"{folder}/ruler"
        for n_tokens in sizes:
            data = Path(folder) / f"{n_tokens}.spacy"
            write_corpus(data, words, n_tokens, rng)
            reading = watch([sys.executable, "-c", READ, model, str(data)])
            command = [sys.executable, "-m", "spacy", "ctx", "evaluate", model, str(data), "--output"]
            evaluating = watch([*command, f"{folder}/report-{n_tokens}"])
            mib = round(data.stat().st_size / 2**20, 1)
            raw.append({"tokens": n_tokens, "file": mib, "reading": reading, "evaluating": evaluating})
            print(
                f"{n_tokens:9,} tokens   file {mib:6.1f} MiB   peak: reading {reading['peak']:7.1f} MiB, "
                f"evaluating {evaluating['peak']:7.1f} MiB",
                flush=True,
            )
            every = max(1, len(evaluating["curve"]) // 12)
            print("   over time:", " ".join(f"{taken:.0f}" for taken in evaluating["curve"][::every]), flush=True)
    if options.quick or options.model:
        print(f"\n{RESULT.name} is written by a full run only, on the entity_ruler")
        return
    write_result(RESULT, {**before, "raw": raw, "unit": "MiB", "claims": claims_of(raw)})


if __name__ == "__main__":
    main()
