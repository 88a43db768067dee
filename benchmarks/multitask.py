"""One encoder for two tasks: UPOS by `ctx_tagger` and trees by spaCy's `parser`, on UD English EWT.

    .venv/bin/python benchmarks/multitask.py --data DIR

DIR holds `ud_ewt/{train,dev,test}.conllu`. Three trainings a seed, each from the same MiniLM weights and for the same
epochs: tagger and parser together on one `ctx_encoder`, the tagger alone on its own, the parser alone on its own. The
harness is that of `accuracy.py`: every training is a process with a result file of its own in `work/`, so that what was
cut off goes on where it stopped. Results are in `results/multitask.json`: accuracies on test, and what the trainings
cost, as CPU time of all threads.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import accuracy
from accuracy import Kind
from options import make_parser
from systems.common import environment, headline, write_result
from systems.multitask import COLUMNS, TreeRun

RESULT = accuracy.HERE / "results" / "multitask.json"
SOURCES = ("benchmarks/systems/ctx.py", *accuracy.SPACY, *accuracy.OURS)
CORPUS, TOGETHER, ALONE = "ud_ewt", "ctx-together", ("ctx-tagger-alone", "ctx-parser-alone")
TITLES = {TOGETHER: "together", "ctx-tagger-alone": "the tagger alone", "ctx-parser-alone": "the parser alone"}
LOSS = 0.5  # points of accuracy; sharing must not cost more


def parse() -> argparse.Namespace:
    parser = make_parser(__doc__, "48 sentences, one epoch, one seed")
    add = parser.add_argument
    add("--seeds", nargs="+", type=int, default=[0, 1])
    add("--epochs", type=int, default=2)
    add("--lr", type=float, default=1e-4, help="peak rate of the encoder's weights (default: that of ctx_ner)")
    options = parser.parse_args()
    options.peer_python, options.limit = Path(sys.executable), 0
    if options.quick:
        options.limit, options.seeds, options.epochs = 48, [0], 1
    return options


def plan(options: argparse.Namespace) -> list[TreeRun]:
    """The trainings, seed by seed."""
    return [
        TreeRun(
            corpus=CORPUS,
            system=system,
            seed=seed,
            epochs=options.epochs,
            batch_size=16,
            lr=options.lr,
            data=str(options.data.resolve()),
            limit=options.limit,
        )
        for seed in options.seeds
        for system in COLUMNS
    ]


def summarize(results: list[dict[str, Any]]) -> tuple[list[str], list[dict[str, Any]]]:
    """RETURNS: the lines of a table, and the claims: means over seeds, what sharing changes, and what it saves."""

    def mean(system: str, column: str) -> float:
        found = [r["scores"][column] for r in results if r["run"]["system"] == system]
        return round(statistics.mean(headline(scores) for scores in found), 4)

    def seconds(system: str) -> float:
        return statistics.mean(r["train_cpu_seconds"] for r in results if r["run"]["system"] == system)

    lines, claims = [], []
    for system in ALONE:
        for column in COLUMNS[system]:
            both, alone = mean(TOGETHER, column), mean(system, column)
            lines.append(f"{column:6} together {both:6.2f}   {TITLES[system]} {alone:6.2f}")
            claims.append(accuracy.claim(f"{column}.together", both, at_least=alone - LOSS))
            claims.append(accuracy.claim(f"{column}.alone", alone, at_least=0))
            claims.append(accuracy.claim(f"{column}.together-over-alone", round(both - alone, 4), at_least=-LOSS))
    share = seconds(TOGETHER) / sum(map(seconds, ALONE))
    lines.append(f"training takes {100 * share:.0f} % of the CPU time of both alone")
    claims.append(accuracy.claim("time.together", round(100 * share, 2), at_most=100))
    return lines, claims


def main() -> None:
    options = parse()
    accuracy.SYSTEMS.update({name: Kind(title, "multitask", options.lr, SOURCES) for name, title in TITLES.items()})
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if options.quick else accuracy.WORK
        results = accuracy.execute([*plan(options)], options, folder)
    lines, claims = summarize(results)
    print("\n".join(lines))
    if options.quick or len(options.seeds) < 2:
        print(f"\n{RESULT.name} is written by a full run only: at least two seeds")
        return
    kept = ("scores", "settings", "train_seconds", "train_cpu_seconds", "train_words_per_second", "load_average_after")
    raw = [{"run": r["run"] | {"data": ""}, **{name: r[name] for name in kept}} for r in results]
    unit = "percent: accuracy over words on test, punctuation included; of the CPU time of both alone"
    write_result(RESULT, environment() | {"raw": raw, "unit": unit, "claims": claims})


if __name__ == "__main__":
    main()
