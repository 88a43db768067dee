"""Which share of a training step, and of inference, the CRF of `ctx_ner` takes.

    .venv/bin/python benchmarks/share.py --data DIR

A `ctx_ner` on MiniLM-L6, with all threads of the machine, learns from and annotates sentences of WNUT-17. A step of
training is `nlp.update` with 16 sentences; inference is `nlp.pipe` in batches of 64. The CRF's part is what passes
within the functions of `spacy_ctxtag.crf` that the component calls: the loss with its gradient, the best paths, the
marginals, and the probabilities of the spans. `decoding` has besides that all else that makes entities from scores.
Both ways to decode are timed: the best path, and least risk with the cost that the shipped configs have. The result is
`results/share.json`.
"""

import argparse
import importlib
import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import accuracy
import spacy
import torch
from spacy.tokens import Doc
from spacy.training import Example
from systems.common import environment, read_tsv, write_result
from systems.spacy_loop import gold_doc

RESULT = accuracy.HERE / "results" / "share.json"
CALLED = {  # module: what it calls
    "ner_loss": ("nll",),
    "ner_decoder": ("posterior", "viterbi", "span_log_probs", "spans_above", "mbr"),
}
DECODINGS = {"inference": {"decode": "viterbi"}, "inference.mbr": {"decode": "mbr", "mbr_cost": 0.3}}
BOUNDS = {"training": 0.05, "inference": 0.03, "inference.mbr": 0.03}
TRAIN_BATCH, BATCH = 16, 64
REPETITIONS = 5


class Stopwatch:
    """Seconds spent in functions that do not call each other."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def watch(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - start

        return watched

    @contextmanager
    def on(self, place: Any, *names: str) -> Iterator["Stopwatch"]:
        """Watch what a module or a class calls by these names."""
        before = {name: getattr(place, name) for name in names}
        for name, function in before.items():
            setattr(place, name, self.watch(function))
        try:
            yield self
        finally:
            for name, function in before.items():
                setattr(place, name, function)


def examples_of(nlp: Any, path: Path, count: int) -> list[Example]:
    sentences = itertools.islice(read_tsv(path), count)
    return [Example(Doc(nlp.vocab, each.words), gold_doc(nlp.vocab, each)) for each in sentences]


def timed(call: Callable[[], Any], *places: tuple[Any, tuple[str, ...]]) -> list[float]:
    """RETURNS: seconds of a call, then those of them that passed within the functions of each place."""
    with ExitStack() as stack:
        watches = [stack.enter_context(Stopwatch().on(place, *names)) for place, names in places]
        start = time.perf_counter()
        call()
        total = time.perf_counter() - start
    return [total, *(watch.seconds for watch in watches)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("CTXTAG_DATA")
    parser.add_argument("--data", type=Path, default=data, required=not data, help="folder of the corpora")
    parser.add_argument("--quick", action="store_true", help="few sentences, to see that it runs; nothing is kept")
    options = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("en")
    ner = nlp.add_pipe("ctx_ner")
    steps = 2 if options.quick else 20
    examples = examples_of(nlp, options.data / "wnut17" / "train.tsv", 2 * steps * TRAIN_BATCH)
    optimizer = nlp.initialize(lambda: examples)
    loss, decoder = (importlib.import_module(f"spacy_ctxtag.components.{name}") for name in CALLED)
    places = [(loss, CALLED["ner_loss"]), (decoder, CALLED["ner_decoder"]), (decoder.Decoding, ("__call__",))]

    def train() -> None:
        for start in range(0, steps * TRAIN_BATCH, TRAIN_BATCH):
            nlp.update(examples[start : start + TRAIN_BATCH], sgd=optimizer)

    def annotate(settings: dict[str, Any]) -> None:
        ner.decoding = replace(ner.decoding, **settings)
        list(nlp.pipe([Doc(nlp.vocab, [token.text for token in eg.reference]) for eg in examples], batch_size=BATCH))

    calls = {"training": train, **{name: partial(annotate, settings) for name, settings in DECODINGS.items()}}
    raw: dict[str, list[list[float]]] = {name: [] for name in calls}
    before = environment()
    for repetition in range(1 + (1 if options.quick else REPETITIONS)):
        for name, call in calls.items():
            found = timed(call, *places)
            if repetition:  # the first warms up
                raw[name].append([round(seconds, 5) for seconds in found])
    claims = []
    for name, bound in BOUNDS.items():
        crf = median((nll + decode) / total for total, nll, decode, _ in raw[name])
        rest = median((nll + decoding) / total for total, nll, _, decoding in raw[name])
        print(f"{name:13} CRF {100 * crf:.2f} %, with all of decoding {100 * rest:.2f} % of {raw[name][0][0]:.2f} s")
        claims.append(accuracy.claim(f"{name}.crf", round(100 * crf, 3), at_most=100 * bound))
        if name in DECODINGS:
            claims.append(accuracy.claim(f"{name}.decoding", round(100 * rest, 3), at_most=100 * bound))
    if not options.quick:
        about = {"unit": "percent of the time", "columns": ["total", "loss", "decoding: CRF", "decoding: all"]}
        sizes = {"sentences": len(examples), "tags": len(ner.grammar.tags), "train_batch": TRAIN_BATCH, "batch": BATCH}
        write_result(RESULT, {**before, **about, **sizes, "raw": raw, "claims": claims})


if __name__ == "__main__":
    main()
