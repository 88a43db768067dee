"""What is left of a `ctx_ner` when its encoder is pruned: size, speed and F, beside the pipeline as it was.

    .venv/bin/python benchmarks/smaller.py --data DIR [--no-speed]

The pipelines are those of `accuracy.py` on wikigold (MiniLM-L6, 8 epochs). Each size of `SIZES` is made of each of them
with `spacy_ctxtag.deploy.prune`, learns from the training texts, and is scored on test. "gold" is the same small
pipeline when it learns from the annotation instead of the unpruned pipeline. What is done lies in `work/smaller`, so
that what was cut off goes on where it stopped. At last all sizes take turns to annotate the test texts, laid end to end
to documents of about 150 words; that needs an idle machine, and can be left out. The result is `results/smaller.json`.
"""

import argparse
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from statistics import mean, median
from typing import Any

import accuracy
import spacy
import torch
from options import make_parser
from spacy.tokens import Doc
from spacy.training import Example
from systems.common import KEEP, Run, digest, environment, joined, read_tsv, write_result
from systems.spacy_loop import gold_doc

from spacy_ctxtag.deploy.distillation import Training
from spacy_ctxtag.deploy.measure import count_bytes, count_parameters, score_heads
from spacy_ctxtag.deploy.prune import Options, prune

RESULT = accuracy.HERE / "results" / "smaller.json"
WORK = accuracy.HERE / "work" / "smaller"
GOLD = Training(gold_weight=1.0)
SIZES: dict[str, dict[str, Any]] = {
    "units-25": {"rates": (0.25,)},
    "units-50": {"rates": (0.5,)},
    "units-75": {"rates": (0.75,)},
    "units-50.gold": {"rates": (0.5,), "training": GOLD},
    "layers-4": {"rates": (0.0,), "layers": 4},
    "layers-3": {"rates": (0.0,), "layers": 3},
    "layers-3.gold": {"rates": (0.0,), "layers": 3, "training": GOLD},
    "layers-3.units-50": {"rates": (0.5,), "layers": 3},
    "layers-2": {"rates": (0.0,), "layers": 2},
}
EPOCHS = 8
REPETITIONS = 5


# Sizes


def teachers(options: argparse.Namespace) -> list[Path]:
    """Train what is not there yet. RETURNS: the folders of the pipelines, one a seed."""
    os.environ[KEEP] = "1"
    runs = [
        Run(
            corpus="wikigold",
            system="ctx",
            seed=seed,
            epochs=1 if options.quick else EPOCHS,
            batch_size=16,
            lr=accuracy.SYSTEMS["ctx"].lr,
            data=str(options.data.resolve()),
            limit=48 if options.quick else 0,
        )
        for seed in options.seeds
    ]
    accuracy.execute(runs, options, options.work)
    return [accuracy.result_file(run, options.work).with_suffix("") for run in runs]


def examples_of(nlp: Any, options: argparse.Namespace, split: str) -> list[Example]:
    sentences = list(read_tsv(options.data / "wikigold" / f"{split}.tsv"))[: 48 if options.quick else None]
    return [Example(Doc(nlp.vocab, each.words), gold_doc(nlp.vocab, each)) for each in sentences]


def size_folder(teacher: Path, name: str) -> Path:
    """Named after all that a size depends on."""
    code = sorted((accuracy.ROOT / "spacy_ctxtag" / "deploy").glob("*.py"))
    key = hashlib.sha256(f"{teacher.name} {name} {SIZES[name]} {digest(*code)}".encode()).hexdigest()[:12]
    return teacher.with_name(f"{name}-{teacher.name.split('-')[2]}-{key}")


