"""Evidence: what a finished run's files say beyond its ledger: domains, words, samples, and where duplicates lie."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tamis.budget.growth import Sightings

# Samples of each (language, step, reason), and of each language's kept documents, that a report may show.
GROUP_SAMPLES = 20
KEPT_SAMPLES = 10
SAMPLE_CHARS = 300
KEPT = "kept"
HEAD = "head"

_HOST = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(?:[wW]{3}\.)?(?P<host>[^/:?#]+)"
_SAMPLE_COLUMNS = ("id", "url", "language", "step", "reason", "value", "threshold", "tokens", "sample", "kept_id")
_DOCUMENT_COLUMNS = ("id", "url", "language", "bytes", "tokens", "bucket", "cluster_size", "word_count")

Open = Callable[[str], pa.NativeFile]


class FileEntry(Protocol):
    """A file a receipt names."""

    @property
    def path(self) -> str:
        """The path below the output folder."""


class Receipt(Protocol):
    """What a unit of work left behind, as the manifest has it."""

    @property
    def shard(self) -> str:
        """The unit; `<input>-<part>` where it is a part of an input file."""

    @property
    def ledger(self) -> Sequence[Sequence[Any]]:
        """Its ledger rows."""

    @property
    def files(self) -> Sequence[FileEntry]:
        """Its files."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What else it tells."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One document shown in a report; `step` is "kept" for those that stayed."""

    id: str
    url: str
    language: str
    step: str
    reason: str
    value: float | None
    threshold: float | None
    tokens: int
    text: str
    kept_id: str


@dataclass(slots=True)
class LanguageEvidence:
    """One language's kept documents: `words` is None where they were not counted, `domains` are tokens by host."""

    documents: int = 0
    tokens: int = 0
    head_documents: int = 0
    head_bytes: int = 0
    head_tokens: int = 0
    has_buckets: bool = False
    words: int | None = None
    domains: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Evidence:
    """What the files of a run hold, by language, and samples in manifest order."""

    languages: dict[str, LanguageEvidence] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)


def files_of(receipts: Iterable[Receipt], folder: str) -> list[tuple[str, str]]:
    """Return (unit, path) of every file below a folder of the run, in order of path."""
    found = {
        entry.path: receipt.shard
        for receipt in receipts
        for entry in receipt.files
        if entry.path.startswith(f"{folder}/") and entry.path.endswith(".parquet")
    }
    return [(found[path], path) for path in sorted(found)]


def gather(receipts: Sequence[Receipt], open_file: Open) -> Evidence:
    """Read the documents and drops of a run, a batch at a time; texts are read only for samples."""
    evidence, taken = Evidence(), dict[tuple[str, str, str], int]()
    for _, path in files_of(receipts, "documents"):
        with open_file(path) as file:
            _documents(pq.ParquetFile(file), evidence, taken)
    for _, path in files_of(receipts, "dropped"):
        with open_file(path) as file:
            parquet = pq.ParquetFile(file)
            for batch in parquet.iter_batches(columns=list(_SAMPLE_COLUMNS)):
                evidence.samples += _dropped(batch, taken)
    return evidence


def _documents(parquet: pq.ParquetFile, evidence: Evidence, taken: dict[tuple[str, str, str], int]) -> None:
    columns = [name for name in _DOCUMENT_COLUMNS if name in parquet.schema_arrow.names]
    for group in range(parquet.num_row_groups):
        table = parquet.read_row_group(group, columns=columns)
        for code in pc.unique(table.column("language")).to_pylist():
            of = evidence.languages.setdefault(code, LanguageEvidence())
            _count(table.filter(pc.equal(table.column("language"), code)), of)
            if taken.get((code, KEPT, ""), 0) < KEPT_SAMPLES:
                evidence.samples += _kept(parquet, group, code, taken)


