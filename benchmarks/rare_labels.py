"""What brings back the rarest labels of WNUT-17: costs in the loss, sentences that come more often, and both.

    .venv/bin/python benchmarks/rare_labels.py --data DIR

The three labels that the fewest sentences have: recall and F of each, and what it does to F over all labels; three
seeds, no augmentation. Settings and results are in `results/rare_labels.json`; the harness is that of `accuracy.py`.
"""

import statistics
import sys
import tempfile
from pathlib import Path

import accuracy
from accuracy import Kind
from options import make_parser
from systems.common import Run, environment, headline, write_result
from systems.ctx_rare import rare_labels

RESULT = accuracy.HERE / "results" / "rare_labels.json"
SOURCES = ("benchmarks/systems/ctx.py", "spacy_ctxtag/data/rare_labels.py", *accuracy.SPACY, *accuracy.OURS)
SYSTEMS = {
    "ctx-no-augmentation": "as it is",
    "ctx-costs": "costs on the three labels",
    "ctx-repeated": "sentences with rare labels repeated",
    "ctx-costs-repeated": "both",
}


def main() -> None:
    parser = make_parser(__doc__, "96 sentences, one epoch, one seed")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args()
    options.corpora, options.epochs, options.batch_size, options.curve = ["wnut17"], {}, 16, False
    options.peer_python, options.lr, options.limit = Path(sys.executable), {}, 0
    if options.quick:
        options.limit, options.seeds, options.epochs = 96, [0], {"wnut17": 1}
    variants = {
        name: Kind(title, "ctx_rare", 1e-4, SOURCES) for name, title in SYSTEMS.items() if name not in accuracy.SYSTEMS
    }
    accuracy.SYSTEMS.update(variants)
    accuracy.CORPORA["wnut17"] = accuracy.CORPORA["wnut17"]._replace(systems=tuple(SYSTEMS))
    runs = accuracy.plan(options, {}, parts=options.seeds, systems=list(SYSTEMS))
    with tempfile.TemporaryDirectory() as temporary:
        results = accuracy.execute(runs, options, Path(temporary) if options.quick else accuracy.WORK)

    found: dict[str, list[dict]] = {}
    for run, result in zip(runs, results, strict=True):
        found.setdefault(run.system, []).append(result["scores"]["ner"])
    labels = rare_labels(Run.read(runs[0], "train"))
    claims = []
    print(f"{'':38}{'F':>8}{'macro F':>9}" + "".join(f"{label + ' R':>18}{'F':>7}" for label in labels))
    for name, scores in found.items():
        row = {"f": statistics.mean(map(headline, scores)), "macro_f": statistics.mean(s["macro_f"] for s in scores)}
        for label in labels:
            of_label = [s["per_type"].get(label, {"r": 0.0, "f": 0.0}) for s in scores]
            row |= {f"{label}.{key}": statistics.mean(each[key] for each in of_label) for key in ("r", "f")}
        row["rare_r"] = statistics.mean(row[f"{label}.r"] for label in labels)
        cells = "".join(f"{row[f'{label}.r']:18.2f}{row[f'{label}.f']:7.2f}" for label in labels)
        print(f"{SYSTEMS[name]:38}{row['f']:8.2f}{row['macro_f']:9.2f}{cells}")
        claims += [accuracy.claim(f"wnut17.{name}.{key}", round(value, 4), at_least=0) for key, value in row.items()]
    if options.quick or len(options.seeds) < 3:
        print(f"\n{RESULT.name} is written by a full run only: at least three seeds")
        return
    raw = [{"run": r["run"] | {"data": ""}, "scores": r["scores"], "settings": r["settings"]} for r in results]
    unit = "percent, mean over seeds, on test: micro F over exact spans (f), macro_f, recall (r) and F of labels"
    write_result(RESULT, environment() | {"raw": raw, "unit": unit, "labels": labels, "claims": claims})


if __name__ == "__main__":
    main()
