"""The whole sequence as a pipeline runs it: the same drops for any partitions, memory and order of arrival."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tamis.dedup import (
    DedupOptions,
    band_names,
    candidates,
    cluster_sizes,
    combine,
    deduplicate,
    exact_duplicates,
    find_components,
    of_unit,
    resolve,
    sign,
)
from tamis.dedup.documents import rows_of, units_of

WORDS = ["".join(random.Random(i).choices("abdeiklmnorstu", k=2 + i % 7)) for i in range(3000)]


def corpus(documents: int, seed: int) -> list[str]:
    """Return texts with exact copies, near copies at many distances, and unlike texts under one template."""
    rng = random.Random(seed)
    template = " ".join(rng.choices(WORDS, k=40))
    texts: list[str] = []
    while len(texts) < documents:
        draw = rng.random()
        if not texts or draw < 0.45:
            texts.append(" ".join(rng.choices(WORDS, k=rng.randrange(1, 120))))
        elif draw < 0.6:
            texts.append(template + " " + " ".join(rng.choices(WORDS, k=15)))
        elif draw < 0.7:
            texts.append(rng.choice(texts) + rng.choice(["", " ", "\n"]))
        else:
            words = rng.choice(texts).split()
            for _ in range(rng.randrange(4)):
                words[rng.randrange(len(words))] = rng.choice(WORDS)
            texts.append(" ".join(words))
    return texts


def run(
    units: dict[int, list[str]], options: DedupOptions, folder: Path, *, partitions: int, memory: int, seed: int
) -> pa.Table:
    rng = random.Random(seed)
    streams = []
    for unit, texts in units.items():
        signed = sign(pa.array(texts, pa.large_string()), options)
        languages = ["fra_Latn" if row % 3 else "deu_Latn" for row in range(len(texts))]
        signed = signed.append_column("language", pa.array(languages))
        streams.append((unit, signed.append_column("priority", pa.array([float(len(t)) for t in texts]))))
    rng.shuffle(streams)
    exact = exact_duplicates(streams, options, memory=memory, scratch=folder)
    buckets = [
        batch
        for band in range(len(band_names(options)))
        for batch in candidates(streams, band, options, memory=memory, scratch=folder)
    ]
    rng.shuffle(buckets)
    components = find_components(lambda: buckets, exclude=exact.column("doc").to_numpy())
    parts: dict[int, list[pa.RecordBatch]] = {}
    for partition, members in components.split(lambda: buckets, partitions):
        parts.setdefault(partition, []).append(members)

    def fetch(docs: np.ndarray) -> pa.RecordBatch:
        texts = [units[unit][row] for unit, row in zip(units_of(docs), rows_of(docs), strict=True)]
        return pa.record_batch({"text": texts, "priority": [len(text) for text in texts]})

    near = [resolve(part, fetch, options, memory=memory, scratch=folder) for part in parts.values()]
    rng.shuffle(near)
    return combine(exact, pa.concat_tables(near))


@pytest.mark.parametrize("survivor", ["first", "priority"])
def test_drops_do_not_depend_on_how_they_are_found(survivor: str, tmp_path: Path) -> None:
    texts = corpus(700, 3)
    units = {unit: texts[unit::5] for unit in range(5)} | {6: []}
    options = DedupOptions(survivor=survivor)  # type: ignore[arg-type]
    wanted = run(units, options, tmp_path, partitions=1, memory=1 << 30, seed=0)
    assert wanted.num_rows > 100
    assert set(wanted.column("kind").to_pylist()) == {"exact", "near"}
    for seed, (partitions, memory) in enumerate([(2, 1 << 30), (7, 1), (1, 100_000)]):
        got = run(units, options, tmp_path, partitions=partitions, memory=memory, seed=seed)
        assert got.equals(wanted)
    assert not list(tmp_path.iterdir())


def test_the_drop_list_is_consistent(tmp_path: Path) -> None:
    texts = corpus(500, 8)
    units = {unit: texts[unit::4] for unit in range(4)}
    drops = run(units, DedupOptions(scope="global"), tmp_path, partitions=3, memory=1 << 20, seed=1)
    docs, kept = drops.column("doc").to_pylist(), drops.column("kept_doc").to_pylist()
    assert docs == sorted(set(docs))
    assert set(docs).isdisjoint(kept)
    assert all(one < two for one, two in zip(kept, docs, strict=True))
    assert min(drops.column("similarity").to_pylist()) >= 0.8
    nulls = [kind == "exact" for kind in drops.column("kind").to_pylist()]
    assert drops.column("band").is_null().to_pylist() == nulls
    sizes = cluster_sizes(drops)
    assert sum(sizes.column("size").to_pylist()) == len(docs) + len(set(kept))
    assert sum(of_unit(drops, unit).num_rows for unit in range(4)) == len(docs)
    assert of_unit(drops, 2).column("row").to_pylist() == [doc & 0xFFFFFFFF for doc in docs if doc >> 32 == 2]


def test_two_halves_then_the_whole_keep_the_same(tmp_path: Path) -> None:
    texts = corpus(400, 5)
    options = DedupOptions(scope="global")
    first = run({0: texts[:200]}, options, tmp_path, partitions=1, memory=1 << 20, seed=0)
    whole = run({0: texts[:200], 1: texts[200:]}, options, tmp_path, partitions=2, memory=1 << 20, seed=1)
    assert of_unit(whole, 0).column("doc").to_pylist() == first.column("doc").to_pylist()


def test_the_one_call_form_agrees(tmp_path: Path) -> None:
    texts = corpus(300, 2)
    table = deduplicate(texts)
    drops = run({0: texts}, DedupOptions(scope="global"), tmp_path, partitions=2, memory=1, seed=0)
    assert table.column("row").to_pylist() == drops.column("doc").to_pylist()
    assert table.column("kept_row").to_pylist() == drops.column("kept_doc").to_pylist()
    assert table.column("similarity").equals(drops.column("similarity"))
