from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tamis.budget.extrapolate import totals, unseen_files, unseen_limit
from tamis.errors import ConfigError


def simulation() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks/budget.py"
    spec = importlib.util.spec_from_file_location("budget_simulation", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_sample_of_everything_is_the_truth() -> None:
    observed = np.array([[3.0, 0.0], [5.0, 1.0], [4.0, 0.0]])
    for each, truth in zip(totals(observed, 3), (12.0, 1.0), strict=True):
        assert (each.value, each.low, each.high) == pytest.approx((truth, truth, truth))


def test_totals_scale_by_files_or_by_size() -> None:
    observed = np.array([[10.0], [20.0], [30.0]])
    assert totals(observed, 30)[0].value == pytest.approx(600)
    by_size = totals(observed, 30, sizes=[1, 2, 3], population_size=120)[0]
    assert by_size.value == pytest.approx(1200)
    # The amounts go exactly with the sizes, so nothing is uncertain.
    assert by_size.high - by_size.low == pytest.approx(0, abs=0.01)


def test_the_same_seed_gives_the_same_interval() -> None:
    observed = np.random.default_rng(0).gamma(2, 100, (30, 4))
    assert totals(observed, 900, seed=3) == totals(observed, 900, seed=3)


def test_an_unseen_language_has_an_upper_limit_and_no_more() -> None:
    observed = np.zeros((40, 2))
    observed[3, 0] = 500.0
    unseen = totals(observed, 90_000)[1]
    assert (unseen.value, unseen.low, unseen.observed) == (0, 0, 0)
    assert unseen.high == unseen_limit(observed, 90_000) == unseen_files(40, 90_000) * 500


@pytest.mark.parametrize(("files", "population"), [(40, 400), (10, 1000), (100, 90_000)])
def test_missed_files_are_those_a_sample_misses_one_time_in_ten(files: int, population: int) -> None:
    most = unseen_files(files, population)
    generator = np.random.default_rng(1)
    for count, expected in ((most, True), (most + 1, False)):
        chance = np.prod([(population - files - n) / (population - n) for n in range(count)])
        assert bool(chance > 0.1) is expected
    drawn = [generator.choice(population, files, replace=False).min() >= most for _ in range(400)]
    assert 0.04 < np.mean(drawn) < 0.18


def test_too_small_a_sample_is_an_error() -> None:
    with pytest.raises(ConfigError, match="1 of 400"):
        totals([[1.0]], 400)
    with pytest.raises(ConfigError, match="5 of 4"):
        totals([[1.0]] * 5, 4)


def test_intervals_hold_the_truth_of_simulated_crawls() -> None:
    """A small version of benchmarks/budget.py, whose 200 crawls are in docs/budget.md."""
    module = simulation()
    found = [
        case for seed in range(12) for case in module.cases(seed, languages=16, largest=1500, files=200, sampled=24)
    ]
    for measure in ("total", "unique"):
        group = [case for case in found if case.measure == measure]
        assert len(group) > 150
        assert 0.82 <= np.mean([case.covered for case in group]) <= 0.98
    unique = [case for case in found if case.measure == "unique"]
    error = np.median([abs(case.value / case.truth - 1) for case in unique])
    straight = np.median([abs(case.straight / case.truth - 1) for case in unique])
    assert straight > 1.5 * error
