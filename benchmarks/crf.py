"""Speed and memory of `spacy_ctxtag.crf` beside its peers: same scores, same threads, one process, turn about.

    .venv/bin/python benchmarks/crf.py

Three operations: `loss` (the loss of each sequence, and its gradient for emissions and moves), `decode` (best paths)
and `marginals` (probabilities of tags; where a peer has none, autograd of its log Z). Before any time is printed, all
of them must agree to 1e-9, in float64. Then every system takes its usual form: the peers padded float32 tensors
with a mask, ours a list of float32 arrays, which it turns into float64 within the time measured. All moves are
allowed, since the peers know no scheme.

Lengths are uniform on 1..T (`mixed`, the headline: batches of sentences are like that) or all T (`equal`, without any
padding, so at the peers' best). A time is the median of repetitions of at least 50 ms each, garbage collection off.
pytorch-crf runs everywhere, the other peers where a call takes less than 0.3 s and 2 GB; the rest is recorded as
skipped. Flair is left out: its CRF cannot be had without all of Flair, and is pytorch-crf's algorithm.

The peers run in the environment of `accuracy.py`, made at the first run if they are not in this one. The result is
`results/crf.json`; it takes about eight minutes.
"""

import argparse
import gc
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path
from statistics import median
from timeit import timeit
from typing import Any

import numpy as np
import torch
from accuracy import PEERS, claim, make_peers
from systems.common import environment, write_result

from spacy_ctxtag import __version__
from spacy_ctxtag.crf import Chains, nll, posterior, viterbi
from spacy_ctxtag.tags import Grammar

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "crf.json"
WORKER = "CTXTAG_CRF_WORKER"  # set in the process that measures
OPERATIONS = ("loss", "decode", "marginals")
SIZES = {"B": (1, 32, 128), "T": (16, 64, 512), "K": (9, 37, 73)}  # K: 2, 9 and 18 labels in BILUO
QUICK = {"B": (1, 4), "T": (16,), "K": (9,)}
ALONG = {"T": (64, 128, 256, 512, 1024), "B": (16, 32, 64, 128, 256)}  # how the cost grows; else B=32 T=64 K=37
GRIDS = {"mixed": ("single", "mixed"), "equal": ("single", "equal")}  # one sequence has no lengths to mix
BOUNDS = {"loss": (8.0, 20.0), "decode": (3.0, 10.0), "marginals": (1.0, None)}  # over pytorch-crf: at least, aim
TOLERANCE = 1e-9
REPETITIONS, ENOUGH = 5, 0.05  # of at least so many seconds
PATIENCE, ROOM = 0.3, 2e9  # seconds of a call, and bytes, beyond which peers other than pytorch-crf are skipped
MAX_LOAD, MAX_COPIES, MAX_EXPONENT = 0.5, 20.0, 1.2
STOP = -1e5  # what torch-struct takes for minus infinity


@dataclass(frozen=True)
class Cell:
    """A batch: B sequences of up to T tokens, K tags; lengths are "single", "equal" or "mixed"."""

    lengths: str
    B: int
    T: int
    K: int


LARGE = Cell("equal", 32, 512, 37)  # whose memory is measured


class Problem:
    """Random scores and gold tags. The longest sequence has T tokens."""

    def __init__(self, cell: Cell):
        b, t, k = cell.B, cell.T, cell.K
        random = np.random.default_rng([b, t, k, len(cell.lengths)])
        self.cell = cell
        self.lengths = random.integers(1, t + 1, b) if cell.lengths == "mixed" else np.full(b, t)  # (B,)
        self.lengths[0] = t
        self.mask = np.arange(t) < self.lengths[:, None]  # (B, T)
        self.gold = random.integers(0, k, (b, t))  # (B, T)
        self.emissions = 2 * random.normal(size=(b, t, k)).astype(np.float32)  # (B, T, K)
        self.start, self.end = random.normal(size=(2, k)).astype(np.float32)  # (K,)
        self.transition = random.normal(size=(k, k)).astype(np.float32)  # (K, K) [from, to]

    def score(self, path: Any, b: int) -> float:
        """The score of a path of sequence b."""
        tags = np.asarray(path)[: self.lengths[b]]  # (T,)
        emissions, moves = self.emissions[b, np.arange(len(tags)), tags], self.transition[tags[:-1], tags[1:]]
        return float(np.concatenate([emissions, moves, self.start[tags[:1]], self.end[tags[-1:]]]).sum(dtype="float64"))


