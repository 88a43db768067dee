"""Accuracy of spacy-ctxtag beside its peers: same MiniLM weights, sentences, batches and epochs, several seeds.

    .venv/bin/python benchmarks/accuracy.py --data DIR

DIR holds `wnut17/{train,dev,test}.tsv`, `wikigold/…` and `re3d/…` (word, tab, BIO tag; a blank line after each
sentence; a line `# doc = ID` opens a document) and `ud_ewt/{train,dev,test}.conllu`. re3d is small: its files are one
corpus, which is tested in five parts, whole documents each, one seed a part. The systems are in `systems/`, one a file.
Every training is a process with a result file of its own in `work/`, so that what was cut off goes on where it stopped.
When all are there, they are summed up in `results/accuracy.json`. The last epoch counts, no checkpoint is chosen. Ours
learns at its default rate everywhere; with `--tune` each peer gets, for each corpus, the rate that is best on dev after
a whole training; `--tuned results/accuracy.json` takes over what was tried before. Every system is also scored on
copies of the test sets with noise (`systems/common.py`). `ctx` is the shipped config, so it also learns from variants
of the sentences with like noise, in twice as many updates; `ctx-no-augmentation` learns from what all others do.

The peers run in environments of their own, which are made at the first run; Flair cannot share one with the others:

    python -m venv .venv-peers && .venv-peers/bin/pip install -r benchmarks/requirements-peers.txt
    python -m venv .venv-flair && .venv-flair/bin/pip install -r benchmarks/requirements-flair.txt
"""

import argparse
import hashlib
import json
import re
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from bootstrap import difference
from options import make_parser
from systems.common import FOLDS, HARNESS, NOISE, SPLITS, Run, digest, environ, environment, headline, write_result

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
WORK = HERE / "work" / "accuracy"
RESULT = HERE / "results" / "accuracy.json"
PEERS = ROOT / ".venv-peers"
FLAIR = ROOT / ".venv-flair"
SPACY = ("benchmarks/systems/spacy_loop.py", "benchmarks/systems/upos_tagger.py")
OURS = (
    "spacy_ctxtag/tags.py",
    "spacy_ctxtag/data/augment",
    "configs/ner.cfg",
    *(f"spacy_ctxtag/{folder}" for folder in ("architectures", "components", "crf", "layers")),
)
GRID = {
    "wnut17": (5e-5, 1e-4),
    "wikigold": (1e-4, 2e-4),
    "re3d": (1e-4, 2e-4),
    "ud_ewt": (4e-4, 8e-4),
}  # what --tune tries first
LIMITS = (2.5e-5, 1.6e-3)  # as long as the lowest or the highest rate is the best, it goes on, up to these


@dataclass(frozen=True)
class Kind:
    """A system: how it is called in the table, the module that runs it, the encoder's rate, the files it depends on."""

    title: str
    module: str
    lr: float
    sources: tuple[str, ...]

    @property
    def is_peer(self) -> bool:
        return not self.module.startswith("ctx")


SYSTEMS = {
    "ctx": Kind("spacy-ctxtag", "ctx", 1e-4, (*SPACY, *OURS)),
    "spacy_trf": Kind("spaCy on spacy-transformers", "spacy_trf", 5e-5, SPACY),
    "hf_linear": Kind("Hugging Face, linear head", "hf_linear", 5e-5, ()),
    "flair": Kind("Flair, CRF", "flair_crf", 5e-5, ()),
    "ctx-no-augmentation": Kind("… without augmentation", "ctx", 1e-4, (*SPACY, *OURS)),
}


class Corpus(NamedTuple):
    """How a corpus is used. A part is a seed, or a fold with the seed 0."""

    epochs: int
    systems: tuple[str, ...]
    parts: int
    folded: bool = False

    def places(self, some: list[int] | None) -> list[tuple[int, int]]:
        """RETURNS: seed and fold (-1: none) of each part."""
        return [(0, part) if self.folded else (part, -1) for part in (range(self.parts) if some is None else some)]


CORPORA = {
    "wnut17": Corpus(4, tuple(SYSTEMS), 3),
    "wikigold": Corpus(8, tuple(SYSTEMS), 3),
    "re3d": Corpus(10, tuple(SYSTEMS), FOLDS, folded=True),
    "ud_ewt": Corpus(2, ("ctx", "spacy_trf"), 2),
}


# Running


