"""Deduplication beside its peers, in one run on one core each: signatures in MB/s, then pairs and clusters.

    python -P benchmarks/dedup.py [--megabytes 20] [--docs 100000] [--only signatures|clusters]

Signatures: 14 x 8 values on five-word shingles of the same English texts. Peers are datasketch, datatrove's stage 1 (as
it comes, with spaCy for its words, and with `str.split`, kinder to it) and, where importable, rensa; the slow ones see
the first megabyte or so only. The best CPU time of three counts. Tamis' time includes its exact keys.
Clusters: the same MinHash values for all, in each tool's own form, written before the clock starts. datatrove runs its
stages 2 and 3, datasketch its LSH and a union-find; both stop at candidates, as "not verified" does; otherwise Tamis
verifies each. Every
contestant runs in a process of its own, whose peak memory is printed: above what it held before the clock started, its
libraries and kernels, and in all.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.dedup import (
    DedupOptions,
    band_names,
    candidates,
    combine,
    exact_duplicates,
    find_components,
    resolve,
    sign,
)
from tamis.dedup.bands import BUCKETS
from tamis.dedup.documents import rows_of
from tamis.dedup.exact import exact_keys
from tamis.dedup.minhash import band_keys, minhashes
from tamis.dedup.regroup import Regrouped, regroup, shingle_sets
from tamis.dedup.shingle import shingle_hashes
from tamis.dedup.verdicts import NEAR

OPTIONS = DedupOptions(scope="global")
PLAIN = DedupOptions(scope="global", band_sets=1)
MEMORY = 16 << 20
PARTS = 32
PIECE = 1 << 20
TEXT_ROWS = 4096


def made_texts(documents: int, words: int, seed: int = 1) -> pa.LargeStringArray:
    """Return English-looking texts, a fifth of them copies of earlier ones with a few words changed."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
    vocabulary = ["".join(letters[rng.zipf(1.3, rng.integers(2, 10)) % 26]) for _ in range(20_000)]
    chosen = (rng.zipf(1.15, (documents, words)) % 20_000).astype(np.int64)
    copies = np.flatnonzero(rng.random(documents) < 0.2)
    copies = copies[copies > 0]
    chosen[copies] = chosen[(copies * rng.random(len(copies))).astype(np.int64)]
    chosen[copies, rng.integers(0, words, len(copies))] = rng.integers(0, 20_000, len(copies))
    return pa.array([" ".join(vocabulary[word] for word in row) for row in chosen.tolist()], pa.large_string())


# --- signatures


def by_tamis(texts: list[str]) -> None:
    sign(pa.array(texts, pa.large_string()), PLAIN)


def by_datasketch(texts: list[str]) -> None:
    from datasketch import MinHash

    for text in texts:
        words = text.lower().split()
        minhash = MinHash(num_perm=112, seed=1)
        minhash.update_batch([" ".join(words[i : i + 5]).encode() for i in range(len(words) - 4)])


def by_rensa(texts: list[str]) -> None:
    from rensa import RMinHash

    for text in texts:
        words = text.lower().split()
        minhash = RMinHash(num_perm=112, seed=1)
        minhash.update([" ".join(words[i : i + 5]) for i in range(len(words) - 4)])
        minhash.digest()


def by_datatrove(texts: list[str]) -> None:
    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupSignature

    with tempfile.TemporaryDirectory() as folder:
        stage = MinhashDedupSignature(folder)
        stage.run(Document(text=text, id=str(row)) for row, text in enumerate(texts))


def by_datatrove_split(texts: list[str]) -> None:
    from datatrove.pipeline.dedup import minhash

    usual = minhash.load_word_tokenizer
    minhash.load_word_tokenizer = lambda language: SimpleNamespace(word_tokenize=str.split)
    try:
        by_datatrove(texts)
    finally:
        minhash.load_word_tokenizer = usual


