"""How far the probability of an entity can be trusted: that of `ctx_ner` beside two that are in use elsewhere.

    .venv/bin/python benchmarks/calibration.py --data DIR

For one trained `ctx_ner` per corpus and seed, every entity on its best path gets three numbers:

- ours: the exact probability of the span with its label, from the CRF; raw, and after `temperature` was fitted on dev;
- outside: the mean over its tokens of 1 - P(O), with the CRF's own marginals;
- prefix: the mean over its tokens of the softmax over the scores of the best paths that end in each tag there, as
  Flair's Viterbi decoder reports it.

All are scored on test by expected calibration error over 15 bins of equal width (Guo et al. 2017), Brier score, and the
area under the precision-recall curve that a threshold on the number draws. `dial` is that curve for ours with spans off
the best path, as `alternatives` stores them. The trainings are those of `accuracy.py`, with the same cache; pipelines
are kept. `--models DIR` takes kept pipelines of another checkout instead of training.

`results/calibration.json` holds the figures, `docs/images/` the two plots.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import accuracy
import numpy as np
import spacy
from numpy.typing import NDArray
from options import make_parser
from spacy.tokens import Doc
from systems.common import KEEP, Run, Sentence, environment, spans_of, write_result

from spacy_ctxtag.crf import posterior, span_log_probs, spans_above, viterbi
from spacy_ctxtag.evaluation.calibration import fit_temperature, sequence_loss
from spacy_ctxtag.evaluation.reliability import brier, ece, reliability_table
from spacy_ctxtag.tags import constraint_mask, tags_to_spans

RESULT = accuracy.HERE / "results" / "calibration.json"
IMAGES = accuracy.ROOT / "docs" / "images"
CORPORA = ("wnut17", "wikigold")
SCORES = ("ours", "calibrated", "outside", "prefix")
LEAST = 0.005  # spans below it are left out of the dial's curve
Floats = NDArray[np.float64]


class Rated(NamedTuple):
    """Entities with a number each, and whether they are in the gold; how many gold entities there are."""

    scores: Floats
    hits: NDArray[np.bool_]
    gold: int


class Split(NamedTuple):
    """A corpus under a model: scores of chains, and gold spans with label indices (unknown labels: -1)."""

    chains: Any
    grammar: Any
    gold: list[set[tuple[int, int, int]]]


def read_split(nlp: Any, sentences: list[Sentence]) -> Split:
    ner = nlp.get_pipe("ctx_ner")
    docs = [Doc(nlp.vocab, sentence.words) for sentence in sentences]
    index = {label: i for i, label in enumerate(ner.labels)}
    gold = [{(i, j, index.get(label, -1)) for i, j, label in spans_of(s.tags["ner"])} for s in sentences]
    batches = [ner.chains(docs[start : start + 64])[0] for start in range(0, len(docs), 64)]
    joined = type(batches[0])([e for b in batches for e in b.emissions], *_moves(batches[0]))
    return Split(joined, ner.grammar, gold)


def _moves(chains: Any) -> tuple[Floats, Floats, Floats]:
    return chains.start, chains.transition, chains.end


def fit(dev: Split) -> float:
    """The temperature under which the annotation of dev is the most probable."""
    masks = []
    for emissions, gold in zip(dev.chains.emissions, dev.gold, strict=True):
        known = [span for span in gold if span[2] >= 0]
        masks.append(constraint_mask(dev.grammar, known, np.zeros(len(emissions), dtype=bool)))
    return fit_temperature(sequence_loss(dev.chains, dev.grammar, masks))


def rate(test: Split, temperature: float) -> dict[str, Rated]:
    """All numbers for the entities of the best paths (which a temperature does not change), and the dial."""
    chains, grammar = test.chains, test.grammar
    paths = viterbi(chains, grammar)
    raw = posterior(chains, grammar)
    fitted = posterior(chains.divided_by(temperature), grammar)
    rated: dict[str, list[float]] = {name: [] for name in SCORES}
    hits: list[bool] = []
    dial_scores: list[Floats] = []
    dial_hits: list[bool] = []
    for i, path in enumerate(paths):
        spans = tags_to_spans(grammar, path)
        hits += [span in test.gold[i] for span in spans]
        rated["ours"] += np.exp(span_log_probs(raw[i], spans)).tolist()
        rated["calibrated"] += np.exp(span_log_probs(fitted[i], spans)).tolist()
        inside = 1.0 - raw[i].tag_probs[:, 0]
        prefix = prefix_softmax(chains.emissions[i], *_moves(chains), grammar)[np.arange(len(path)), path]
        rated["outside"] += [float(inside[s:e].mean()) for s, e, _ in spans]
        rated["prefix"] += [float(prefix[s:e].mean()) for s, e, _ in spans]
        found, log_probs = spans_above(fitted[i], LEAST)
        dial_scores.append(np.exp(log_probs))
        dial_hits += [tuple(span) in test.gold[i] for span in found.tolist()]
    n_gold = sum(map(len, test.gold))
    results = {name: Rated(np.array(values), np.array(hits, dtype=bool), n_gold) for name, values in rated.items()}
    results["dial"] = Rated(np.concatenate(dial_scores), np.array(dial_hits, dtype=bool), n_gold)
    return results


def prefix_softmax(emissions: Floats, start: Floats, transition: Floats, end: Floats, grammar: Any) -> Floats:
    """(T, K) softmax over the best scores of paths that end in each tag."""
    move = np.where(grammar.transition, transition, -np.inf)
    score = np.empty_like(emissions)
    for t in range(len(emissions)):
        before = np.where(grammar.start, start, -np.inf) if t == 0 else (score[t - 1][:, None] + move).max(axis=0)
        score[t] = before + emissions[t]
    score -= score.max(axis=1, keepdims=True)
    probs: Floats = np.exp(score)
    return probs / probs.sum(axis=1, keepdims=True)


def curve(rated: Rated) -> tuple[Floats, Floats]:
    """Precision and recall at every threshold, from the highest down; equal numbers pass together."""
    order = np.argsort(-rated.scores, kind="stable")
    scores, hits = rated.scores[order], np.cumsum(rated.hits[order])
    last = np.append(scores[1:] != scores[:-1], True) if len(scores) else np.zeros(0, dtype=bool)
    return (hits / np.arange(1, len(hits) + 1))[last], (hits / max(1, rated.gold))[last]


def area(rated: Rated) -> float:
    """Average precision: the precision at each step of recall, weighted by the step."""
    precision, recall = curve(rated)
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def train(options: argparse.Namespace) -> dict[str, list[tuple[Run, Path]]]:
    """RETURNS: by corpus, the runs and the folders of their pipelines; what is missing is trained."""
    os.environ[KEEP] = "1"
    runs = accuracy.plan(options, {}, parts=options.seeds, systems=["ctx"])
    folders: dict[str, list[tuple[Run, Path]]] = {}
    if options.models:
        for run in runs:
            found = [path for path in options.models.glob(f"{run.corpus}-ctx-{run.seed}-*") if path.is_dir()]
            if len(found) != 1:
                raise SystemExit(f"{len(found)} pipelines for {run.name} in {options.models}; expected one")
            folders.setdefault(run.corpus, []).append((run, found[0]))
        return folders
    for run in runs:
        file = accuracy.result_file(run, accuracy.WORK)
        if file.exists() and not file.with_suffix("").is_dir():
            file.unlink()  # trained without keeping the pipeline
    accuracy.execute(runs, options, accuracy.WORK)
    for run in runs:
        folders.setdefault(run.corpus, []).append((run, accuracy.result_file(run, accuracy.WORK).with_suffix("")))
    return folders


def measure(run: Run, folder: Path) -> tuple[dict[str, Any], dict[str, Rated]]:
    nlp = spacy.load(folder)
    temperature = fit(read_split(nlp, run.read("dev")))
    rated = rate(read_split(nlp, run.read("test")), temperature)
    row: dict[str, Any] = {"corpus": run.corpus, "seed": run.seed, "temperature": round(temperature, 4)}
    row["entities"], row["gold"] = len(rated["ours"].scores), rated["ours"].gold
    for name in SCORES:
        scores, hits = rated[name].scores, rated[name].hits
        row[name] = {
            "ece": 100 * ece(scores, hits),
            "ece_adaptive": 100 * ece(scores, hits, adaptive=True),
            "brier": brier(scores, hits),
            "area": 100 * area(rated[name]),
        }
    row["dial"] = {"area": 100 * area(rated["dial"])}
    return row, rated


def claims(rows: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Means over the seeds; calibrated, the error of ours is at most half of either rival's."""
    for corpus in dict.fromkeys(row["corpus"] for row in rows):
        of_corpus = [row for row in rows if row["corpus"] == corpus]

        def mean(name: str, field: str, of_corpus: list[dict[str, Any]] = of_corpus) -> float:
            return round(statistics.mean(row[name][field] for row in of_corpus), 4)

        half = min(mean("outside", "ece"), mean("prefix", "ece")) / 2
        yield accuracy.claim(f"{corpus}.ece.ours", mean("ours", "ece"), at_most=2 * half)
        yield accuracy.claim(f"{corpus}.ece.calibrated", mean("calibrated", "ece"), at_most=half)
        for rival in ("outside", "prefix"):
            yield accuracy.claim(f"{corpus}.ece.{rival}", mean(rival, "ece"), at_least=mean("calibrated", "ece"))
            yield accuracy.claim(f"{corpus}.area.{rival}", mean(rival, "area"), at_most=mean("ours", "area"))
        yield accuracy.claim(f"{corpus}.area.ours", mean("ours", "area"), at_least=0)
        yield accuracy.claim(f"{corpus}.area.dial", mean("dial", "area"), at_least=mean("ours", "area"))


