"""Languages in a run: confusable ones regrouped as the recipe says, accepted or not, and thresholds from the scores."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tamis.bounds import Bound, PerLanguage, resolve
from tamis.columns import column, put
from tamis.langid import groups, thresholds
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.settings import LangidSettings
from tamis.pipeline.shard import Shard
from tamis.pipeline.step import digest
from tamis.pipeline.storage import FileEntry, Storage
from tamis.schema import EXTRACTED, UNDETERMINED

if TYPE_CHECKING:
    from tamis.langid.thresholds import Threshold

NOT_LANGUAGE = "zxx"
# Ways of deriving bounds from a run's own scores, which a recipe may give in place of numbers.
WAYS = ("spread", "purity")
TABLE = "report/thresholds.csv"
# What the identifier says of a document, and the column that holds it.
COLUMNS = {
    "language": "language",
    "language_score": "score",
    "language_share": "share",
    "rival_language": "rival",
    "rival_score": "rival_score",
    "second_language": "second_language",
    "second_share": "second_share",
    "cantonese_share": "cantonese_share",
}
ADDED = pa.schema([EXTRACTED.field(name) for name in COLUMNS])
_KEYS = ("language", "language_score", "rival_language", "rival_score")


def identified(found: pa.StructArray) -> dict[str, pa.Array]:
    """Return what the identifier said as columns of `EXTRACTED`."""
    return {name: found.field(said) for name, said in COLUMNS.items()}


def regroup(batch: pa.RecordBatch, settings: LangidSettings) -> pa.RecordBatch:
    """Return the batch with confusable languages under the recipe's policy; every row has one language still."""
    if settings.confusable == "separate" or column(batch, "rival_language") is None:
        return batch
    said, scores = _regrouped([batch.column(name) for name in _KEYS], settings)
    return put(put(batch, "language", said), "language_score", pa.array(scores))


