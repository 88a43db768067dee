"""The schedule of the shipped configs: its rates are those of Thinc's for the same steps, whatever their number."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from spacy.util import load_config, registry
from thinc.api import warmup_linear

from spacy_ctxtag.training.schedules import create_warmup_linear_v1

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.cfg"))


def rates(schedule: Iterable[float], n: int) -> list[float]:
    each = iter(schedule)
    return [next(each) for _ in range(n)]


@pytest.mark.parametrize(("total", "warmup", "rising"), [(480, 0.1, 48), (240, 0.1, 24), (7, 0.5, 3), (5, 0.0, 0)])
def test_rates_are_those_of_thinc(total: int, warmup: float, rising: int) -> None:
    ours = create_warmup_linear_v1(0.001, total, warmup)
    assert rates(ours, total + 3) == rates(warmup_linear(0.001, rising, total), total + 3)


def test_rate_is_highest_after_the_warm_up_and_0_at_the_last_step() -> None:
    found = rates(create_warmup_linear_v1(0.001, 100, 0.2), 101)
    assert found.index(max(found)) == 20
    assert found[20] == 0.001
    assert found[0] == found[100] == 0.0


@pytest.mark.parametrize(
    ("total", "warmup", "said"),
    [(0, 0.1, "max_steps"), (-1, 0.1, "max_steps"), (10, 1.0, "warmup = 1.0"), (10, -0.1, "warmup = -0.1")],
)
def test_what_gives_no_rates_is_refused(total: int, warmup: float, said: str) -> None:
    with pytest.raises(ValueError, match=f"CT606.*{said}"):
        create_warmup_linear_v1(0.001, total, warmup)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
@pytest.mark.parametrize("steps", [10, 5000])
def test_shipped_schedule_follows_max_steps(path: Path, steps: int) -> None:
    config = load_config(path, overrides={"training.max_steps": steps}, interpolate=True)
    schedule = registry.resolve({"it": config["training"]["optimizer"]["learn_rate"]})["it"]
    found = rates(schedule, steps + 1)
    assert found[steps // 10] == max(found) == 0.001
    assert found[steps] == 0.0
