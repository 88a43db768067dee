"""What is lost when half of the entities are not annotated: wikigold, half of its training entities dropped at random.

    .venv/bin/python benchmarks/partial.py --data DIR

Four trainings a seed: on all entities; with the words of the dropped ones marked as missing ("-"); the same with
`entity_ratio`, the share of tokens in entities, as counted on dev; and plain, with these words outside of entities.
Where the missing words are is known here because they were dropped: an oracle's placing of "-", which a person who
annotates would have to give. Nothing is augmented. The harness is that of `accuracy.py`, results are in
`results/partial.json`.
"""

import statistics
import sys
import tempfile
from pathlib import Path

import accuracy
from accuracy import Kind
from options import make_parser
from systems.common import environment, headline, write_result

RESULT = accuracy.HERE / "results" / "partial.json"
SOURCES = ("benchmarks/systems/ctx.py", *accuracy.SPACY, *accuracy.OURS)
SYSTEMS = {
    "ctx-no-augmentation": "all entities",
    "ctx-half-missing": "half of them, the others missing",
    "ctx-half-ratio": "half of them, the others missing, entity_ratio",
    "ctx-half-plain": "half of them, the others outside",
}
LOSS = 3.0  # F; more than this must not be lost


def main() -> None:
    parser = make_parser(__doc__, "48 sentences, one epoch, one seed")
    add = parser.add_argument
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--lr", type=float, default=1e-4, help="peak rate of the encoder's weights (default: that of ctx_ner)")
    options = parser.parse_args()
    options.corpora, options.epochs, options.batch_size, options.curve = ["wikigold"], {}, 16, False
    options.peer_python, options.lr, options.limit = Path(sys.executable), {"ctx": options.lr}, 0
    if options.quick:
        options.limit, options.seeds, options.epochs = 48, [0], {"wikigold": 1}
    halves = {name: Kind(title, "ctx_partial", 0.0, SOURCES) for name, title in SYSTEMS.items() if "half" in name}
    accuracy.SYSTEMS.update(halves)
    accuracy.CORPORA["wikigold"] = accuracy.CORPORA["wikigold"]._replace(systems=tuple(SYSTEMS))
    runs = accuracy.plan(options, {}, parts=options.seeds, systems=list(SYSTEMS))
    with tempfile.TemporaryDirectory() as temporary:
        results = accuracy.execute(runs, options, Path(temporary) if options.quick else accuracy.WORK)

    scores: dict[str, list[float]] = {}
    for run, result in zip(runs, results, strict=True):
        scores.setdefault(run.system, []).append(headline(result["scores"]["ner"]))
    means = {name: round(statistics.mean(values), 4) for name, values in scores.items()}
    for name, values in scores.items():
        print(f"{SYSTEMS[name]:48} F {means[name]:6.2f}   {'  '.join(f'{v:.2f}' for v in values)}")
    claims = [
        accuracy.claim("wikigold.full", means["ctx-no-augmentation"], at_least=0),
        accuracy.claim("wikigold.missing", means["ctx-half-missing"], at_least=means["ctx-half-plain"]),
        accuracy.claim("wikigold.ratio", means["ctx-half-ratio"], at_least=means["ctx-no-augmentation"] - LOSS),
        accuracy.claim("wikigold.plain", means["ctx-half-plain"], at_least=0),
    ]
    if options.quick or len(options.seeds) < 3:
        print(f"\n{RESULT.name} is written by a full run only: at least three seeds")
        return
    raw = [{"run": r["run"] | {"data": ""}, "scores": r["scores"], "settings": r["settings"]} for r in results]
    record = environment() | {"raw": raw, "unit": "percent: micro F over exact spans, on test", "claims": claims}
    write_result(RESULT, record)


if __name__ == "__main__":
    main()