def plot(rated: dict[str, Rated], corpus: str) -> None:
    """The precision-recall curves of one model, and its reliability, as SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    titles = {
        "ours": "exact probability",
        "outside": "mean of 1 − P(O)",
        "prefix": "softmax of Viterbi prefixes",
        "dial": "exact, spans off the best path too",
    }
    IMAGES.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(figsize=(6, 4))
    for name, title in titles.items():
        precision, recall = curve(rated[name])
        axes.plot(100 * recall, 100 * precision, label=f"{title} (area {100 * area(rated[name]):.1f})")
    axes.set(xlabel="recall, %", ylabel="precision, %", title=f"{corpus}: entities above a threshold", ylim=(0, 102))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16))
    figure.savefig(IMAGES / "precision_recall.svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)

    figure, axes = plt.subplots(figsize=(5, 5))
    for name in SCORES:
        rows = reliability_table(rated[name].scores, rated[name].hits, bins=10)
        points = [(row.mean_prob, row.share_right) for row in rows if row.n >= 10]
        title = {**titles, "calibrated": "exact, calibrated"}[name]
        axes.plot(*zip(*points, strict=True), marker="o", label=title)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axes.set(xlabel="score", ylabel="share of entities that are right", title=f"{corpus}: reliability")
    axes.legend()
    figure.savefig(IMAGES / "reliability.svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def parse() -> argparse.Namespace:
    parser = make_parser(__doc__, "48 sentences, one epoch, one seed")
    add = parser.add_argument
    add("--corpora", nargs="+", choices=CORPORA, default=list(CORPORA))
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--models", type=Path, help="folder of pipelines that an accuracy run has kept")
    options = parser.parse_args()
    options.epochs, options.lr, options.batch_size, options.curve, options.limit = {}, {}, 16, False, 0
    options.peer_python = Path(sys.executable)
    if options.quick:
        options.limit, options.seeds, options.epochs = 48, [0], dict.fromkeys(CORPORA, 1)
    return options


def main() -> None:
    options = parse()
    rows, shown = [], None
    for corpus, runs in train(options).items():
        for run, folder in runs:
            row, rated = measure(run, folder)
            rows.append(row)
            if corpus == CORPORA[0] and run.seed == options.seeds[0]:
                shown = rated
            cells = "  ".join(f"{name} {row[name]['ece']:.2f}/{row[name]['area']:.1f}" for name in SCORES)
            print(
                f"{run.name}: temperature {row['temperature']:.2f}  ECE/area  {cells}  dial {row['dial']['area']:.1f}"
            )
    found = list(claims(rows))
    for each in found:
        print(f"{each['claim']:28} {each['value']:8.2f}  {'holds' if each['holds'] else 'DOES NOT HOLD'}")
    if options.quick or set(options.corpora) != set(CORPORA) or len(options.seeds) < 3:
        print(f"\n{RESULT.name} is written by a full run only: both corpora, at least three seeds")
        return
    if shown is not None:
        plot(shown, CORPORA[0])
    here = environment()
    here["raw"] = rows
    here["unit"] = (
        "percent; ECE over 15 bins of equal width, area: average precision, over entities on test; Brier 0 to 1"
    )
    here["claims"] = found
    write_result(RESULT, here)


if __name__ == "__main__":
    main()
