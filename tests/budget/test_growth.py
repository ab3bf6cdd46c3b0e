from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from tamis.budget.growth import Sightings, _grid, growth, unique
from tamis.errors import ConfigError


def sightings(pairs: list[tuple[int, int]], tokens: list[float], files: int) -> Sightings:
    cluster, file = np.array(pairs).T
    return Sightings(cluster, file, np.array(tokens), files, len(tokens))


def test_rarefaction_is_the_mean_over_all_subsamples() -> None:
    each = sightings([(0, 0), (0, 1), (0, 3), (1, 2), (2, 0), (2, 1)], [10.0, 7.0, 5.0], 4)
    for size, expected in each.curve():
        means = [
            sum(t for c, t in enumerate(each.tokens) if set(each.file[each.cluster == c]) & set(chosen))
            for chosen in combinations(range(4), size)
        ]
        assert expected == pytest.approx(np.mean(means))


@pytest.mark.parametrize("index", [0, 400, 1500, 3000])
def test_every_candidate_is_a_distribution(index: int) -> None:
    assert np.exp(_grid().log_chance[index]).sum() == pytest.approx(1)


def test_the_curve_has_the_known_laws_as_cases() -> None:
    alpha, scale = np.array([0.5, 1e-9]), np.array([1e6, 3.0])
    ratio = growth(alpha, scale, 100.0) / growth(alpha, scale, 1.0)
    assert ratio[0] == pytest.approx(10, rel=1e-2)  # Heaps: square root
    assert ratio[1] == pytest.approx(np.log(301) / np.log(4), rel=1e-3)  # Fisher: logarithm


def test_text_that_never_repeats_grows_in_step() -> None:
    each = sightings([(c, c % 20) for c in range(4000)], [100.0] * 4000, 20)
    found = unique({"fra_Latn": each}, 200)["fra_Latn"]
    assert found.value == pytest.approx(4_000_000, rel=0.05)
    assert found.observed == 400_000


def test_text_that_is_in_every_file_does_not_grow() -> None:
    each = sightings([(c, f) for c in range(300) for f in range(20)], [100.0] * 300, 20)
    found = unique({"fra_Latn": each}, 2000)["fra_Latn"]
    assert found.value == pytest.approx(30_000, rel=0.1)


def test_a_sample_of_everything_is_the_truth() -> None:
    each = sightings([(c, c % 8) for c in range(80)], [10.0] * 80, 8)
    found = unique({"a": each}, 8)["a"]
    assert (found.value, found.low, found.high) == pytest.approx((800, 800, 800))


def test_too_few_files_are_an_error() -> None:
    with pytest.raises(ConfigError, match="from 3 of 100"):
        unique({"a": sightings([(0, 0)], [1.0], 3)}, 100)