# The systems. `loss` returns losses (B,) and the gradients of their sum for emissions, start, transition and end,
# `decode` B paths, `marginals` B × (T, K). Peers' arrays are padded. What a library offers only in private is called.


class Ours:
    """spacy_ctxtag.crf. Chains of the float32 scores are made in every call, as the `crf` layer does."""

    title = "spacy-ctxtag"

    def __init__(self, problem: Problem, dtype: str):
        allowed = [np.ones(shape, np.bool_) for shape in ((problem.cell.K,), problem.transition.shape)]
        tags = tuple(map(str, range(problem.cell.K)))
        self.grammar = Grammar("BILUO", (), tags, start=allowed[0], transition=allowed[1], end=allowed[0])
        self.emissions = [e[:n].astype(dtype) for e, n in zip(problem.emissions, problem.lengths, strict=True)]
        self.moves = [m.astype(dtype) for m in (problem.start, problem.transition, problem.end)]
        one_hot = np.arange(problem.cell.K) == problem.gold[:, :, None]  # (B, T, K)
        self.gold = [each[:n].copy() for each, n in zip(one_hot, problem.lengths, strict=True)]

    def chains(self) -> Chains:
        start, transition, end = (m.astype(np.float64) for m in self.moves)
        return Chains([e.astype(np.float64) for e in self.emissions], start, transition, end)

    def loss(self) -> tuple[Any, ...]:
        losses, gradient = nll(self.chains(), self.grammar, self.gold)
        return losses, gradient.emissions, gradient.start, gradient.transition, gradient.end

    def decode(self) -> Any:
        return viterbi(self.chains(), self.grammar)

    def marginals(self) -> Any:
        return [each.tag_probs for each in posterior(self.chains(), self.grammar)]


class Peer:
    """What the torch peers share: tensors, and the gradient."""

    time_first = False  # whether it wants (T, B, K)

    def __init__(self, problem: Problem, dtype: str):
        def layout(array: Any) -> Any:
            return torch.from_numpy(np.ascontiguousarray(array.swapaxes(0, 1) if self.time_first else array))

        self.emissions = layout(problem.emissions.astype(dtype)).requires_grad_()
        self.gold, self.mask, self.lengths = layout(problem.gold), layout(problem.mask), problem.lengths
        moves = (problem.start, problem.transition, problem.end)
        self.moves = [torch.nn.Parameter(torch.from_numpy(m.astype(dtype))) for m in moves]
        self.build(importlib.import_module(self.module), problem.cell.K)

    @classmethod
    def needs(cls, cell: Cell) -> float:
        """Bytes of the largest arrays of a loss and its gradient: float32 scores of all moves."""
        return 2 * 4.0 * cell.B * cell.T * cell.K**2

    def batch_first(self, array: Any) -> Any:
        return array.transpose(0, 1) if self.time_first else array

    def loss(self) -> tuple[Any, ...]:
        for leaf in (self.emissions, *self.moves):
            leaf.grad = None
        losses = self.losses()  # (B,)
        losses.sum().backward()
        return losses, self.batch_first(self.emissions.grad), *(m.grad for m in self.moves)

    def marginals(self) -> Any:
        (probs,) = torch.autograd.grad(self.log_z().sum(), self.emissions)
        return self.batch_first(probs)


class PytorchCRF(Peer):
    title, module, time_first = "pytorch-crf", "torchcrf", True

    def build(self, library: Any, k: int) -> None:
        self.crf = library.CRF(k)
        self.crf.start_transitions, self.crf.transitions, self.crf.end_transitions = self.moves

    def losses(self) -> Any:
        return -self.crf(self.emissions, self.gold, mask=self.mask, reduction="none")

    def log_z(self) -> Any:
        return self.crf._compute_normalizer(self.emissions, self.mask)

    def decode(self) -> Any:
        with torch.no_grad():
            return self.crf.decode(self.emissions, mask=self.mask)