def judge(batch: pa.RecordBatch, settings: LangidSettings) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Return (reason, value, threshold) by row; the reason is null where the language is accepted.

    What is no language at all (code, markup, noise: ISO 639's `zxx`) goes unless the recipe keeps it. Undetermined
    languages are kept and counted: `at_least` does not bind them, a `keep` list without them does.
    """
    languages = batch.column("language")
    scores = batch.column("language_score").cast(pa.float64()).to_numpy(zero_copy_only=False)
    bounds = resolve(settings.bound, languages, batch.num_rows)
    asked = settings.keep is not None
    other = _mask(pc.invert(pc.is_in(languages, pa.array(settings.keep or [], languages.type)))) & asked
    none = _mask(pc.starts_with(languages, NOT_LANGUAGE)) & (not asked)
    low = (scores < bounds) & ~_mask(pc.starts_with(languages, UNDETERMINED)) & ~other & ~none
    reason = np.full(batch.num_rows, None, object)
    reason[other], reason[none], reason[low] = "language", "not_language", "language_score"
    value, threshold = np.where(low, scores, np.nan), np.where(low, bounds, np.nan)
    return pa.array(reason, pa.large_string()), _floats(value), _floats(threshold)


def scores_path(unit: str) -> str:
    """Where the counts of a unit's scores lie."""
    return f"work/scores/{unit}.parquet"


class Scores:
    """The scores of one unit's documents, counted as they pass."""

    def __init__(self) -> None:
        self._parts: list[pa.Table] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch of `EXTRACTED`."""
        language, score, rival, rival_score = (batch.column(name) for name in _KEYS)
        self._parts.append(thresholds.tallied(language, score, rival, rival_score))

    def write(self, storage: Storage, unit: str) -> FileEntry:
        """Write the counts, and return the file's entry."""
        table = thresholds.merged(self._parts)
        with storage.create(scores_path(unit)) as sink:
            pq.write_table(table, sink, compression="zstd")
            sink.rows += table.num_rows
        return sink.entry(scores_path(unit))


def gathered(storage: Storage, receipts: Iterable[Receipt]) -> pa.Table:
    """Return the counts of all units, from the receipts of their extraction."""

    def parts() -> Iterable[pa.Table]:
        for receipt in receipts:
            with storage.open(scores_path(receipt.shard)) as file:
                yield pq.read_table(io.BytesIO(file.read()))

    return thresholds.merged(parts())


def derive(scores: pa.Table, settings: LangidSettings) -> list[Threshold]:
    """Return what the scores of a run say of each language, under the recipe's policy for confusable ones."""
    if settings.confusable != "separate":
        columns = [scores.column(name).combine_chunks() for name in ("language", "score", "rival", "rival_score")]
        language, score, rival, rival_score = columns
        said, regrouped = _regrouped([language, _unit(score), rival, _unit(rival_score)], settings)
        kin = [code == groups.group_of(other) for code, other in zip(said.to_pylist(), rival.to_pylist(), strict=True)]
        # What a group holds together its members do not contest.
        rival = pc.if_else(pa.array(kin, pa.bool_()), pa.scalar("", pa.large_string()), rival)
        rival_score = pc.if_else(pa.array(kin, pa.bool_()), pa.scalar(0, pa.int32()), rival_score)
        counted = pa.array(np.rint(regrouped * thresholds.SCALE).astype(np.int32))
        table = pa.table([said, rival, counted, rival_score, scores.column("documents")], thresholds.SCORES)
        scores = thresholds.merged([table])
    return [each for each in thresholds.derive(scores) if not each.language.startswith((UNDETERMINED, NOT_LANGUAGE))]


def settle(settings: LangidSettings, found: Sequence[Threshold]) -> LangidSettings:
    """Return the settings with bounds in place of the way of deriving them."""
    if not isinstance(settings.at_least, str):
        return settings
    return replace(settings, at_least=thresholds.as_bound(found, cast(Any, settings.at_least)))


def basis(settings: LangidSettings, extract: Sequence[Shard]) -> str:
    """Return a digest of what derived bounds come from: the extracted units, the way, and the policy."""
    policy = settings.confusable if isinstance(settings.confusable, str) else dict(settings.confusable)
    return digest([[shard.name, shard.fingerprint] for shard in extract], settings.at_least, policy, settings.margin)


def derived(lock: Any) -> dict[str, Any] | None:
    """Return what a lock file says of derived bounds."""
    return lock.get("derived") if isinstance(lock, dict) else None


def remembered(settings: LangidSettings, lock: Any, basis: str) -> LangidSettings | None:
    """Return settled settings from an earlier run's lock file, None where it derived its bounds from something else."""
    known = derived(lock)
    if not isinstance(settings.at_least, str) or known is None or known["basis"] != basis:
        return None
    numbers = dict(known["at_least"])
    return replace(settings, at_least=PerLanguage(numbers.pop("default"), numbers))


def report(storage: Storage, receipts: Iterable[Receipt | None], settings: LangidSettings) -> None:
    """Write `report/thresholds.csv`, unless the counts it is made from were removed: then the file stands."""
    held = [receipt for receipt in receipts if receipt and storage.exists(scores_path(receipt.shard))]
    if not held and storage.exists(TABLE):
        return
    buffer = io.BytesIO()
    pa_csv.write_csv(table(derive(gathered(storage, held), settings), settings.bound), buffer)
    storage.write(TABLE, buffer.getvalue())


def read_report(storage: Storage) -> list[dict[str, Any]]:
    """Return the rows of `report/thresholds.csv`, none where a run has left none."""
    if not storage.exists(TABLE):
        return []
    rows: list[dict[str, Any]] = pa_csv.read_csv(io.BytesIO(storage.read(TABLE))).to_pylist()
    return rows


def table(found: Sequence[Threshold], bound: Bound) -> pa.Table:
    """Return the thresholds as the report prints them, with the one in force."""
    rows = [
        {
            "language": each.language,
            "documents": each.documents,
            "median": each.median,
            "std": each.std,
            "in_force": bound.of(each.language) if isinstance(bound, PerLanguage) else bound,
            "by_spread": each.by_spread,
            "by_purity": each.by_purity,
            "contamination": each.contamination,
        }
        for each in found
    ]
    kinds = [pa.large_string(), pa.int64(), *[pa.float64()] * 6]
    names = ("language", "documents", "median", "std", "in_force", "by_spread", "by_purity", "contamination")
    return pa.Table.from_pylist(rows, pa.schema(list(zip(names, kinds, strict=True))))


def _regrouped(columns: Sequence[pa.Array], settings: LangidSettings) -> tuple[pa.Array, npt.NDArray[np.float32]]:
    language, score, rival, rival_score = columns
    return groups.regrouped(language, score, rival, rival_score, settings.confusable, margin=settings.margin)


def _unit(scores: pa.Array) -> pa.Array:
    return pc.divide(scores.cast(pa.float64()), float(thresholds.SCALE))


def _mask(values: pa.BooleanArray) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = values.to_numpy(zero_copy_only=False)
    return mask


def _floats(values: npt.NDArray[np.float64]) -> pa.Array:
    return pa.array(values, pa.float64(), from_pandas=True)
