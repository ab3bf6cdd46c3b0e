"""The machinery: what a chain keeps, drops and removes, in any batch, process and order."""

from __future__ import annotations

import pickle
import random

import cloudpickle
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tamis import Chain, PerLanguage, keep, per_document, signal
from tamis.errors import UnknownNameError
from tamis.filters import c4_quality, fineweb_quality, gopher_quality, gopher_repetition, rewrite, sift


def batch(*texts: str | None, language: str | None = "eng_Latn") -> pa.RecordBatch:
    languages = pa.array([language] * len(texts), pa.large_string())
    return pa.record_batch({"text": pa.array(texts, pa.large_string()), "language": languages})


@signal
def digit_share(text):
    return pc.divide(pc.cast(pc.count_substring_regex(text, "[0-9]"), "float64"), pc.utf8_length(text))


def test_the_first_failed_rule_is_the_reason() -> None:
    long = keep(lambda text: pc.utf8_length(text), at_most=3)
    sifted = Chain(keep(digit_share, at_most=0.5), long)(batch("12345", "a1", "abcdef"))
    assert sifted.kept["text"].to_pylist() == ["a1"]
    assert sifted.kept["digit_share"].to_pylist() == [0.5]
    dropped = sifted.dropped.select(["text", "reason", "value", "threshold", "detail"]).to_pylist()
    assert [list(row.values()) for row in dropped] == [
        ["12345", "digit_share", 1.0, 0.5, None],
        ["abcdef", "custom", 6.0, 3.0, None],
    ]


def test_nan_and_null_never_pass_a_bound_and_a_nan_bound_is_none() -> None:
    values = pa.record_batch({"v": pa.array([1.0, float("nan"), None, 5.0]), "language": ["a", "a", "a", "b"]})
    from tamis.filters import column

    assert Chain(keep(column("v"), at_least=0))(values).kept["v"].to_pylist() == [1.0, 5.0]
    open_for_a = PerLanguage(float("nan"), {"b": 6.0})
    assert Chain(keep(column("v"), at_least=open_for_a))(values).kept.num_rows == 3


def test_bounds_include_their_ends_by_language() -> None:
    length = signal(lambda text: pc.utf8_length(text), name="test_length")
    chain = Chain(keep(length, at_least=2, at_most=PerLanguage(3, {"deu_Latn": 4})))
    texts = ["a", "ab", "abc", "abcd", "abcde"]
    assert chain(batch(*texts)).kept["text"].to_pylist() == ["ab", "abc"]
    assert chain(batch(*texts, language="deu_Latn")).kept["text"].to_pylist() == ["ab", "abc", "abcd"]


def test_later_filters_see_survivors_only() -> None:
    seen: list[str] = []

    def remember(text):
        seen.append(text)
        return 1

    Chain(keep(digit_share, at_most=0.5), keep(per_document(remember), at_least=1))(batch("1", "a", "2", "b"))
    assert seen == ["a", "b"]


def test_an_exception_costs_its_own_document_only() -> None:
    def fragile(text):
        if "bad" in text:
            raise ValueError(f"cannot read {text}")
        return len(text)

    def fragile_batch(text):
        if any("bad" in value for value in text.to_pylist()):
            raise ValueError("a bad one")
        return pc.utf8_length(text)

    for what in (per_document(fragile), signal(fragile_batch)):
        sifted = Chain(keep(what, at_least=2))(batch("good", "bad", "x"))
        assert sifted.kept["text"].to_pylist() == ["good"]
        assert sifted.dropped["reason"].to_pylist() == [f"error:{what.name}", what.name]
        assert "ValueError" in sifted.dropped["detail"][0].as_py()
        assert sifted.dropped["value"].to_pylist() == [None, 1.0]


def test_a_signal_that_reads_a_failed_one_names_the_culprit() -> None:
    def culprit(text):
        raise KeyError(text)

    base = per_document(culprit)

    @signal
    def innocent(culprit):
        return pc.fill_null(culprit, 0)

    assert Chain(keep(innocent, at_least=0))(batch("a")).dropped["reason"].to_pylist() == ["error:culprit"]
    assert base.name == "culprit"


def test_a_wrong_number_of_values_is_the_signals_fault() -> None:
    short = signal(lambda text: [1.0], name="short_signal")
    sifted = Chain(keep(short, at_least=0))(batch("a", "b"))
    assert sifted.kept.num_rows == 2, "asked row by row it returns one value for one row"


def test_a_missing_column_is_a_programming_error() -> None:
    from tamis.filters import column

    with pytest.raises(UnknownNameError, match="perplexity"):
        Chain(keep(column("perplexity"), at_most=3))(batch("a"))


def test_a_rewrite_accounts_for_every_byte() -> None:
    chain = Chain(
        rewrite("x_removed", lambda text: pc.replace_substring(text, "ẋ", "")), keep(digit_share, at_most=0.5)
    )
    before = batch("aẋbẋ", "ẋ1", "plain", None)
    sifted = chain(before)
    assert sifted.kept["text"].to_pylist() == ["ab", "plain"]
    assert sifted.dropped["text"].to_pylist() == ["ẋ1", None], "a dropped document is booked as it came in"
    assert sifted.removed.to_pylist() == [{"row": 0, "reason": "x_removed", "bytes": 6, "chars": 2}]


def test_signals_are_measured_anew_after_a_rewrite() -> None:
    chain = Chain(
        keep(digit_share, at_most=0.6), rewrite("letters", lambda text: pc.replace_substring_regex(text, "[a-z]", "")),
        keep(digit_share, at_most=0.9),
    )  # fmt: skip
    assert chain(batch("a1", "ab")).dropped["value"].to_pylist()[0] == 1.0