def make_size(teacher: Path, name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Make one size of one pipeline, if it is not there yet. RETURNS: its figures."""
    folder = size_folder(teacher, name)
    file = folder.with_suffix(".json")
    if not file.exists():
        before = environment()
        nlp = spacy.load(teacher)
        student = spacy.load(teacher, vocab=nlp.vocab)
        train, dev, test = (examples_of(nlp, options, split) for split in ("train", "dev", "test"))
        settings = Options(**{**SIZES[name], "max_drop": 100.0, "repetitions": 1})
        result = prune(nlp, student, train, dev, settings, lambda line: print(f"  {name}: {line}", flush=True))
        f = {where: score_heads(each, ["ctx_ner"], test)["ents_f"] for where, each in (("", student), ("_before", nlp))}
        record = {"f": f[""], "f_before": f["_before"], **result.sizes[0], "teacher": teacher.name, **before}
        student.to_disk(folder)
        partial = folder.with_suffix(".partial")
        partial.write_text(json.dumps(record), encoding="utf8")
        partial.replace(file)
    return dict(json.loads(file.read_text(encoding="utf8")))


# Speed


def speeds_of(folders: dict[str, Path], options: argparse.Namespace) -> dict[str, list[float]]:
    """RETURNS: by size the words per second, turn by turn; a first turn, not counted, warms up."""
    pipelines = {name: spacy.load(folder) for name, folder in folders.items()}
    texts = [" ".join(each.words) for each in joined(read_tsv(options.data / "wikigold" / "test.tsv"), 150)]
    texts = texts[: 4 if options.quick else None]
    words = sum(len(text.split(" ")) for text in texts)
    found: dict[str, list[float]] = {name: [] for name in pipelines}
    for turn in range(1 + (1 if options.quick else REPETITIONS)):
        for name, nlp in pipelines.items():
            start = time.perf_counter()
            for _ in nlp.pipe(texts):
                pass
            if turn:
                found[name].append(round(words / (time.perf_counter() - start), 1))
    return found


# The record


def make_claims(raw: dict[str, Any], before: dict[str, float]) -> list[dict[str, Any]]:
    """What the documentation may quote: means over the seeds."""
    claims = [accuracy.claim("before.f", round(before["f"], 4), at_least=0)]
    claims.append(accuracy.claim("before.parameters", round(before["parameters"] / 1e6, 4), at_least=0))
    claims.append(accuracy.claim("before.megabytes", round(before["bytes"] / 1e6, 4), at_least=0))
    for name, runs in raw["sizes"].items():
        f = round(mean(run["f"] for run in runs), 4)
        claims.append(accuracy.claim(f"{name}.f", f, at_least=0))
        claims.append(accuracy.claim(f"{name}.drop", round(before["f"] - f, 4), at_most=100))
        if name.endswith(".gold"):
            taught = mean(run["f"] for run in raw["sizes"][name.removesuffix(".gold")])
            claims.append(accuracy.claim(f"{name}.taught-over-gold", round(taught - f, 4), at_least=0))
            continue
        untrained = mean(run["scores_untrained"]["ents_f"] for run in runs)
        claims.append(accuracy.claim(f"{name}.dev-untrained", round(untrained, 4), at_least=0))
        trained = mean(run["scores"]["ents_f"] for run in runs)
        claims.append(accuracy.claim(f"{name}.dev", round(trained, 4), at_least=round(untrained, 4)))
        claims.append(accuracy.claim(f"{name}.parameters", round(runs[0]["parameters"] / 1e6, 4), at_least=0))
        claims.append(accuracy.claim(f"{name}.megabytes", round(runs[0]["bytes"] / 1e6, 4), at_least=0))
        if raw["words_per_second"]:
            pairs = zip(raw["words_per_second"][name], raw["words_per_second"]["before"], strict=True)
            claims.append(accuracy.claim(f"{name}.speed", round(median(a / b for a, b in pairs), 3), at_least=1.0))
    return claims


def main() -> None:
    parser = make_parser(__doc__, "48 sentences and one epoch", jobs=False)
    add = parser.add_argument
    add("--seeds", nargs="+", type=int, default=[0, 1])
    add("--no-speed", action="store_true", help="leave the speed out, where the machine is not idle")
    options = parser.parse_args()
    options.jobs = 1
    torch.set_num_threads(options.threads)
    here = environment()
    with tempfile.TemporaryDirectory() as temporary:
        options.work = Path(temporary) if options.quick else WORK
        options.seeds = options.seeds[:1] if options.quick else options.seeds
        folders = teachers(options)
        sizes: dict[str, list[dict[str, Any]]] = {name: [] for name in SIZES}
        for folder in folders:
            for name, runs in sizes.items():
                runs.append(make_size(folder, name, options))
                print(f"{folder.name} {name}: F {runs[-1]['f_before']:.2f} → {runs[-1]['f']:.2f}", flush=True)
        nlp = spacy.load(folders[0])
        f = mean(run["f_before"] for run in next(iter(sizes.values())))
        before = {"f": f, "parameters": count_parameters(nlp), "bytes": count_bytes(nlp)}
        timed = {name: size_folder(folders[0], name) for name in SIZES if not name.endswith(".gold")}
        speeds = {} if options.no_speed else speeds_of({"before": folders[0], **timed}, options)
    raw = {"before": before, "sizes": sizes, "words_per_second": speeds}
    claims = make_claims(raw, before)
    for each in claims:
        print(f"{each['claim']:36} {each['value']:10.3f}{'' if each['holds'] else '   MISSED'}")
    if not options.quick:
        about = {"unit": "F on test in percent, millions of parameters, MB on disk, times the words per second"}
        write_result(RESULT, {**here, **about, "raw": raw, "claims": claims})


if __name__ == "__main__":
    main()