class TorchCRF(Peer):
    title, module = "TorchCRF", "TorchCRF"

    def build(self, library: Any, k: int) -> None:
        self.crf = library.CRF(k, use_gpu=False)
        self.crf.start_trans, self.crf.trans_matrix, self.crf.end_trans = self.moves

    def losses(self) -> Any:
        return -self.crf(self.emissions, self.gold, self.mask)

    def log_z(self) -> Any:
        return self.crf._compute_denominator_log_likelihood(self.emissions, self.mask)

    def decode(self) -> Any:
        with torch.no_grad():
            return self.crf.viterbi_decode(self.emissions, self.mask)


class TorchStruct(Peer):
    """torch-struct scores moves only; so `start` goes into the first, and `end` is one more, into a state of its own.

    Its own conversions between tags and moves loop over tokens; here they are done with tensors, which is faster.
    """

    title, module = "torch-struct", "torch_struct"

    @classmethod
    def needs(cls, cell: Cell) -> float:
        return 4 * 4.0 * cell.B * cell.T / 2 * cell.K**3  # its scan multiplies (K, K) by (K, K) in log space

    def build(self, library: Any, k: int) -> None:
        self.struct, self.until = library, torch.from_numpy(self.lengths)  # (B,)
        self.is_last = (torch.arange(self.gold.shape[1]) == self.until[:, None] - 1)[:, :, None, None]  # (B, T, 1, 1)
        self.last = self.gold[torch.arange(len(self.gold)), self.until - 1]  # (B,)

    def distribution(self) -> Any:
        start, transition, end = self.moves
        stop = torch.cat([end[None], torch.full_like(transition[1:], STOP)])  # (K, K) [to, from]
        onward = self.emissions[:, 1:, :, None] + transition.T  # (B, T - 1, K, K)
        onward = torch.cat([onward, stop.expand(len(onward), 1, -1, -1)], dim=1)  # (B, T, K, K)
        edges = torch.where(self.is_last, stop, onward)
        first = (start + self.emissions[:, 0])[:, None, None, :]  # (B, 1, 1, K)
        edges = torch.cat([edges[:, :1] + first, edges[:, 1:]], dim=1)
        return self.struct.LinearChainCRF(edges, lengths=self.until + 1)

    def losses(self) -> Any:
        start, transition, end = self.moves
        tags = self.emissions.gather(2, self.gold[:, :, None])[:, :, 0] * self.mask  # (B, T)
        moves = transition[self.gold[:, :-1], self.gold[:, 1:]] * self.mask[:, 1:]  # (B, T - 1)
        gold = start[self.gold[:, 0]] + tags.sum(1) + moves.sum(1) + end[self.last]  # (B,)
        return self.log_z() - gold

    def log_z(self) -> Any:
        return self.distribution().partition

    def decode(self) -> Any:
        return torch.no_grad()(self.distribution)().argmax.sum(2).argmax(2)  # (B, T), from (B, T, K, K) [to, from]

    def marginals(self) -> Any:
        return torch.no_grad()(self.distribution)().marginals.sum(2).detach()  # (B, T, K)


RIVALS = (PytorchCRF, TorchStruct, TorchCRF)
SYSTEMS = {system.title: system for system in (Ours, *RIVALS)}


def difference(got: Any, expected: Any) -> float:
    """The largest difference, relative to the value expected where that is above 1."""
    plain = (each.detach() if isinstance(each, torch.Tensor) else each for each in (got, expected))
    a, b = (np.asarray(each, np.float64) for each in plain)
    return float((np.abs(a - b) / np.maximum(1.0, np.abs(b))).max(initial=0.0))


def compare(ours: Any, peer: Any, problem: Problem) -> float:
    """The largest difference between all that two systems compute for a problem; of paths, their scores count."""
    (losses, emissions, *moves), (peer_losses, peer_emissions, *peer_moves) = ours.loss(), peer.loss()
    pairs = [(peer_losses, losses), *zip(peer_moves, moves, strict=True)]
    for got, expected in ((peer_emissions, emissions), (peer.marginals(), ours.marginals())):
        pairs += [(got[b][: len(each)], each) for b, each in enumerate(expected)]
    pairs.append(tuple([problem.score(path, b) for b, path in enumerate(each.decode())] for each in (peer, ours)))
    return float(np.max([difference(*pair) for pair in pairs]))  # NaN stays NaN


