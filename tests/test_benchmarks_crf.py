"""The benchmark of the CRF: its peers compute what ours does, where they are installed, and its claims are right."""

import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from benchmark_modules import benchmark

PEERS = {"PytorchCRF": "torchcrf", "TorchStruct": "torch_struct", "TorchCRF": "TorchCRF", "Ours": "numpy"}
INSTALLED = [name for name, module in PEERS.items() if importlib.util.find_spec(module) is not None]


@pytest.fixture(scope="module")
def crf() -> Iterator[Any]:
    with benchmark("crf") as module:
        yield module


def make_row(crf: Any, cell: Any, operation: str, ours: float, peer: float) -> dict[str, Any]:
    times = {title: [ours if title == crf.Ours.title else peer] * 5 for title in crf.SYSTEMS}
    return {**crf.asdict(cell), "operation": operation, "seconds": times, "loops": {}, "skipped": {}}


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("lengths", ["equal", "mixed"])
@pytest.mark.filterwarnings("ignore")
def test_crf_benchmark_peer_agrees(crf: Any, name: str, lengths: str) -> None:
    problem = crf.Problem(crf.Cell(lengths, 5, 3, 4))
    systems = (each(problem, "float64") for each in (crf.Ours, getattr(crf, name)))
    assert crf.compare(*systems, problem) < crf.TOLERANCE


def test_crf_benchmark_not_a_number_is_not_equal(crf: Any) -> None:
    class Broken(crf.Ours):
        def marginals(self) -> Any:
            return [np.full(probs.shape, np.nan) for probs in super().marginals()]

    problem = crf.Problem(crf.Cell("mixed", 3, 4, 5))
    assert np.isnan(crf.compare(crf.Ours(problem, "float64"), Broken(problem, "float64"), problem))


def test_crf_benchmark_problem_mixes_lengths_up_to_the_longest(crf: Any) -> None:
    problem = crf.Problem(crf.Cell("mixed", 8, 6, 4))
    assert problem.lengths.max() == 6
    assert problem.lengths.min() >= 1
    assert len(set(problem.lengths.tolist())) > 1


def test_crf_benchmark_measures_ours_without_peers(crf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crf, "ENOUGH", 1e-6)
    rows = list(crf.measure(crf.Cell("mixed", 3, 4, 5), ()))
    assert [row["operation"] for row in rows] == list(crf.OPERATIONS)
    assert all(len(row["seconds"][crf.Ours.title]) == crf.REPETITIONS for row in rows)
    assert all(crf.line(row).startswith("mixed") for row in rows)


def test_crf_benchmark_slow_peer_is_skipped_with_the_reason(crf: Any) -> None:
    result = crf.race({"ours": lambda: None, "peer": lambda: None}, {"peer": 0.0})
    assert list(result["seconds"]) == ["ours"]
    assert result["skipped"]["peer"].startswith("a call takes")


def test_crf_benchmark_difference_sees_a_wrong_value(crf: Any) -> None:
    assert crf.difference([1.0, 2.0], [1.0, 2.5]) == pytest.approx(0.2)
    assert np.isnan(crf.difference([np.nan], [1.0]))


def test_crf_benchmark_claims_are_medians_over_the_grid(crf: Any) -> None:
    cells = [crf.Cell("single", 1, 4, 5), crf.Cell("mixed", 2, 4, 5), crf.Cell("equal", 2, 4, 5)]
    peers = [9.0, 11.0, 3.0]
    raw = [make_row(crf, c, o, 1.0, p) for c, p in zip(cells, peers, strict=True) for o in crf.OPERATIONS]
    memory = {title: {"float32_copies": 20.0, "float64_copies": 10.0} for title in crf.SYSTEMS}
    result = {
        "raw": raw,
        "differences": {"pytorch-crf": 1e-12},
        "growth": [{"operation": "loss", "along": "T", "exponent": 1.0}],
        "memory": {"systems": memory},
    }
    claims = {each["claim"]: each for each in crf.claims(result)}
    assert claims["loss-over-pytorch-crf"]["value"] == 10.0
    assert claims["loss-over-pytorch-crf"]["holds"]
    assert claims["loss-over-pytorch-crf"]["aim"] == 20.0
    assert claims["loss-over-pytorch-crf.equal-lengths"]["value"] == 6.0
    assert not claims["loss-over-pytorch-crf.equal-lengths"]["holds"]
    assert claims["loss-over-pytorch-crf.least"]["value"] == 9.0
