from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.budget.ledger import Amount, Ledger, apportion, from_table
from tamis.budget.summary import summarise
from tamis.errors import BooksError

SMALL = st.integers(0, 10**6)


def balanced() -> Ledger:
    ledger = Ledger(["language", "quality"])
    ledger.book("language", "fra_Latn", "in", Amount(3, 30, 30, 9))
    ledger.book("language", "fra_Latn", "kept", Amount(3, 30, 30, 9))
    ledger.book("quality", "fra_Latn", "in", Amount(3, 30, 30, 9))
    ledger.book("quality", "fra_Latn", "kept", Amount(2, 15, 15, 4))
    ledger.book("quality", "fra_Latn", "dropped", Amount(1, 10, 10, 3), "word_count")
    ledger.book("quality", "fra_Latn", "dropped", Amount(0, 5, 5, 2), "policy_line")
    return ledger


def test_a_balanced_ledger_passes_and_survives_a_round_trip() -> None:
    ledger = balanced()
    ledger.check()
    ledger.check_flow({"language": "quality"}, {})
    again = from_table(ledger.table())
    assert again.rows() == ledger.rows()
    assert again.steps == ["language", "quality"]


@pytest.mark.parametrize("measure", ["documents", "bytes", "chars", "tokens"])
def test_any_measure_off_by_one_fails(measure: str) -> None:
    ledger = balanced()
    ledger.book("quality", "fra_Latn", "kept", Amount(**{measure: 1}))
    with pytest.raises(BooksError, match="quality"):
        ledger.check()


def test_balancing_languages_against_each_other_fails() -> None:
    ledger = Ledger()
    ledger.book("quality", "fra_Latn", "in", Amount(1))
    ledger.book("quality", "deu_Latn", "kept", Amount(1))
    with pytest.raises(BooksError):
        ledger.check()


def test_documents_lost_between_steps_are_found() -> None:
    ledger = balanced()
    ledger.book("dedup", "fra_Latn", "in", Amount(1, 15, 15, 4))
    ledger.book("dedup", "fra_Latn", "kept", Amount(1, 15, 15, 4))
    with pytest.raises(BooksError, match="dedup"):
        ledger.check_flow({"quality": "dedup"}, {})


def test_a_drop_needs_a_reason_and_what_comes_in_has_none() -> None:
    with pytest.raises(ValueError, match="dropped"):
        Ledger().book("quality", "fra_Latn", "dropped", Amount(1))
    with pytest.raises(ValueError, match="in"):
        Ledger().book("quality", "fra_Latn", "in", Amount(1), "word_count")


def test_a_step_that_sorts_what_it_keeps_balances() -> None:
    ledger = Ledger()
    ledger.book("buckets", "fra_Latn", "in", Amount(3, 30, 30, 9))
    ledger.book("buckets", "fra_Latn", "kept", Amount(2, 20, 20, 5), "head")
    ledger.book("buckets", "fra_Latn", "kept", Amount(1, 10, 10, 4), "tail")
    ledger.check()
    assert ledger.total("buckets", "kept").tokens == 9 and ledger.total("buckets", "kept", reason="tail").tokens == 4


def test_batches_are_booked_by_language_and_reason() -> None:
    batch = pa.record_batch(
        {
            "language": ["fra_Latn", "deu_Latn", "fra_Latn"],
            "reason": ["a", "a", "b"],
            "bytes": [1, 2, 3],
            "chars": [1, 2, 3],
            "tokens": [4, 5, 6],
        }
    )
    ledger = Ledger()
    ledger.book_batch("quality", "dropped", batch)
    assert [(language, reason, amount.tokens) for _, language, reason, amount in ledger.reasons()] == [
        ("deu_Latn", "a", 5),
        ("fra_Latn", "a", 4),
        ("fra_Latn", "b", 6),
    ]


@given(st.integers(-(10**9), 10**9), st.lists(SMALL, min_size=1, max_size=20))
def test_apportioned_shares_sum_exactly_and_follow_the_weights(total: int, weights: list[int]) -> None:
    shares = apportion(total, weights)
    assert sum(shares) == total
    if sum(weights):
        for share, weight in zip(shares, weights, strict=True):
            assert abs(share - total * weight / sum(weights)) < 1 + 1e-6


@given(st.lists(st.tuples(SMALL, SMALL, SMALL), max_size=8))
def test_merging_in_any_order_gives_the_same_amounts(numbers: list[tuple[int, int, int]]) -> None:
    rows = [("s", f"l{i % 3}", "in", "", 1, *each) for i, each in enumerate(numbers)]
    one, two = Ledger(), Ledger()
    one.merge(rows)
    two.merge(reversed(rows))
    assert one.rows() == two.rows()


def test_the_summary_names_the_costliest_rule() -> None:
    (row,) = summarise(balanced())
    assert (row.found_tokens, row.kept_tokens) == (9, 4)
    assert (row.costliest_reason, row.costliest_tokens) == ("quality: word_count", 3)