def _count(table: pa.Table, of: LanguageEvidence) -> None:
    tokens = table.column("tokens")
    of.documents += table.num_rows
    of.tokens += pc.sum(tokens).as_py() or 0
    if "word_count" in table.column_names:
        of.words = (of.words or 0) + (pc.sum(table.column("word_count")).as_py() or 0)
    if "bucket" in table.column_names:
        head = table.filter(pc.equal(table.column("bucket"), HEAD))
        of.has_buckets |= pc.any(pc.is_in(table.column("bucket"), pa.array([HEAD, "middle", "tail"]))).as_py() or False
        of.head_documents += head.num_rows
        of.head_bytes += pc.sum(head.column("bytes")).as_py() or 0
        of.head_tokens += pc.sum(head.column("tokens")).as_py() or 0
    sums = (
        pa.table({"host": hosts(table.column("url")), "tokens": tokens}).group_by("host").aggregate([("tokens", "sum")])
    )
    for host, amount in zip(sums.column("host").to_pylist(), sums.column("tokens_sum").to_pylist(), strict=True):
        of.domains[host] = of.domains.get(host, 0) + amount


def hosts(urls: pa.ChunkedArray) -> pa.Array:
    """Return each URL's host in lower case without `www.`; empty where there is none."""
    flat = urls.combine_chunks() if isinstance(urls, pa.ChunkedArray) else urls
    found = pc.struct_field(pc.extract_regex(flat, _HOST), "host")
    return pc.ascii_lower(pc.fill_null(found, "")).cast(pa.large_string())


def _kept(parquet: pq.ParquetFile, group: int, code: str, taken: dict[tuple[str, str, str], int]) -> Iterator[Sample]:
    key = (code, KEPT, "")
    columns = ["id", "url", "language", "tokens", "text"]
    batch = next(parquet.iter_batches(batch_size=KEPT_SAMPLES, row_groups=[group], columns=columns))
    for row in batch.filter(pc.equal(batch.column("language"), code)).to_pylist():
        if taken.get(key, 0) >= KEPT_SAMPLES:
            return
        taken[key] = taken.get(key, 0) + 1
        text = (row["text"] or "")[:SAMPLE_CHARS]
        yield Sample(row["id"], row["url"] or "", code, KEPT, "", None, None, row["tokens"], text, "")


def _dropped(batch: pa.RecordBatch, taken: dict[tuple[str, str, str], int]) -> Iterator[Sample]:
    keys = (batch.column(name).to_pylist() for name in ("language", "step", "reason"))
    rows = []
    for index, key in enumerate(zip(*keys, strict=True)):
        if taken.get(key, 0) < GROUP_SAMPLES:
            taken[key] = taken.get(key, 0) + 1
            rows.append(index)
    for row in batch.take(pa.array(rows, pa.int64())).to_pylist():
        yield Sample(
            row["id"],
            row["url"] or "",
            row["language"],
            row["step"],
            row["reason"],
            row["value"],
            row["threshold"],
            row["tokens"],
            (row["sample"] or "")[:SAMPLE_CHARS],
            row["kept_id"] or "",
        )


@dataclass(frozen=True, slots=True)
class PerFile:
    """Tokens of a step's kept documents by input file and language, shape (files, languages)."""

    languages: tuple[str, ...]
    tokens: Any

    def column(self, language: str) -> Any:
        """Return one language's tokens by file."""
        return self.tokens[:, self.languages.index(language)]


def inputs(receipts: Iterable[Receipt], step: str) -> list[str]:
    """Return the input files of a run, those without any text too: every unit that booked `step` is a part of one."""
    return sorted({_input(receipt) for receipt in receipts if any(row[0] == step for row in receipt.ledger)})


def _input(receipt: Receipt) -> str:
    return receipt.shard.partition("-")[0]