def key(run: Run) -> str:
    """A hash of all that a result depends on: the settings, the texts, and the code of the system."""
    kind = SYSTEMS[run.system]
    paths = [ROOT / source for source in (f"benchmarks/systems/{kind.module}.py", *kind.sources)]
    code = [path for p in paths for path in (sorted(p.rglob("*.py")) if p.is_dir() else [p])]
    texts = [run.file(split) for split in SPLITS]
    settings = json.dumps([HARNESS, {**asdict(run), "data": ""}])
    return hashlib.sha256(f"{settings} {digest(*code)} {digest(*texts)}".encode()).hexdigest()[:12]


def result_file(run: Run, folder: Path) -> Path:
    part = run.seed if run.fold < 0 else f"fold{run.fold}"
    return folder / f"{run.corpus}-{run.system}-{part}-{key(run)}.json"


def execute(runs: list[Run], options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Do what is not done yet, `options.jobs` at a time. RETURNS: the results, in the order of the runs."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [result_file(run, folder) for run in runs]
    missing = [(run, file) for run, file in zip(runs, files, strict=True) if not file.exists()]
    print(f"{len(runs)} trainings, {len(missing)} to do", flush=True)

    def train(job: tuple[Run, Path]) -> bool:
        run, file = job
        kind = SYSTEMS[run.system]
        task = file.with_suffix(".task")
        task.write_text(json.dumps(asdict(run)), encoding="utf8")
        flair = getattr(options, "flair_python", None) if kind.module == "flair_crf" else None
        python = flair or (options.peer_python if kind.is_peer else sys.executable)
        command = [str(python), "-m", f"systems.{kind.module}", str(task), str(file)]
        if subprocess.run(command, cwd=HERE, env=environ(options.threads), check=False).returncode:
            print(f"{run.name}: failed", file=sys.stderr, flush=True)
            return False
        scores = json.loads(file.read_text(encoding="utf8"))["scores"]
        done = sum(file.exists() for file in files)
        line = "  ".join(f"test {column} {headline(s):.2f}" for column, s in scores.items())
        print(f"[{done}/{len(runs)}] {run.name}: {line}", flush=True)
        return True

    with ThreadPoolExecutor(options.jobs) as pool:
        failures = [ok for ok in pool.map(train, missing) if not ok]
    if failures:
        raise SystemExit(f"{len(failures)} of {len(missing)} trainings failed; the others are kept")
    return [json.loads(file.read_text(encoding="utf8")) for file in files]


def tune(options: argparse.Namespace, folder: Path) -> tuple[dict[tuple[str, str], float], list[dict[str, Any]]]:
    """Try rates with the first seed: those of GRID, then half the lowest or twice the highest while that is the best on
    dev. What `options.tuned` has of the same run is not done again.

    RETURNS: the best rate by corpus and system, and all scores.
    """
    known = {Run(**{k: v for k, v in entry.items() if k != "dev"}): entry["dev"] for entry in options.tuned}
    pending = [
        replace(run, lr=lr)
        for run in plan(options, {}, parts=[0], systems=options.tune_systems)
        if run.corpus in options.tune
        for lr in GRID[run.corpus]
    ]
    tried: dict[tuple[str, str], dict[float, Run]] = {}
    dev: dict[Run, float] = {}
    best: dict[tuple[str, str], float] = {}
    while pending:
        new = [run for run in pending if replace(run, data="") not in known]
        for run, result in zip(new, execute(new, options, folder), strict=True):
            known[replace(run, data="")] = statistics.mean(headline(scores) for scores in result["dev"].values())
        for run in pending:
            dev[run] = known[replace(run, data="")]
            tried.setdefault((run.corpus, run.system), {})[run.lr] = run
        best = {pair: max(rates, key=lambda lr: dev[rates[lr]]) for pair, rates in tried.items()}
        pending = [
            replace(tried[pair][lr], lr=factor * lr)
            for pair, lr in best.items()
            for edge, factor in ((min, 0.5), (max, 2.0))
            if lr == edge(tried[pair]) and LIMITS[0] <= factor * lr <= LIMITS[1] and not options.quick
        ]
    print("\nRates tried on dev")
    for pair, rates in tried.items():
        scores = "   ".join(f"{lr:g}: {dev[run]:.2f}" for lr, run in rates.items())
        print(f"  {' '.join(pair):22} {scores}   best {best[pair]:g}")
    return best, [{**asdict(run), "data": "", "dev": score} for run, score in dev.items()]


def base_of(system: str) -> str:
    """RETURNS: the system whose rate it learns at: ctx without a part of it learns at the rate of ctx."""
    return system.partition("-")[0]


def plan(
    options: argparse.Namespace, best: dict[tuple[str, str], float], *, parts: list[int] | None, systems: list[str]
) -> list[Run]:
    """The trainings of the corpora asked for, each at the rate asked for, else the best one found, else the usual one.

    Seed by seed, or fold by fold, so that what is there when one is cut off can be compared.
    """
    return [
        Run(
            corpus=corpus,
            system=system,
            seed=seed,
            fold=fold,
            epochs=options.epochs.get(corpus, CORPORA[corpus].epochs),
            batch_size=options.batch_size,
            lr=options.lr.get(base) or best.get((corpus, base)) or SYSTEMS[system].lr,
            data=str(options.data.resolve()),
            limit=options.limit,
            curve=options.curve,
        )
        for corpus in options.corpora
        for seed, fold in CORPORA[corpus].places(parts)
        for system in CORPORA[corpus].systems
        if system in systems
        for base in [base_of(system)]
    ]


# Reporting


class Summary:
    """Results by corpus and system; `values` are one per seed."""

    def __init__(self, results: list[dict[str, Any]]):
        self.groups: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for result in results:
            run = result["run"]
            self.groups.setdefault(run["corpus"], {}).setdefault(run["system"], []).append(result)

    def columns(self, corpus: str) -> list[str]:
        """RETURNS: "ner", or "upos" and "xpos"."""
        return list(next(iter(self.groups[corpus].values()))[0]["scores"])

    def mean(self, corpus: str, system: str, column: str) -> float:
        """RETURNS: mean F, or mean accuracy, in percent."""
        return statistics.mean(headline(result["scores"][column]) for result in self.groups[corpus][system])

    def spread(self, values: list[float]) -> str:
        return f"{statistics.mean(values):6.2f}" + (f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else "")

    def tables(self) -> Iterator[str]:
        """One table a corpus: mean ± standard deviation over the seeds."""
        for corpus, systems in self.groups.items():
            first = next(iter(systems.values()))
            fields = [
                (name if column == "ner" else f"{column} {name}", column, field)
                for column in self.columns(corpus)
                for name, field in (
                    [("F", "f"), ("P", "p"), ("R", "r"), ("macro F", "macro_f")]
                    if column == "ner"
                    else [("accuracy", "accuracy"), ("sentences", "sentences")]
                )
            ]
            parts = "folds" if CORPORA[corpus].folded else "seeds"
            yield f"\n{corpus}: test, {first[0]['run']['epochs']} epochs, {len(first)} {parts}"
            yield f"{'':30}" + "".join(f"{name:>18}" for name, _, _ in fields) + f"{'train s':>10}{'words/s':>10}"
            for system, results in systems.items():
                cells = [self.spread([r["scores"][column][field] for r in results]) for _, column, field in fields]
                seconds = statistics.mean(r["train_seconds"] for r in results)
                speed = statistics.mean(r["train_words_per_second"] for r in results)
                title = SYSTEMS[system].title
                yield f"{title:30}" + "".join(f"{cell:>18}" for cell in cells) + f"{seconds:10.0f}{speed:10.0f}"

    def drop(self, corpus: str, system: str, kind: str) -> float:
        """RETURNS: by how much F is lower on a noisy copy of the test set, mean over the parts."""
        results = self.groups[corpus][system]
        return statistics.mean(r["scores"]["ner"]["f"] - r["noise"][kind]["ner"]["f"] for r in results)

    def noise(self) -> Iterator[str]:
        """By how much F drops on copies with noise."""
        for corpus in self.ner():
            yield f"\n{corpus}: drop of F on test sets with noise\n{'':30}" + "".join(f"{k:>12}" for k in NOISE)
            for system in self.groups[corpus]:
                drops = (self.drop(corpus, system, kind) for kind in NOISE)
                yield f"{SYSTEMS[system].title:30}" + "".join(f"{drop:12.2f}" for drop in drops)

    def ner(self) -> list[str]:
        return [corpus for corpus in self.groups if self.columns(corpus) == ["ner"]]

    def over_peers(self, system: str = "ctx") -> dict[str, dict[str, float]]:
        """RETURNS: by peer that ran on all sets of entities: ours less its F, the mean over the sets, with limits."""
        sets = self.ner()
        peers = [name for name, kind in SYSTEMS.items() if kind.is_peer and all(name in self.groups[c] for c in sets)]
        if not sets or any(system not in self.groups[corpus] for corpus in sets):
            return {}
        ours = [self.groups[corpus][system] for corpus in sets]
        return {peer: difference(ours, [self.groups[corpus][peer] for corpus in sets]) for peer in peers}

    def claims(self) -> Iterator[dict[str, Any]]:
        """Every mean of the tables; ours is ahead of each other one, by so much, and loses less by noise."""
        for system, least in (("ctx", (2.5, 0, 0)), ("ctx-no-augmentation", (-100, -100, -100))):
            for peer, found in self.over_peers(system).items():
                for end, name, bound in zip(("", ".low", ".high"), ("difference", "low", "high"), least, strict=True):
                    yield claim(f"entities.{system}-over-{peer}{end}", found[name], at_least=bound)
        for corpus in self.ner():
            for kind in NOISE:
                drops = {name: self.drop(corpus, name, kind) for name in self.groups[corpus]}
                least = min(drop for name, drop in drops.items() if SYSTEMS[name].is_peer)
                for name, drop in drops.items():
                    most = {"at_most": least / 2} if (name, kind) == ("ctx", "noisy") else {"at_least": -100}
                    yield claim(f"{corpus}.drop.{kind}.{name}", round(drop, 4), **most)
                    left = round(self.mean(corpus, name, "ner") - drop, 4)
                    yield claim(f"{corpus}.noise.{kind}.{name}", left, at_least=0)
        for corpus, systems in self.groups.items():
            for column in self.columns(corpus):
                means = {system: round(self.mean(corpus, system, column), 4) for system in systems}
                ours = means.pop("ctx")
                peers = [mean for system, mean in means.items() if SYSTEMS[system].is_peer]
                yield claim(f"{corpus}.{column}.ctx", ours, at_least=max(peers))
                for system, mean in means.items():
                    least = 0 if SYSTEMS[system].is_peer else -100
                    yield claim(f"{corpus}.{column}.{system}", mean, at_most=ours - least)
                    yield claim(f"{corpus}.{column}.ctx-over-{system}", round(ours - mean, 4), at_least=least)


def claim(name: str, value: float, **bound: float) -> dict[str, Any]:
    holds = value >= bound["at_least"] if "at_least" in bound else value <= bound["at_most"]
    return {"claim": name, "value": value, **bound, "holds": holds}


def anywhere(settings: Any) -> Any:
    """Settings without the folder of the environment in which they were used."""
    return json.loads(re.sub(r'/[^"\\ ]*?/site-packages', "site-packages", json.dumps(settings)))


def record(results: list[dict[str, Any]], tried: list[dict[str, Any]]) -> dict[str, Any]:
    """What `results/accuracy.json` holds."""
    weights = {result["weights_sha256"] for result in results}
    if len(weights) > 1:
        raise SystemExit(f"the systems did not start from the same weights: {sorted(weights)}")
    here = environment()
    versions: dict[str, dict[str, str]] = {}
    settings, raw = {}, []
    for result in results:
        run = result["run"]
        kind = SYSTEMS[run["system"]]
        whose = "ours" if not kind.is_peer else "flair" if kind.module == "flair_crf" else "peers"
        versions[whose] = result["environment"]["versions"]
        settings.setdefault(run["corpus"], {})[run["system"]] = anywhere(result["settings"])
        about = {name: value for name, value in result["environment"].items() if name != "versions"}
        dropped = ("run", "environment", "settings", "predictions", "weights_sha256")
        noise = {name: {"f": scores["ner"]["f"]} for name, scores in result.get("noise", {}).items()}
        raw.append(
            {**run, **about, **{k: v for k, v in result.items() if k not in dropped}, "noise": noise, "data": ""}
        )
    return {
        "date": here["date"],
        "machine": here["machine"],
        "load_average": here["load_average"],
        "versions": versions,
        "unit": "percent; mean over seeds or folds of micro F over exact spans, or of accuracy over words, on test",
        "weights_sha256": weights.pop(),
        "systems": {name: kind.title for name, kind in SYSTEMS.items()},
        "settings": settings,
        "tuning": tried,
        "raw": raw,
        "claims": list(Summary(results).claims()),
    }


# The command line


def make_peers(python: Path, folder: Path = PEERS, requirements: str = "requirements-peers.txt") -> None:
    """Make a default environment of peers, if it is not there."""
    if python.exists() or python != folder / "bin" / "python":
        return
    print(f"Making {folder}: several minutes, about 2 GB", flush=True)
    venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "-r", HERE / requirements], check=True)


