"""Rehydrate: weights by which documents that had copies may be repeated, from a finished run's documents."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.dedup.rehydration import rehydration_weights
from tamis.errors import ConfigError
from tamis.pipeline.documents import documents_path
from tamis.pipeline.manifest import Manifest
from tamis.pipeline.storage import Storage

Sizes = npt.NDArray[np.int64]
Passed = npt.NDArray[np.bool_]


def weights(output: str, signal: str, at_least: float) -> dict[str, dict[int, int]]:
    """Return the weight of each class of cluster sizes by language, after FineWeb2: see `rehydration_weights`.

    There, filters come after deduplication and tell which sizes are of better pages. Here they come before, so a
    stricter bound says it: a document passes if its number in column `signal` is at least `at_least`; null never does.
    Raises ConfigError where documents have no such column.
    """
    found: dict[str, list[tuple[Sizes, Passed]]] = {}
    for batch in _documents(Storage(output), signal):
        values = batch.column(signal).cast(pa.float64()).fill_null(-np.inf).to_numpy(zero_copy_only=False)
        sizes = batch.column("cluster_size").fill_null(1).to_numpy(zero_copy_only=False)
        languages = np.array(batch.column("language").to_pylist(), object)
        for language in sorted(set(languages.tolist())):
            here = languages == language
            found.setdefault(language, []).append((sizes[here], values[here] >= at_least))
    return {
        language: rehydration_weights(*(np.concatenate(each) for each in zip(*parts, strict=True)))
        for language, parts in sorted(found.items())
    }


def _documents(storage: Storage, signal: str) -> Iterator[pa.RecordBatch]:
    units = [receipt.shard for receipt in Manifest(storage).all() if receipt.step == "documents"]
    for unit in units:
        with storage.open(documents_path(unit)) as file:
            parquet = pq.ParquetFile(file)
            names = parquet.schema_arrow.names
            if signal not in names:
                raise ConfigError(f"Documents have no column {signal!r}.", f"They have {', '.join(names)}.")
            yield from parquet.iter_batches(columns=list(dict.fromkeys(["language", "cluster_size", signal])))