def per_file(receipts: Sequence[Receipt], step: str, first_step: str, languages: Sequence[str]) -> PerFile:
    """Return what `step` kept of each file that `first_step` read."""
    row = {name: index for index, name in enumerate(inputs(receipts, first_step))}
    column = {code: index for index, code in enumerate(languages)}
    tokens = np.zeros((len(row), len(column)))
    for receipt in receipts:
        for at, code, outcome, _, _, _, _, amount in receipt.ledger:
            if at == step and outcome == "kept" and _input(receipt) in row and code in column:
                tokens[row[_input(receipt)], column[code]] += amount
    return PerFile(tuple(languages), tokens)


def sightings(receipts: Sequence[Receipt], open_file: Open, first_step: str) -> dict[str, Sightings]:
    """Return where each language's clusters of duplicates lie, from the documents kept and those dropped for them."""
    row = {name: index for index, name in enumerate(inputs(receipts, first_step))}
    seen = _Seen(len(row))
    for unit, path in files_of(receipts, "documents"):
        with open_file(path) as file:
            for batch in pq.ParquetFile(file).iter_batches(columns=["id", "language", "tokens", "cluster_size"]):
                seen.keep(batch, row[unit.partition("-")[0]])
    for unit, path in files_of(receipts, "dropped"):
        with open_file(path) as file:
            for batch in pq.ParquetFile(file).iter_batches(columns=["kept_id"]):
                seen.drop(batch, row[unit.partition("-")[0]])
    return seen.by_language()


class _Seen:
    """Collects clusters. Texts without duplicates are summed by file; only the others are remembered one by one."""

    def __init__(self, files: int) -> None:
        self._files = files
        self._single: dict[str, np.ndarray[Any, Any]] = {}
        self._texts: dict[str, int] = {}
        self._clusters: dict[str, tuple[str, int]] = {}
        self._pairs: set[tuple[str, int]] = set()

    def keep(self, batch: pa.RecordBatch, file: int) -> None:
        single = pc.less_equal(pc.fill_null(batch.column("cluster_size"), 1), 1)
        table = pa.Table.from_batches([batch])
        for row in (
            table.filter(single).group_by("language").aggregate([("tokens", "sum"), ([], "count_all")]).to_pylist()
        ):
            sums = self._single.setdefault(row["language"], np.zeros(self._files))
            sums[file] += row["tokens_sum"]
            self._texts[row["language"]] = self._texts.get(row["language"], 0) + row["count_all"]
        for row in table.filter(pc.invert(single)).to_pylist():
            self._clusters[row["id"]] = (row["language"], row["tokens"])
            self._texts[row["language"]] = self._texts.get(row["language"], 0) + 1
            self._pairs.add((row["id"], file))

    def drop(self, batch: pa.RecordBatch, file: int) -> None:
        self._pairs |= {(each, file) for each in batch.column("kept_id").drop_null().to_pylist()}

    def by_language(self) -> dict[str, Sightings]:
        clusters: dict[str, dict[str, int]] = {code: {} for code in sorted(self._texts)}
        cluster: dict[str, list[int]] = {code: [] for code in clusters}
        file: dict[str, list[int]] = {code: [] for code in clusters}
        for name, index in sorted(self._pairs):
            if name in self._clusters:
                code = self._clusters[name][0]
                cluster[code].append(clusters[code].setdefault(name, len(clusters[code])))
                file[code].append(index)
        return {code: self._sightings(code, clusters[code], cluster[code], file[code]) for code in clusters}

    def _sightings(self, code: str, clusters: Mapping[str, int], cluster: list[int], file: list[int]) -> Sightings:
        single = self._single.get(code, np.zeros(self._files))
        alone = np.flatnonzero(single)
        tokens = np.concatenate([[self._clusters[name][1] for name in clusters], single[alone]]).astype(np.float64)
        return Sightings(
            np.concatenate([cluster, len(clusters) + np.arange(len(alone))]).astype(np.int64),
            np.concatenate([file, alone]).astype(np.int64),
            tokens,
            self._files,
            self._texts[code],
        )
