"""What each part of `configs/ner.cfg` with a mix of layers brings on WNUT-17: the shipped grid, by the shipped command.

    .venv/bin/python benchmarks/ablation.py --data DIR

The sentences of `DIR/wnut17` are written as `.spacy` files, and `ctx ablate configs/ner.cfg configs/ablation.yml` is
called for them: 480 updates each, scored on dev after every 120, of which the best counts. Every run lies in
`work/ablation`, so that what was cut off goes on where it stopped. The result is `results/ablation.json`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import accuracy
import spacy
from options import make_parser
from spacy.tokens import DocBin
from systems.common import environ, environment, read_tsv, write_result
from systems.spacy_loop import gold_doc

RESULT = accuracy.HERE / "results" / "ablation.json"
WORK = accuracy.HERE / "work" / "ablation"
CONFIGS = accuracy.ROOT / "configs"
CORPUS, SCORE = "wnut17", "ents_f"
SPLITS = ("train", "dev", "test")


def write_corpus(folder: Path, output: Path, limit: int) -> None:
    """Write the sentences of each split as documents, at most `limit` if that is not 0."""
    vocab = spacy.blank("en").vocab
    for split in SPLITS:
        sentences = list(read_tsv(folder / f"{split}.tsv"))[: limit or None]
        DocBin(docs=[gold_doc(vocab, sentence) for sentence in sentences]).to_disk(output / f"{split}.spacy")


def command(folder: Path, options: argparse.Namespace) -> list[str]:
    """RETURNS: the call of `ctx ablate`."""
    settings = {
        "paths.train": folder / "train.spacy",
        "paths.dev": folder / "dev.spacy",
        "training.max_steps": 480,
        "training.patience": 0,
        "training.eval_frequency": 120,
    }
    if options.quick:
        settings |= {"training.max_steps": 4, "training.eval_frequency": 2}
    overrides = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    files = [str(CONFIGS / "ner.cfg"), str(CONFIGS / "ablation.yml"), "--data", str(folder / "test.spacy")]
    how_many = ["--seeds", str(options.seeds), "--jobs", str(options.jobs)]
    call = [sys.executable, "-m", "spacy", "ctx", "ablate"]
    return [*call, *files, "--output", str(folder), *how_many, *overrides]


def make_claims(rows: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """RETURNS: what the documentation may quote, whichever way it came out: a part may bring nothing, or cost."""
    claims = []
    for variant, row in rows.items():
        percent = {"f": row["mean"], "sd": row["sd"]}
        if row["over_base"] is not None:
            percent |= {name: row["over_base"][name] for name in ("difference", "low", "high")}
            claims.append(accuracy.claim(f"{CORPUS}.{variant}.p", round(row["over_base"]["p_value"], 4), at_least=0))
        for name, share in percent.items():
            claims.append(accuracy.claim(f"{CORPUS}.{variant}.{name}", round(100 * share, 4), at_least=-100))
    return claims


def parse() -> argparse.Namespace:
    parser = make_parser(__doc__, "48 sentences, 4 updates, one seed")
    add = parser.add_argument
    add("--seeds", type=int, default=3, help="trainings of each variant (default: 3)")
    options = parser.parse_args()
    if options.quick:
        options.seeds = 1
    return options


def main() -> None:
    options = parse()
    here = environment()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if options.quick else WORK
        folder.mkdir(parents=True, exist_ok=True)
        write_corpus(options.data / CORPUS, folder, 48 if options.quick else 0)
        subprocess.run(command(folder, options), check=True, env=environ(options.threads))
        found = json.loads((folder / "ablation.json").read_text(encoding="utf8"))
    rows = found["scores"][SCORE]
    if options.quick or options.seeds < 3:
        print(f"\n{RESULT.name} is written by a full run only: at least three seeds")
        return
    unit = "percent: micro F over exact spans, on test; difference to the base with its interval, over sentences"
    write_result(RESULT, {**here, "unit": unit, "raw": rows, "claims": make_claims(rows)})


if __name__ == "__main__":
    main()
