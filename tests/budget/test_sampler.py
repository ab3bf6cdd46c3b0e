from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np
import pytest

from tamis.budget.mixture import plan
from tamis.budget.sampler import Sampler
from tamis.errors import ConfigError


@dataclass(frozen=True)
class Page:
    id: str
    input_ids: list[int]


def dataset(code: str, documents: int, seed: int) -> list[Page]:
    lengths = np.random.default_rng(seed).geometric(1 / 300, documents)
    return [Page(f"{code}:{row}", [0] * int(length)) for row, length in enumerate(lengths)]


DATA = {"eng_Latn": dataset("eng", 3000, 1), "fra_Latn": dataset("fra", 400, 2), "yor_Latn": dataset("yor", 40, 3)}
UNIQUE = {code: float(sum(len(page.input_ids) for page in pages)) for code, pages in DATA.items()}


@pytest.mark.parametrize("method", ["proportional", "temperature", "unimax"])
def test_the_realised_mixture_is_within_one_percent_of_the_plan(method: str) -> None:
    mixture = plan(UNIQUE, 900_000, method=method)
    sampler = Sampler(mixture, DATA)
    drawn: dict[str, int] = {}
    for page in sampler:
        drawn[page.id.split(":")[0]] = drawn.get(page.id.split(":")[0], 0) + len(page.input_ids)
    for share in mixture.shares:
        realised = drawn[share.language[:3]] / sum(drawn.values())
        assert abs(realised - share.weight) < 0.01
        assert sampler.realised()[share.language] == pytest.approx(realised)
    assert sum(drawn.values()) == pytest.approx(mixture.tokens, rel=0.01)


def test_an_epoch_has_every_document_once_and_the_next_is_in_another_order() -> None:
    only = {"yor_Latn": DATA["yor_Latn"]}
    mixture = plan({"yor_Latn": UNIQUE["yor_Latn"]}, 2 * UNIQUE["yor_Latn"])
    names = [page.id for page in Sampler(mixture, only)]
    assert sorted(names[:40]) == sorted(names[40:]) == sorted(page.id for page in DATA["yor_Latn"])
    assert names[:40] != names[40:]


def test_it_goes_on_where_it_was() -> None:
    mixture = plan(UNIQUE, 300_000)
    whole = [page.id for page in Sampler(mixture, DATA)]
    first = Sampler(mixture, DATA)
    head = [page.id for page in islice(first, 200)]
    second = Sampler(mixture, DATA)
    second.load_state_dict(first.state_dict())
    assert head + [page.id for page in second] == whole


def test_a_language_without_documents_is_an_error() -> None:
    with pytest.raises(ConfigError, match="yor_Latn"):
        Sampler(plan(UNIQUE, 1000), {**DATA, "yor_Latn": []})