def test_a_failing_rewrite_drops_its_document() -> None:
    def fussy(text):
        if text[0].as_py() == "bad" or len(text) > 1:
            raise RuntimeError("no")
        return text

    sifted = Chain(rewrite("fussy", fussy))(batch("bad", "good"))
    assert sifted.kept["text"].to_pylist() == ["good"]
    assert sifted.dropped["reason"].to_pylist() == ["error:fussy"]


class Longer:
    def __init__(self, by: int) -> None:
        self.by = by

    def __call__(self, text):
        return pc.add(pc.utf8_length(text), self.by)


def test_chains_travel_with_lambdas_closures_and_classes() -> None:
    limit = 3
    chain = Chain(
        keep(lambda text: pc.utf8_length(text), at_least=1),
        keep(per_document(lambda text: len(text) <= limit, name="closure"), at_least=1),
        keep(Longer(2), at_most=5),
        gopher_repetition(max_lines=PerLanguage(0.3, {"fra_Latn": 0.5})),
        name="mine",
    )
    copy = pickle.loads(cloudpickle.dumps(chain))
    data = batch("abc", "abcd", "", "a")
    assert copy(data).kept.equals(chain(data).kept)
    assert (copy.name, copy.fingerprint, copy.columns) == (chain.name, chain.fingerprint, chain.columns)


def test_the_fingerprint_follows_the_definition() -> None:
    def make(limit: int, bound: float) -> str:
        return Chain(keep(lambda text: pc.greater(pc.utf8_length(text), limit), at_least=bound)).fingerprint

    assert make(1, 1) == make(1, 1)
    assert len({make(1, 1), make(2, 1), make(1, 2), gopher_quality().fingerprint}) == 4
    assert gopher_quality().fingerprint == gopher_quality().fingerprint
    assert gopher_quality(min_words=20).fingerprint != gopher_quality().fingerprint
    assert gopher_quality(variant="datatrove").fingerprint != gopher_quality().fingerprint


def varied(lines: int) -> str:
    pick = random.Random(lines)
    other = ["house", "river", "stone", "garden", "window", "letter", "summer", "table", "street", "doctor", "music"]
    return "".join(
        f"The {' '.join(pick.choices(other, k=9))} of {' and '.join(pick.sample(other, 3))}.\n" for _ in range(lines)
    )


PROSE = "The quick brown fox jumps over the lazy dog, and that is that. It was to be the end of it.\n"


def test_verdicts_do_not_depend_on_the_batch() -> None:
    texts = [varied(n) for n in range(12)] + [PROSE * 9, "", "x", None, "{ 1 }" * 60]
    chain = Chain(gopher_repetition(), gopher_quality(min_words=5), c4_quality(min_sentences=2), fineweb_quality())
    whole = chain(batch(*texts))
    kept, dropped, removed = [], [], []
    cut = batch("padding", *texts)
    for start in range(1, len(texts) + 1, 3):
        part = chain(cut.slice(start, min(3, len(texts) + 1 - start)))
        kept += part.kept.to_pylist()
        dropped += part.dropped.to_pylist()
        removed += [row | {"row": row["row"] + start - 1} for row in part.removed.to_pylist()]
    assert kept == whole.kept.to_pylist() and len(kept) > 1
    assert repr(dropped) == repr(whole.dropped.to_pylist())
    assert removed == whole.removed.to_pylist()


def test_sift_is_calling_in_turn() -> None:
    data = batch(*[PROSE * n + varied(n) + "no end\n" for n in range(12)])
    chains = [gopher_repetition(max_lines=0.5, max_line_chars=0.5, max_top_2_gram=1), c4_quality(), fineweb_quality()]
    together = sift(chains, data)
    for chain, sifted in zip(chains, together, strict=True):
        alone = chain(data)
        assert alone.kept.equals(sifted.kept)
        assert alone.dropped.equals(sifted.dropped)
        assert alone.removed.equals(sifted.removed)
        data = alone.kept


def test_an_empty_batch_gains_its_columns() -> None:
    chain = Chain(gopher_quality(), c4_quality(), fineweb_quality())
    sifted = chain(batch().slice(0, 0))
    assert sifted.kept.num_rows == sifted.dropped.num_rows == sifted.removed.num_rows == 0
    assert set(chain.columns.names) <= set(sifted.kept.schema.names)
    everything_drops = chain(batch("", "x"))
    assert everything_drops.kept.schema == sifted.kept.schema


def test_conservation_through_line_rules() -> None:
    text = "Menu\r\n\r\n  This is the first sentence, and it is one.  \nUse cookies, all of you people here.\n" * 4
    data = batch(text + "A last one stands here, quite alone [12]. It ends.\u00a0\n", text)
    sifted = Chain(c4_quality(min_sentences=1))(data)
    size = np.array([len(value.encode()) for value in data["text"].to_pylist()])
    after = np.array([len(value.encode()) for value in sifted.kept["text"].to_pylist()])
    taken = np.bincount(sifted.removed["row"].to_numpy(), sifted.removed["bytes"].to_numpy())
    assert (size == after + taken).all()
    assert "line_policy" in sifted.removed["reason"].to_pylist()
    chars = np.bincount(sifted.removed["row"].to_numpy(), sifted.removed["chars"].to_numpy())
    assert [
        len(a) - len(b) for a, b in zip(data["text"].to_pylist(), sifted.kept["text"].to_pylist(), strict=True)
    ] == (chars.astype(int).tolist())
