"""Texts that break filters: nothing, ten megabytes without a space, NULs, surrogates, bytes that are no UTF-8."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import pytest

from tamis.columns import as_text
from tamis.filters import (
    Chain,
    boilerplate_lines,
    c4_quality,
    ccnet_length,
    fineweb_quality,
    gopher_quality,
    gopher_repetition,
    mc4_paragraphs,
    nemo_rules,
    pii_masking,
    redpajama_signals,
    refinedweb_lines,
)

NASTY = [
    "",
    None,
    " ",
    "\n",
    "\r",
    "\r\n\r\n",
    "\x00",
    "a\x00b\x00\n\x00" * 50,
    "\ud800 lone \udfff surrogates \ud800" * 20,
    "\ufeff\u200b\u200d\u00ad" * 40,
    "\u0301\u0301\u0301" * 40,
    "." * 500,
    "…" * 500,
    "[" * 300 + "]" * 300,
    "[1]" * 200,
    "\U0010ffff\U000e0001" * 30,
    "a\u2028b\u2029c\x85d\x0be\x0cf",
    "'" * 99 + "a'b'c",
    "ﷺ" * 80,
]


def everything() -> Chain:
    return Chain(
        gopher_repetition(), gopher_quality(min_words=0), refinedweb_lines(max_removed_words=1),
        c4_quality(min_sentences=0), fineweb_quality(min_ended_lines=0),
    )  # fmt: skip


def others() -> list[Chain]:
    """The families that are no part of `everything`, and the variants of other tools."""
    quality = [gopher_quality(variant=variant) for variant in ("dolma", "dclm", "paper")]
    return [nemo_rules(), redpajama_signals(), ccnet_length(), ccnet_length(variant="ccnet"), mc4_paragraphs(),
            boilerplate_lines(), pii_masking(countries=["FR", "US"]), *quality]  # fmt: skip


@pytest.mark.parametrize("variant", ["tamis", "datatrove"])
def test_nothing_raises(variant: str) -> None:
    families = (gopher_repetition, gopher_quality, c4_quality, fineweb_quality, mc4_paragraphs)
    batch = pa.record_batch({"text": as_text(NASTY)})
    for chain in (everything(), *others(), *(family(variant=variant) for family in families)):
        sifted = chain(batch)
        assert sifted.kept.num_rows + sifted.dropped.num_rows == len(NASTY)
        assert not [reason for reason in sifted.dropped["reason"].to_pylist() if reason.startswith("error:")]


def test_bytes_that_are_no_utf8_are_read_within_bounds() -> None:
    pick = np.random.default_rng(1)
    for size in (1, 2, 3, 7, 64, 513):
        for high in (False, True):
            data = pick.integers(0x80 if high else 0, 256, size, np.uint8)
            offsets = np.unique(np.r_[0, pick.integers(0, size + 1, 3), size]).astype(np.int64)
            buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
            texts = pa.Array.from_buffers(pa.large_string(), len(offsets) - 1, buffers)
            sifted = everything()(pa.record_batch({"text": texts}))
            reasons = [] if not sifted.dropped.num_rows else sifted.dropped["reason"].to_pylist()
            assert not [reason for reason in reasons if reason.startswith("error:")]


@pytest.mark.parametrize("unit", ["a", "文", "ก"])
def test_ten_megabytes_without_a_space_raise_in_no_family(unit: str) -> None:
    text = unit * ((10 << 20) // len(unit.encode()))
    batch = pa.record_batch({"text": pa.array([text], pa.large_string()), "language": ["eng_Latn"]})
    for chain in (everything(), *others()):
        sifted = chain(batch)
        assert not [reason for reason in sifted.dropped["reason"].to_pylist() if reason.startswith("error:")]
        assert sifted.kept.num_rows + sifted.dropped.num_rows == 1


@pytest.mark.parametrize("unit", ["a", "文", "ก", "か", "ab ", "文。", "\u0301", "....", "[", "é'"])
def test_a_line_of_megabytes_takes_linear_time(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit.encode()))
        batch = pa.record_batch({"text": pa.array([text], pa.large_string())})
        begun = time.process_time()
        everything()(batch)
        return time.process_time() - begun

    seconds(1 << 16)
    assert min(seconds(10 << 20) for _ in range(2)) < 6 * max(seconds(5 << 20), 0.1)
