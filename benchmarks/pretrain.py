"""What in-domain pretraining brings: perplexity of the dev texts, and F of a `ctx_ner`, before and after.

    .venv/bin/python benchmarks/pretrain.py --data DIR [--corpus wnut17]

MiniLM-L6 learns the training texts of a corpus, without their labels; neither dev nor test is among them. It has no
head for masked words, so a head is learned first, with the encoder as it is. Then a `ctx_ner` is trained on the encoder
as it was, and on what came out, without augmentation, with the harness of `accuracy.py`. All of it lies in `work/`, so
that what was cut off goes on where it stopped. The result is `results/pretrain.json`.
"""

import argparse
import hashlib
import json
import os
import statistics
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import accuracy
import torch
from accuracy import Kind
from options import make_parser
from systems.common import digest, environment, headline, read_tsv, write_result
from systems.ctx_pretrained import BACKBONE

from spacy_ctxtag.layers.backbone import make_minilm_v1
from spacy_ctxtag.training.pretrain import pretrain
from spacy_ctxtag.training.pretrain_settings import Settings

RESULT = accuracy.HERE / "results" / "pretrain.json"
WORK = accuracy.HERE / "work" / "pretrain"
SYSTEMS = {"ctx-no-augmentation": "MiniLM-L6 as it is", "ctx-pretrained": "after learning the raw texts"}
SOURCES = ("benchmarks/systems/ctx.py", *accuracy.SPACY, *accuracy.OURS)
CODE = [
    *sorted((accuracy.ROOT / "spacy_ctxtag" / "training").glob("pretrain*.py")),
    accuracy.ROOT / "spacy_ctxtag" / "layers" / "hf_mlm.py",
]


def write_raw(corpus: Path, folder: Path, limit: int) -> dict[str, Path]:
    """Write the sentences of train and dev as raw texts. RETURNS: the files."""
    files = {}
    for split in ("train", "dev"):
        files[split] = folder / f"{split}.jsonl"
        texts = [" ".join(sentence.words) for sentence in read_tsv(corpus / f"{split}.tsv")][: limit or None]
        files[split].write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf8")
    return files


def make_backbone(options: argparse.Namespace, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Pretrain, if that is not done yet. RETURNS: the folder, and the report of the run."""
    corpus = options.data / options.corpus
    settings = Settings(
        steps=options.steps,
        head_steps=options.head_steps,
        learn_rate=options.pretrain_lr,
        save_every=options.save_every,
    )
    about = f"{asdict(settings)} {options.limit} {digest(corpus / 'train.tsv', corpus / 'dev.tsv', *CODE)}"
    place = folder / f"{options.corpus}-{hashlib.sha256(about.encode()).hexdigest()[:12]}"
    place.mkdir(parents=True, exist_ok=True)
    files = write_raw(corpus, place, options.limit)
    report = pretrain(
        [files["train"]],
        place / "backbone",
        make_minilm_v1(),
        settings,
        dev=files["dev"],
        resume=True,
        say=lambda line: print(f"  {line}", flush=True),
    )
    return place / "backbone", report


def make_claims(corpus: str, report: dict[str, Any], f: dict[str, float]) -> list[dict[str, Any]]:
    """What the documentation may quote, whichever way it came out: the gain in F may be a loss."""
    perplexity = {name: round(value, 4) for name, value in report["perplexity"].items()}
    gain = round(f["ctx-pretrained"] - f["ctx-no-augmentation"], 4)
    return [
        accuracy.claim(f"{corpus}.perplexity.new-head", perplexity["before"], at_least=1),
        accuracy.claim(f"{corpus}.perplexity.before", perplexity["after_head"], at_least=1),
        accuracy.claim(f"{corpus}.perplexity.after", perplexity["after"], at_most=perplexity["after_head"]),
        accuracy.claim(f"{corpus}.f.before", f["ctx-no-augmentation"], at_least=0),
        accuracy.claim(f"{corpus}.f.after", f["ctx-pretrained"], at_least=0),
        accuracy.claim(f"{corpus}.f.gain", gain, at_least=-100),
    ]


def parse() -> argparse.Namespace:
    parser = make_parser(__doc__, "48 sentences, few steps, one seed")
    add = parser.add_argument
    add("--corpus", choices=["wnut17", "wikigold"], default="wnut17")
    add("--steps", type=int, default=400, help="steps of pretraining in which all weights learn")
    add("--head-steps", type=int, default=400, help="steps before them, of the head alone")
    add("--pretrain-lr", type=float, default=5e-5, help="highest learning rate of pretraining")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of the trainings of ctx_ner")
    add("--lr", type=float, default=1e-4, help="peak rate of the encoder's weights in ctx_ner (default: its own)")
    options = parser.parse_args()
    options.corpora, options.epochs, options.batch_size, options.curve = [options.corpus], {}, 16, False
    options.peer_python, options.lr = Path(sys.executable), {"ctx": options.lr}
    options.limit, options.save_every = 0, 250
    if options.quick:
        options.limit, options.seeds, options.epochs = 48, [0], {options.corpus: 1}
        options.steps, options.head_steps = 4, 4
    return options


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    here = environment()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if options.quick else WORK
        backbone, report = make_backbone(options, folder)
        os.environ[BACKBONE] = str(backbone)
        weights = str(backbone / "model.safetensors")  # a result depends on them
        pretrained = Kind(SYSTEMS["ctx-pretrained"], "ctx_pretrained", 0.0, (*SOURCES, weights))
        accuracy.SYSTEMS["ctx-pretrained"] = pretrained
        accuracy.CORPORA[options.corpus] = accuracy.CORPORA[options.corpus]._replace(systems=tuple(SYSTEMS))
        runs = accuracy.plan(options, {}, parts=options.seeds, systems=list(SYSTEMS))
        results = accuracy.execute(runs, options, folder if options.quick else accuracy.WORK)
    scores: dict[str, list[float]] = {}
    for run, result in zip(runs, results, strict=True):
        scores.setdefault(run.system, []).append(headline(result["scores"]["ner"]))
    for name, value in report["perplexity"].items():
        print(f"perplexity of dev, {name:12} {value:12,.2f}")
    for name, values in scores.items():
        print(f"{SYSTEMS[name]:32} F {statistics.mean(values):6.2f}   {'  '.join(f'{value:.2f}' for value in values)}")
    f = {name: round(statistics.mean(values), 4) for name, values in scores.items()}
    claims = make_claims(options.corpus, report, f)
    if options.quick or len(options.seeds) < 2:
        print(f"\n{RESULT.name} is written by a full run only: at least two seeds")
        return
    raw = [{"run": each["run"] | {"data": ""}, "scores": each["scores"]} for each in results]
    about = {"unit": "exp of nats per masked piece of dev; percent: micro F over exact spans, on test"}
    write_result(RESULT, {**here, **about, "pretraining": report, "raw": raw, "claims": claims})


if __name__ == "__main__":
    main()