def check(sizes: dict[str, tuple[int, ...]], rivals: tuple[type[Peer], ...]) -> dict[str, float]:
    """Compare in float64, 4 sequences at a time. RETURNS: the largest difference by peer. RAISES: above 1e-9."""
    worst = {}
    for rival in rivals:
        cells = [Cell(lengths, 4, *size) for lengths in ("equal", "mixed") for size in product(sizes["T"], sizes["K"])]
        problems = [Problem(cell) for cell in cells if rival.needs(cell) <= ROOM / 8]  # in float64, and quickly
        found = [compare(Ours(problem, "float64"), rival(problem, "float64"), problem) for problem in problems]
        worst[rival.title] = float(np.max(found))
        print(f"{rival.title:14} differs by {worst[rival.title]:.1e} in {len(problems)} batches", flush=True)
        if not worst[rival.title] <= TOLERANCE:
            raise SystemExit(f"That is above {TOLERANCE}: nothing was timed")
    return worst


def seconds(call: Callable[[], Any], loops: int) -> float:
    """Seconds of a call, the mean of so many in a row."""
    return timeit(call, number=loops) / loops


def race(calls: dict[str, Callable[[], Any]], limits: dict[str, float]) -> dict[str, Any]:
    """Time calls turn about. RETURNS: `seconds` of each repetition and `loops` of each, by name; `skipped`: why."""
    loops, skipped = {}, {}
    for name, call in calls.items():
        took = seconds(call, 1)  # warms up, too
        took = took if took > 1 else seconds(call, 1)
        if took > limits.get(name, np.inf):
            skipped[name] = f"a call takes {took:.2g} s"
        else:
            loops[name] = max(1, int(np.ceil(1.1 * ENOUGH / took)))
    times: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(REPETITIONS):
        for name, count in loops.items():
            times[name].append(float(f"{seconds(calls[name], count):.4g}"))
    return {"seconds": times, "loops": loops, "skipped": skipped}


def measure(cell: Cell, rivals: tuple[type[Peer], ...]) -> Iterator[dict[str, Any]]:
    """Time the three operations on a batch. YIELDS: one result an operation."""
    problem = Problem(cell)
    fits = [rival for rival in rivals if rival is PytorchCRF or rival.needs(cell) <= ROOM]
    skipped = {r.title: f"about {r.needs(cell) / 1e9:.1f} GB" for r in rivals if r not in fits}
    systems = [system(problem, "float32") for system in (Ours, *fits)]
    limits = {rival.title: PATIENCE for rival in fits if rival is not PytorchCRF}
    for operation in OPERATIONS:
        gc.collect()  # it is off in timeit
        result = race({system.title: getattr(system, operation) for system in systems}, limits)
        yield {**asdict(cell), "operation": operation, **result, "skipped": {**skipped, **result["skipped"]}}


def grid(sizes: dict[str, tuple[int, ...]]) -> list[Cell]:
    """RETURNS: All sizes, with all lengths that B sequences can have."""
    cells = (Cell(lengths, *size) for lengths in ("single", "mixed", "equal") for size in product(*sizes.values()))
    return [cell for cell in cells if (cell.B == 1) == (cell.lengths == "single")]


def ratios(raw: list[dict[str, Any]], lengths: str, operation: str, peer: str) -> list[float]:
    """How many times as long as ours the peer takes, in every cell of a grid that it ran in."""
    rows = [row["seconds"] for row in raw if row["lengths"] in GRIDS[lengths] and row["operation"] == operation]
    return [median(times[peer]) / median(times[Ours.title]) for times in rows if peer in times]


def line(row: dict[str, Any]) -> str:
    """A row of the table: ours in ms, each peer in ms and as a multiple of ours."""
    ours, cells = median(row["seconds"][Ours.title]), ""
    for rival in RIVALS:
        took = median(row["seconds"].get(rival.title, [np.nan]))
        cells += f"{1e3 * took:12.3f}{took / ours:8.1f}×" if took > 0 else f"{'–':>21}"
    sizes = "".join(f"{name}={row[name]:<5}" for name in SIZES)
    return f"{row['lengths']:8}{sizes}{row['operation']:10}{1e3 * ours:10.3f}{cells}"


