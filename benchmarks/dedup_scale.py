"""Deduplication of many documents inside a declared memory: time, peak memory and disk of every step, and its answer.

    python -P benchmarks/dedup_scale.py [--docs 1000000 5000000 20000000] [--memory 1GB] [--checks]

The texts are made up as they are asked for, from their numbers alone, so that nothing but signatures is stored: 40
words each, a fifth of them copies of earlier ones with up to three words changed. Each step of the pipeline (pair,
cluster, resolve with verification, verdict) runs in a process of its own, one core, whose peak resident memory is
printed; disk is the most that lay in the folder at once, sampled twice a second. With --checks the smallest set is done
again with 256 MB, with 1, 2 and 7 partitions, with units read in another order, and with 256 open files and 64 MB: the
answer must not change, and is that of `tamis.dedup.deduplicate` over the texts in memory, of 200,000 or fewer.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.columns import text_array
from tamis.dedup import deduplicate
from tamis.dedup.documents import Docs, rows_of, units_of
from tamis.dedup.estimate import Overlap, Workload, estimate, probe
from tamis.dedup.minhash import sign, signature_schema
from tamis.dedup.options import DedupOptions
from tamis.dedup.shingle import mix
from tamis.pipeline.arrowfiles import WORK_FILE, signatures_path
from tamis.pipeline.dedupplan import plan_groups, plan_parts, plan_shards
from tamis.pipeline.duplicates import PROVENANCE_FILE, Deduplicate
from tamis.pipeline.shard import Shard
from tamis.pipeline.shelf import Shelf
from tamis.pipeline.storage import Storage
from tamis.values import size

UNIT_ROWS = 50_000
WORDS = 40
OPTIONS = DedupOptions(scope="global")


@numba.njit(nogil=True, cache=True)
def _fill(numbers: npt.NDArray[np.uint64], data: npt.NDArray[np.uint8]) -> int:
    """Write 40 words of 4 to 8 letters per document, each row of `data` 360 bytes at most; return the bytes."""
    at = 0
    for number in numbers:
        body, changes = number, 0
        if number > 0 and mix(number ^ np.uint64(0xC0FFEE)) % np.uint64(5) == 0:
            body = mix(number ^ np.uint64(0xBEEF)) % number
            changes = np.int64(mix(number ^ np.uint64(0xCAFE)) % np.uint64(4))
        for place in range(WORDS):
            seed = body if place < WORDS - changes else number + np.uint64(1 << 40)
            word = mix(mix(seed) + np.uint64(place)) % np.uint64(20_000)
            letters = mix(word + np.uint64(1 << 50))
            for _ in range(4 + np.int64(word % np.uint64(5))):
                data[at] = np.uint8(97) + np.uint8(letters % np.uint64(26))
                letters //= np.uint64(26)
                at += 1
            data[at] = np.uint8(32)
            at += 1
        data[at - 1] = np.uint8(10)
    return at


def made_texts(numbers: npt.NDArray[np.uint64]) -> pa.LargeStringArray:
    data = np.empty(len(numbers) * WORDS * 9, np.uint8)
    data = data[: _fill(numbers, data)]
    ends = np.flatnonzero(data == 10) + 1
    return text_array(np.concatenate([[0], ends]).astype(np.int64), data)


def numbers_of(docs: Docs) -> npt.NDArray[np.uint64]:
    return (units_of(docs) * UNIT_ROWS + rows_of(docs)).astype(np.uint64)


@dataclass(frozen=True)
class Made(Deduplicate):
    """The pipeline's own steps over made-up texts; `turn` is by how many units the order of reading is turned."""

    turn: int = 0

    def _column(self, shelf: Shelf, name: str) -> Any:
        if name == "text":
            return nullcontext(lambda docs: made_texts(numbers_of(docs)))
        return nullcontext(lambda docs: pa.array([f"{n:09d}" for n in numbers_of(docs).tolist()], pa.large_string()))

    def _has_texts(self, shelf: Shelf, unit: int) -> bool:
        return True

    def _facts(self, shelf: Shelf, drops: pa.Table, clusters: pa.Table) -> dict[str, Any]:
        return {}

    def _signatures(self, shelf: Shelf, columns: list[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
        units = range(len(shelf.places))
        turned = ((unit * 7 + self.turn) % len(units) for unit in units if self.turn)
        for index in dict.fromkeys([*turned, *units]):
            for _, batch in super()._signatures(Shelf((shelf.places[index],), 0), columns):
                yield index, batch


def write_signatures(storage: Storage, documents: int) -> None:
    schema = pa.schema([pa.field("language", pa.large_string()), *signature_schema(OPTIONS)])
    for unit in range(-(-documents // UNIT_ROWS)):
        rows = np.arange(unit * UNIT_ROWS, min((unit + 1) * UNIT_ROWS, documents), dtype=np.uint64)
        signed = sign(made_texts(rows), OPTIONS)
        language = pa.array(["eng_Latn"] * len(rows), pa.large_string())
        batch = pa.RecordBatch.from_arrays([language, *signed.columns], schema=schema)
        with (
            storage.create(signatures_path(name_of(unit))) as sink,
            pa.ipc.new_file(sink, schema, options=WORK_FILE) as writer,
        ):
            for start in range(0, len(rows), 4096):
                writer.write_batch(batch.slice(start, 4096))


def name_of(unit: int) -> str:
    return f"{unit:05d}-000"


def child(work: Made | None, given: list[Shard], files: int, pipe: object, made: object) -> None:
    """Do shards one after another; send (CPU seconds, wall seconds, peak MB, checksum of the last file)."""
    if files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    began, wall, last = time.process_time(), time.perf_counter(), ""
    if work is None:
        write_signatures(*made)  # type: ignore[misc]
    else:
        tempfile.tempdir = work.storage.where()  # so that what is sorted on disk is counted as well
        for shard in given:
            last = work(shard)[0].files[0].checksum
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    pipe.send((time.process_time() - began, time.perf_counter() - wall, peak, last))  # type: ignore[attr-defined]


def in_process(*arguments: object) -> tuple[float, float, float, str]:
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    process = spawn.Process(target=child, args=(*arguments[:3], there, *arguments[3:]))
    process.start()
    there.close()
    result: tuple[float, float, float, str] = here.recv()
    process.join()
    return result


class Disk:
    """Samples what lies in a folder; `most` is the greatest total in bytes."""

    def __init__(self, folder: Path) -> None:
        self.most, self._folder, self._done = 0, folder, threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while not self._done.wait(0.5):
            total = 0
            for folder, _, names in os.walk(self._folder):
                for name in names:
                    with suppress(OSError):
                        total += Path(folder, name).stat().st_size
            self.most = max(self.most, total)

    def stop(self) -> None:
        self._done.set()


def measure(
    storage: Storage, documents: int, memory: int, title: str, *, parts: int = 0, turn: int = 0, files: int = 0
) -> str:
    units = [name_of(unit) for unit in range(-(-documents // UNIT_ROWS))]
    names = [f"part-{part:03d}" for part in range(parts)] if parts else plan_parts(len(units))
    # 40 words make 36 shingles; a fifth are copies, and what they are copies of shares their buckets.
    told = estimate(
        Workload(documents, WORDS - 4, Overlap(0.345), len(names), len(plan_groups(len(units)))),
        OPTIONS,
        memory=memory,
        slowness=probe(),
    )
    disk, peaks, spent, waited, answer = Disk(Path(storage.root)), [], [], 0.0, ""
    for step, given in plan_shards(units, OPTIONS, names).items():
        cpu, wall, peak, answer = in_process(Made(OPTIONS, storage, memory, turn), given, files, None)
        peaks.append(peak)
        spent.append(cpu)
        waited += wall
        print(f"  {step:<10}{cpu:>9.1f} s CPU {wall:>9.1f} s wall {peak:>8.0f} MB peak", flush=True)
    disk.stop()
    print(
        f"{title:<34}{sum(spent):>8.1f} s CPU {waited:>8.1f} s wall {max(peaks):>7.0f} MB peak "
        f"{disk.most / 1e6:>9.0f} MB disk  {answer}",
        flush=True,
    )
    print(
        f"{'  predicted':<34}{told.seconds:>8.1f} s CPU {'':>15}{told.memory / 2**20:>7.0f} MB peak "
        f"{told.disk / 1e6:>9.0f} MB disk",
        flush=True,
    )
    return answer


def drops(storage: Storage) -> list[tuple[int, int]]:
    """Return (removed, kept) as the last measured run has them."""
    table = pq.read_table(storage.where(PROVENANCE_FILE), columns=["id", "kept_id"])
    return sorted(zip(*(map(int, table.column(name).to_pylist()) for name in table.column_names), strict=True))


def in_memory(documents: int) -> list[tuple[int, int]]:
    found = deduplicate(made_texts(np.arange(documents, dtype=np.uint64)))
    return sorted(zip(found.column("row").to_pylist(), found.column("kept_row").to_pylist(), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", type=int, nargs="+", default=[1_000_000, 5_000_000, 20_000_000])
    parser.add_argument("--memory", default="1GB")
    parser.add_argument("--checks", action="store_true")
    args = parser.parse_args()
    for index, documents in enumerate(args.docs):
        with tempfile.TemporaryDirectory(prefix="tamis-scale-") as folder:
            storage = Storage(folder)
            cpu, wall, peak, _ = in_process(None, [], 0, (storage, documents))
            print(f"{documents:,} documents signed: {cpu:.1f} s CPU, {wall:.1f} s wall, {peak:.0f} MB peak", flush=True)
            answer = measure(storage, documents, size(args.memory), f"{documents:,} with {args.memory}")
            if args.checks and index == 0:
                if documents <= 200_000 and drops(storage) != in_memory(documents):
                    raise SystemExit("in memory: another answer")
                changes: dict[str, dict[str, int]] = {
                    "256 MB": {"memory": size("256MB")},
                    "1 partition": {"parts": 1},
                    "2 partitions": {"parts": 2},
                    "7 partitions": {"parts": 7},
                    "shuffled units": {"turn": 3},
                    "256 open files, 64 MB": {"files": 256, "memory": size("64MB")},
                }
                for title, change in changes.items():
                    given = {"memory": size(args.memory), **change}
                    if measure(storage, documents, title=title, **given) != answer:
                        raise SystemExit(f"{title}: another answer")


if __name__ == "__main__":
    main()