def pairs(known: Collection[str], what: str, number: Callable[[str], Any]) -> Callable[[str], tuple[str, Any]]:
    """RETURNS: reads NAME=NUMBER, where NAME is one of those that the option is for."""

    def read(text: str) -> tuple[str, Any]:
        name, _, value = text.partition("=")
        if name not in known:
            expected = f"NAME=NUMBER, NAME one of {', '.join(known)}"
            raise argparse.ArgumentTypeError(f"'{name}' is no {what}. Expected {expected}")
        try:
            return name, number(value)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{value}' is no number for {name}") from None

    return read


def rates_in(path: str) -> list[dict[str, Any]]:
    """RETURNS: the runs that an earlier `--tune` tried, each with its score on dev."""
    found: list[dict[str, Any]] = json.loads(Path(path).read_text(encoding="utf8"))["tuning"]
    return found


def parse() -> argparse.Namespace:
    parser = make_parser(__doc__, "48 sentences, one epoch, one seed")
    add = parser.add_argument
    add("--corpora", nargs="+", choices=CORPORA, default=list(CORPORA))
    add("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    add("--parts", nargs="+", type=int, help="seeds, or folds of re3d, to do (default: all)")
    epochs = pairs(CORPORA, "corpus", int)
    add("--epochs", nargs="+", type=epochs, default=[], metavar="CORPUS=N", help="instead of 4, 8, 10 and 2")
    add("--batch-size", type=int, default=16, help="sentences per update (default: 16)")
    rates = pairs(list(dict.fromkeys(map(base_of, SYSTEMS))), "system with a rate of its own", float)
    add("--lr", nargs="+", type=rates, default=[], metavar="SYSTEM=RATE", help="peak rate of the encoder's weights")
    add("--tune", nargs="+", choices=CORPORA, default=[], help="corpora for which to find the rate on dev")
    add("--tune-systems", nargs="+", choices=SYSTEMS, default=["spacy_trf", "hf_linear", "flair"], help="whose")
    add("--tuned", type=rates_in, default=[], metavar="FILE", help="a result file; what it says about rates counts")
    add("--curve", action="store_true", help="score dev after every epoch, too")
    add("--peer-python", type=Path, default=PEERS / "bin" / "python", help="interpreter of the peers' environment")
    add("--flair-python", type=Path, default=FLAIR / "bin" / "python", help="interpreter of Flair's environment")
    options = parser.parse_args()
    absent = [corpus for corpus in options.corpora if not (options.data / corpus).is_dir()]
    if absent:
        parser.error(
            f"{options.data} has no folder {', '.join(absent)}; give --data or leave corpora out with --corpora"
        )
    options.peer_python, options.flair_python = options.peer_python.absolute(), options.flair_python.absolute()
    options.epochs = dict(options.epochs)
    options.lr = dict(options.lr)
    options.limit = 0
    if options.quick:
        options.limit, options.parts, options.epochs = 48, [0], dict.fromkeys(CORPORA, 1)
    return options


def main() -> None:
    options = parse()
    make_peers(options.peer_python)
    if "flair" in options.systems:
        make_peers(options.flair_python, FLAIR, "requirements-flair.txt")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if options.quick else WORK
        best, tried = tune(options, folder) if options.tune else ({}, [])
        runs = plan(options, best, parts=options.parts, systems=options.systems)
        results = execute(runs, options, folder)
    summary = Summary(results)
    print("\n".join([*summary.tables(), *summary.noise()]))
    print("\nMean over the sets of entities: ours over")
    for system in ("ctx", "ctx-no-augmentation"):
        for peer, found in summary.over_peers(system).items():
            limits = f"95 % interval {found['low']:+.2f} to {found['high']:+.2f}"
            print(f"{SYSTEMS[peer].title:30} {found['difference']:+.2f} F, {limits}   ({system})")
    complete = set(options.corpora) == set(CORPORA) and set(options.systems) == set(SYSTEMS) and options.parts is None
    if options.quick or not complete:
        print(f"\n{RESULT.name} is written by a full run only: all corpora, all systems, all seeds and folds")
        return
    write_result(RESULT, record(results, tried))


if __name__ == "__main__":
    main()