def growth(axis: str, values: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """Time ours along one size. YIELDS: a result for each operation; the exponent is the slope of logs."""
    cells = [Cell("equal", **{"B": 32, "T": 64, "K": 37, axis: value}) for value in values]
    rows = [row for cell in cells for row in measure(cell, ())]
    for operation in OPERATIONS:
        found = [row for row in rows if row["operation"] == operation]
        medians = [median(row["seconds"][Ours.title]) for row in found]
        costs = [round(1e6 * took / (cell.B * cell.T), 4) for took, cell in zip(medians, cells, strict=True)]
        exponent = round(float(np.polyfit(np.log(values), np.log(medians), 1)[0]), 4)
        about = {"along": axis, "operation": operation, "exponent": exponent}
        yield {**about, "values": values, "microseconds_per_token": costs, "raw": found}


def peak() -> int:
    """The most memory this process ever held, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def peak_growth(title: str, cell: Cell) -> int:
    """By how much one loss with its gradient raises the peak of this process, in bytes."""
    SYSTEMS[title](Problem(Cell("equal", 2, 4, 3)), "float32").loss()  # loads what is loaded late
    system = SYSTEMS[title](Problem(cell), "float32")
    ballast, before = [], peak()
    while peak() < before + 2**22:  # what was freed since the last peak must not hide anything
        ballast.append(np.ones(2**16))
    before = peak()
    system.loss()
    return peak() - before


def memory(cell: Cell) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run `peak_growth` in processes of their own. YIELDS: each system, and three results or why there are none."""
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}  # glibc gives all back
    for title, system in SYSTEMS.items():
        if system is not Ours and system.needs(cell) > ROOM:
            yield title, {"skipped": f"about {system.needs(cell) / 1e9:.1f} GB"}
            continue
        task = json.dumps([title, asdict(cell)])
        command = [sys.executable, __file__, "--threads", str(torch.get_num_threads()), "--memory-of", task]
        found = [int(subprocess.run(command, env=env, check=True, capture_output=True).stdout) for _ in range(3)]
        copies = median(found) / (cell.B * cell.T * cell.K * 4)  # of the emissions
        yield title, {"bytes": found, "float32_copies": round(copies, 2), "float64_copies": round(copies / 2, 2)}