def signatures(megabytes: int) -> None:
    texts = made_texts(megabytes * 140, 1000).to_pylist()
    by_tamis(texts[:10])  # compiles, or loads what was compiled
    rates: dict[str, float] = {}
    contestants: list[tuple[str, Callable[[list[str]], None], int]] = [
        ("tamis", by_tamis, len(texts)),
        ("rensa", by_rensa, len(texts) // 2),
        ("datasketch", by_datasketch, len(texts) // 10),
        ("datatrove, str.split", by_datatrove_split, min(len(texts) // 10, 200)),
        ("datatrove stage 1", by_datatrove, min(len(texts) // 10, 100)),
    ]
    print(f"{'signatures':<22}{'MB/s':>10}{'tamis is':>12}")
    for name, work, rows in contestants:
        if importlib.util.find_spec(re.split("[ ,]", name)[0]) is None:
            print(f"{name:<22}{'not installed':>22}")
            continue
        work(texts[:2])
        spent = []
        for _ in range(3):
            begin = time.process_time()
            work(texts[:rows])
            spent.append(time.process_time() - begin)
        rates[name] = sum(map(len, texts[:rows])) / 1e6 / min(spent)
        print(f"{name:<22}{rates[name]:>10.2f}{rates['tamis'] / rates[name]:>11.1f}x")


# --- pairs and clusters


def write_inputs(folder: Path, texts: pa.LargeStringArray) -> None:
    """Write the same MinHash values as Arrow signatures, as datatrove's files and as a plain matrix."""
    offsets, hashes = shingle_hashes(texts, OPTIONS)
    # datatrove stops reading at 2^61 - 1.
    values = minhashes(offsets, hashes, 112, 1) >> np.uint64(3)
    names = band_names(OPTIONS)
    batch = pa.record_batch([exact_keys(texts), *map(pa.array, band_keys(values, OPTIONS))], ["exact", *names])
    with pa.OSFile(str(folder / "signatures.arrow"), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_table(pa.Table.from_batches([batch]), max_chunksize=16_384)
    with pa.OSFile(str(folder / "texts.arrow"), "wb") as sink:
        table = pa.table([texts], ["text"])
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=TEXT_ROWS)
    np.save(folder / "values.npy", values)
    dtype = np.dtype([*((f"v{i}", "<u8") for i in range(8)), ("doc", "<u4")])
    for band in range(14):
        records = np.empty(len(values), dtype)
        for i in range(8):
            records[f"v{i}"] = values[:, 8 * band + i]
        records["doc"] = np.arange(len(values))
        home = folder / f"datatrove/sigs/bucket_{band:03d}"
        home.mkdir(parents=True)
        records[np.lexsort([records[f"v{i}"] for i in reversed(range(8))])].tofile(home / "00000.minhash.sig")


@dataclass(frozen=True)
class Signed:
    """Columns of the signature file, read anew on every walk: what is mapped would count as memory."""

    path: Path
    columns: tuple[str, ...]

    def __iter__(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        with pa.OSFile(str(self.path)) as file:
            schema = pa.ipc.open_file(file).schema
            fields = [schema.get_field_index(name) for name in self.columns]
            signed = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=fields))
            for index in range(signed.num_record_batches):
                yield 0, signed.get_batch(index)


def clusters_of_tamis(folder: Path, options: DedupOptions, *, verify: bool = True) -> npt.NDArray[np.int64]:
    signatures = folder / "signatures.arrow"
    exact = exact_duplicates(Signed(signatures, ("exact",)), options, memory=MEMORY, scratch=folder)
    _released()
    found = (
        batch
        for band, name in enumerate(band_names(options))
        for batch in candidates(Signed(signatures, (name,)), band, options, memory=MEMORY, scratch=folder)
    )
    _write(folder / "buckets.arrow", found)
    components = find_components(lambda: _read(folder / "buckets.arrow"), exclude=exact.column("doc").to_numpy())
    _released()
    if not verify:
        later = components.docs[components.of(components.docs) != components.docs]
        return rows_of(np.concatenate([exact.column("doc").to_numpy(), later]))
    _split(folder / "part-", components.split(lambda: _read(folder / "buckets.arrow"), PARTS))
    docs, parts = next(components.members(PARTS))
    del components
    _released()
    _split(folder / "sets-", regroup(_sets(folder, docs, parts, options), PIECE))
    near = [_resolved(folder, part, options) for part in range(PARTS)]
    _released()
    return rows_of(combine(exact, pa.concat_tables(near)).column("doc").to_numpy())


def _released() -> None:
    """Give back what Arrow keeps for the next batches, as the pipeline does between two shards."""
    pa.default_memory_pool().release_unused()


def _split(stem: Path, parted: Iterator[tuple[int, pa.RecordBatch]]) -> None:
    parts: dict[int, pa.RecordBatchStreamWriter] = {}
    with ExitStack() as stack:
        for part, batch in parted:
            if part not in parts:
                sink = stack.enter_context(pa.OSFile(f"{stem}{part}.arrow", "wb"))
                parts[part] = stack.enter_context(pa.ipc.new_stream(sink, batch.schema))
            parts[part].write_batch(batch)


def _sets(
    folder: Path, docs: npt.NDArray[np.uint64], parts: npt.NDArray[np.uint16], options: DedupOptions
) -> Iterator[pa.RecordBatch]:
    """Yield the shingle sets of what is to be resolved, in one walk over the texts."""
    with pa.OSFile(str(folder / "texts.arrow")) as file:
        texts = pa.ipc.open_file(file)
        for index in range(texts.num_record_batches):
            here = slice(*np.searchsorted(docs, np.array([index, index + 1], np.uint64) * np.uint64(TEXT_ROWS)))
            rows = pa.array(rows_of(docs[here]) - index * TEXT_ROWS)
            sets = shingle_sets(texts.get_batch(index).column(0).take(rows), options)
            yield pa.record_batch([docs[here], parts[here], sets], ["doc", "part", "set"])


def _resolved(folder: Path, part: int, options: DedupOptions) -> pa.Table:
    if not (folder / f"part-{part}.arrow").exists():
        return NEAR.empty_table()
    sets = Regrouped(_read(folder / f"sets-{part}.arrow"))
    return resolve(_read(folder / f"part-{part}.arrow"), sets, options, memory=MEMORY, scratch=folder)


def _write(path: Path, batches: Iterator[pa.RecordBatch]) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, BUCKETS) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _read(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path)) as file:
        yield from pa.ipc.open_stream(file)


def tamis_28(folder: Path) -> npt.NDArray[np.int64]:
    return clusters_of_tamis(folder, OPTIONS)


def tamis_14(folder: Path) -> npt.NDArray[np.int64]:
    return clusters_of_tamis(folder, PLAIN)


def tamis_unverified(folder: Path) -> npt.NDArray[np.int64]:
    return clusters_of_tamis(folder, PLAIN, verify=False)


def datatrove_stages(folder: Path) -> npt.NDArray[np.int64]:
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster

    home = folder / "datatrove"
    for band in range(14):
        MinhashDedupBuckets(str(home / "sigs"), str(home / "pairs")).run(rank=band, world_size=14)
    MinhashDedupCluster(str(home / "pairs"), str(home / "remove")).run()
    return np.fromfile(home / "remove/000000.remove", "<u4").astype(np.int64)


def datasketch_lsh(folder: Path) -> npt.NDArray[np.int64]:
    from datasketch import LeanMinHash, MinHashLSH

    values = np.load(folder / "values.npy")
    lsh = MinHashLSH(params=(14, 8), num_perm=112)
    parents = list(range(len(values)))

    def root(node: int) -> int:
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    for row, minima in enumerate(values):
        minhash = LeanMinHash(seed=1, hashvalues=minima, scheme="legacy")
        for other in lsh.query(minhash):
            one, two = sorted((root(row), root(other)))
            parents[two] = one
        lsh.insert(row, minhash)
    return np.array([row for row in range(len(values)) if root(row) != row])


def peak_kb() -> int:
    """Return this process's own peak resident size in kB; getrusage would count the parent's before exec."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def contest(work: Callable[[Path], npt.NDArray[np.int64]], folder: Path, pipe: object) -> None:
    work(folder / "small")  # compiles, or loads what was compiled
    before = peak_kb()
    begin, wall = time.process_time(), time.perf_counter()
    removed = work(folder)
    spent, wall = time.process_time() - begin, time.perf_counter() - wall
    pipe.send((spent, wall, (peak_kb() - before) / 1024, peak_kb() / 1024, removed))  # type: ignore[attr-defined]


def clusters(documents: int) -> None:
    heads = "".join(f"{head:>10}" for head in ("CPU s", "wall s", "peak +MB", "all MB", "removed", "as tamis"))
    print(f"\n{f'clusters of {documents:,}':<22}{heads}")
    spawn = multiprocessing.get_context("spawn")
    contestants = {
        "tamis, verified": tamis_28,
        "tamis, one band set": tamis_14,
        "tamis, not verified": tamis_unverified,
        "datatrove stages 2-3": datatrove_stages,
        "datasketch LSH": datasketch_lsh,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "small").mkdir()
        write_inputs(folder / "small", made_texts(500, 60))
        write_inputs(folder, made_texts(documents, 60))
        ours: set[int] | None = None
        for title, work in contestants.items():
            here, there = spawn.Pipe(duplex=False)
            process = spawn.Process(target=contest, args=(work, folder, there))
            process.start()
            there.close()
            spent, wall, more, peak, removed = here.recv()
            process.join()
            ours = set(removed.tolist()) if ours is None else ours
            same = len(ours & set(removed.tolist())) / max(len(removed), 1)
            print(f"{title:<22}{spent:>10.2f}{wall:>10.2f}{more:>10.0f}{peak:>10.0f}{len(removed):>10,}{same:>10.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=20)
    parser.add_argument("--docs", type=int, default=100_000)
    parser.add_argument("--only", choices=["signatures", "clusters"])
    args = parser.parse_args()
    if args.only != "clusters":
        signatures(args.megabytes)
    if args.only != "signatures":
        clusters(args.docs)


if __name__ == "__main__":
    main()
