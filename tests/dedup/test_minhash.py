"""Signatures: against a plain twin, against the theory of MinHash LSH, and where there is nothing to sign."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from tamis.dedup.bridge import from_datasketch, signatures, to_datasketch
from tamis.dedup.minhash import band_keys, minhashes, permutations, sign, signature_schema
from tamis.dedup.options import DedupOptions, band_names, scurve
from tamis.dedup.shingle import composed, shingle_hashes
from tamis.errors import ConfigError

OPTIONS = DedupOptions()
TEXT = "one two three four five six seven eight nine ten eleven twelve"


def texts(*values: str | None) -> pa.LargeStringArray:
    return pa.array(values, pa.large_string())


def random_sets(pairs: int, size: int, similarity: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the offsets and hashes of 2 · pairs sets, neighbours of which have the given Jaccard similarity."""
    shared = round(2 * size * similarity / (1 + similarity))
    rng = np.random.default_rng(seed)
    draw = rng.integers(0, 1 << 63, (pairs, 2 * size - shared), dtype=np.uint64) * np.uint64(2)
    both = np.stack([draw[:, :size], draw[:, -size:]], axis=1).reshape(-1)
    return np.arange(0, len(both) + 1, size), both


def test_minima_are_those_of_the_plain_definition() -> None:
    offsets, hashes = shingle_hashes(texts(TEXT, "", TEXT + " thirteen"), OPTIONS)
    a, b = (values.tolist() for values in permutations(6, 3))
    wanted = [
        [min([(m * x + c) % 2**64 for x in hashes[i:j].tolist()], default=2**64 - 1) for m, c in zip(a, b, strict=True)]
        for i, j in pairwise(offsets)
    ]
    assert minhashes(offsets, hashes, 6, 3).tolist() == wanted


def test_permutations_are_pinned_and_odd() -> None:
    a, b = permutations(112, 1)
    assert (a % 2 == 1).all()
    assert len(set(a.tolist())) == len(set(b.tolist())) == 112
    assert [int(a[0]), int(b[0])] == [int(permutations(112, 1)[0][0]), int(b[0])]
    assert set(permutations(112, 2)[0].tolist()).isdisjoint(a.tolist())


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.8])
def test_the_share_of_equal_minima_is_the_jaccard_similarity(similarity: float) -> None:
    offsets, hashes = random_sets(1500, 120, similarity, 5)
    values = minhashes(offsets, hashes, 112, 1)
    equal = values[::2] == values[1::2]
    # 168,000 draws: the standard error of the mean is at most 0.0013; that of a permutation's own share 0.013.
    assert equal.mean() == pytest.approx(similarity, abs=0.006)
    assert np.abs(equal.mean(axis=0) - similarity).max() < 0.06
    # Values of one signature vary together no more than independent ones would.
    assert equal.mean(axis=1).var() == pytest.approx(similarity * (1 - similarity) / 112, rel=0.2)


@pytest.mark.parametrize("sets", [1, 2])
def test_the_s_curve_is_the_tabled_one(sets: int) -> None:
    options = DedupOptions(band_sets=sets)
    for similarity, probability in scurve(options):
        offsets, hashes = random_sets(1200, 200, similarity, 7)
        keys = band_keys(minhashes(offsets, hashes, options.hashes, 1), options)
        found = (keys[:, ::2] == keys[:, 1::2]).any(axis=0).mean()
        assert probability - 0.045 * sets < found < probability + 0.045, similarity


def test_the_second_set_finds_what_lies_at_the_threshold() -> None:
    offsets, hashes = random_sets(4000, 90, 0.8, 9)
    keys = band_keys(minhashes(offsets, hashes, 112, 1), OPTIONS)
    assert (keys[:, ::2] == keys[:, 1::2]).any(axis=0).mean() > 0.975


def test_bands_of_sets_share_one_value_at_most() -> None:
    rows = [frozenset((band + i * k) % 14 * 8 + i for i in range(8)) for k in range(2) for band in range(14)]
    assert all(len(one & two) <= 1 for one in rows for two in rows if one is not two)


def test_texts_below_the_floor_have_no_bands() -> None:
    batch = sign(texts("", None, "!!!", "one two three four", TEXT[:40], TEXT, "完全不同的文字在这"), OPTIONS)
    assert batch.schema == signature_schema(OPTIONS)
    assert batch.column("shingles").to_pylist() == [0, 0, 0, 0, 4, 8, 5]
    valid = [False, False, False, False, False, True, True]
    assert all(batch.column(name).is_valid().to_pylist() == valid for name in band_names(OPTIONS))
    assert batch.column("exact").is_valid().to_pylist() == [False, False, True, True, True, True, True]


def test_a_signature_knows_no_batch() -> None:
    rng = random.Random(4)
    values = [" ".join(rng.choices(["ab", "cd", "ef", "gh"], k=rng.randrange(60))) for _ in range(40)]
    whole = sign(texts(*values), OPTIONS)
    alone = pa.Table.from_batches([sign(texts(value), OPTIONS) for value in values])
    assert pa.Table.from_batches([whole]).equals(alone.combine_chunks())
    assert sign(texts(), OPTIONS).num_rows == 0
    assert sign(texts(*values).slice(7, 5), OPTIONS).equals(whole.slice(7, 5))


def test_datasketch_takes_our_values_and_we_take_its() -> None:
    datasketch = pytest.importorskip("datasketch")
    near = TEXT.replace("twelve", "dozen")
    ours = to_datasketch(texts(TEXT, near, TEXT), OPTIONS)
    assert ours[0].jaccard(ours[2]) == 1.0
    assert ours[0].jaccard(ours[1]) == pytest.approx(7 / 9, abs=0.15)
    keys = band_keys(signatures(texts(TEXT, near, TEXT), OPTIONS), OPTIONS)
    bands = from_datasketch(ours, OPTIONS)
    assert [bands.column(i).to_pylist() for i in range(28)] == keys.tolist()
    theirs = [datasketch.MinHash(num_perm=128) for _ in range(3)]
    for word in TEXT.split():
        theirs[0].update(word.encode())
        theirs[1].update(word.encode())
    bands = from_datasketch(theirs, OPTIONS)
    assert bands.column(0)[0] == bands.column(0)[1]
    assert not bands.column(0)[2].is_valid


@pytest.mark.parametrize(
    "wrong",
    [
        {"bands": 0},
        {"threshold": 0.0},
        {"threshold": 1.2},
        {"scope": "langauge"},
        {"survivor": "oldest"},
        {"survivor": "score"},
        {"sources": ("wiki",)},
        {"against": "out"},
        {"measure": "cosine"},
        {"band_sets": 99},
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        DedupOptions(**wrong)  # type: ignore[arg-type]


def test_composition_reaches_the_signature() -> None:
    nfd = texts("cafe\u0301 " * 3 + TEXT)
    assert sign(nfd, OPTIONS).equals(sign(composed(nfd), OPTIONS))