def claims(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What may be quoted. The headline is NAME-over-pytorch-crf: the median over the grid of mixed lengths."""
    for (operation, (bound, aim)), lengths, rival in product(BOUNDS.items(), GRIDS, RIVALS):
        found = ratios(result["raw"], lengths, operation, rival.title)
        name = f"{operation}-over-{rival.title}{'' if lengths == 'mixed' else '.equal-lengths'}"
        value, cells = round(median(found), 3), {"cells": len(found)}
        if rival is PytorchCRF:
            yield claim(name, value, at_least=bound) | cells | ({"aim": aim} if aim else {})
            yield claim(f"{name}.least", round(min(found), 3), at_least=1.0)
        else:
            yield claim(name, value, at_least=1.0) | cells
    for peer, largest in result["differences"].items():
        yield claim(f"difference.{peer}", largest, at_most=TOLERANCE)
    for row in result["growth"]:
        yield claim(f"{row['operation']}.exponent-of-{row['along']}", row["exponent"], at_most=MAX_EXPONENT)
    ours, peer = (result["memory"]["systems"][title] for title in (Ours.title, PytorchCRF.title))
    yield claim("memory.float64-copies", ours["float64_copies"], at_most=MAX_COPIES)
    yield claim("memory-over-pytorch-crf", round(peer["float32_copies"] / ours["float32_copies"], 3), at_least=1.0)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--threads", type=int, default=os.cpu_count() or 1, help="of all systems (default: the number of cores)")
    add("--peer-python", type=Path, default=PEERS / "bin" / "python", help="interpreter that has the peers")
    add("--force-load", action="store_true", help=f"also run with a load average above {MAX_LOAD}; that is recorded")
    add("--quick", action="store_true", help="two small batches, to see that it runs; nothing is kept")
    add("--memory-of", help=argparse.SUPPRESS)
    return parser.parse_args()


def run_with_peers(options: argparse.Namespace) -> int:
    """Start the process that measures, in an environment that has the peers. RETURNS: its exit code."""
    python = Path(sys.executable)
    if any(importlib.util.find_spec(rival.module) is None for rival in RIVALS):
        python = options.peer_python.absolute()
        make_peers(python)
    names = "import torch_struct, torchcrf, TorchCRF; torchcrf.CRF.decode; TorchCRF.CRF.viterbi_decode"
    if subprocess.run([python, "-W", "ignore", "-c", names], check=False, capture_output=True).returncode:
        print(f"Peers are missing: {python} -m pip install -r benchmarks/requirements-peers.txt", file=sys.stderr)
        print("(torchcrf and TorchCRF need a file system that tells upper from lower case)", file=sys.stderr)
        return 1
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # read when NumPy and torch are imported
    path = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))
    env = {**os.environ, **dict.fromkeys(threads, str(options.threads)), "PYTHONPATH": path, WORKER: "1"}
    return subprocess.run([python, *sys.argv], env=env, check=False).returncode


def report(options: argparse.Namespace, before: dict[str, Any]) -> dict[str, Any] | None:
    """Measure, and print what is measured. RETURNS: what `results/crf.json` holds; None for a quick run."""
    began = time.perf_counter()
    sizes = QUICK if options.quick else SIZES
    differences = check(sizes, RIVALS)
    print(f"\n{options.threads} threads; milliseconds, and how many times ours")
    print(f"{'':27}{Ours.title:>22}" + "".join(f"{rival.title:>21}" for rival in RIVALS))
    raw, along, room = [], [], {}
    cells = [cell for cell in grid(sizes) if not (options.quick and cell.lengths == "equal")]
    for row in (row for cell in cells for row in measure(cell, RIVALS)):
        raw.append(row)
        print(line(row), flush=True)
    if options.quick:
        return None
    print("\nOurs, microseconds per token")
    for row in (row for axis, values in ALONG.items() for row in growth(axis, values)):
        along.append(row)
        costs = zip(row["values"], row["microseconds_per_token"], strict=True)
        steps = "".join(f"{row['along']}={value:<6}{cost:<9.3f}" for value, cost in costs)
        print(f"{row['operation']:10} {steps} exponent {row['exponent']:.3f}", flush=True)
    print("\nMemory of a loss and its gradient: MiB, and copies of the emissions")
    for title, found in memory(LARGE):
        room[title] = found
        figures = f"{median(found['bytes']) / 2**20:8.1f}" if "bytes" in found else found["skipped"]
        print(f"{title:14} {figures}  " + "  ".join(f"{name} {found[name]}" for name in found if "copies" in name))
    result = {
        **{name: before[name] for name in ("date", "machine", "load_average")},
        "load_average_after": environment()["load_average"],
        "force_load": options.force_load,
        "versions": {**before["versions"], **{r.title: version(r.title) for r in RIVALS}, Ours.title: __version__},
        "threads": options.threads,
        "unit": "seconds of a call, by repetition; claims about time: median over a grid of peer / ours",
        "headline": "mixed lengths, uniform on 1..T; with all lengths T: .equal-lengths",
        "dtype": "float32 scores come in; peers compute in float32, ours in float64",
        "wall_seconds": round(time.perf_counter() - began),
        "differences": differences,
        "raw": raw,
        "growth": along,
        "memory": {**asdict(LARGE), "systems": room},
    }
    return result | {"claims": list(claims(result))}


def main() -> None:
    options = parse()
    if WORKER not in os.environ:
        raise SystemExit(run_with_peers(options))
    warnings.simplefilter("ignore")
    torch.set_num_threads(options.threads)
    if options.memory_of:
        title, cell = json.loads(options.memory_of)
        print(peak_growth(title, Cell(**cell)))
        return
    before = environment()
    if before["load_average"][0] > MAX_LOAD and not (options.quick or options.force_load):
        raise SystemExit(f"The load average is {before['load_average'][0]}: wait, or give --force-load")
    if (result := report(options, before)) is None:
        return
    for each in result["claims"]:
        print(f"{each['claim']:44} {each['value']:10.4g}{'' if each['holds'] else '   does not hold'}")
    write_result(RESULT, result)
    print(f"It took {result['wall_seconds']} s")


if __name__ == "__main__":
    main()
