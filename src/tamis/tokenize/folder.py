"""A folder of shards as Hugging Face `datasets` knows it: `dataset_info.json` and `state.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import pyarrow as pa

from tamis.tokenize.dataset import ShardSummary, shard_schema
from tamis.tokenize.encode import Encoder
from tamis.tokenize.separate import Separator, separator


def dataset_files(
    language: str, shards: Sequence[tuple[str, ShardSummary]], encoder: Encoder, policy: Separator | str = "eos"
) -> dict[str, bytes]:
    """Return `dataset_info.json` and `state.json` by name, for the folder that holds these shards (file, summary).

    With them `datasets.load_from_disk(folder)` opens the folder; `state.json` also says what each shard holds.
    """
    policy = separator(encoder, policy)
    documents = sum(summary.documents for _, summary in shards)
    size = sum(summary.bytes for _, summary in shards)
    info = {
        "builder_name": "tamis",
        "dataset_name": language,
        "description": f"{language}, tokenized; {documents} documents.",
        "features": features(encoder, policy),
        "splits": {"train": {"name": "train", "num_bytes": size, "num_examples": documents, "dataset_name": language}},
        "dataset_size": size,
    }
    state: dict[str, object] = {
        "_data_files": [{"filename": name} | _counts(summary) for name, summary in shards],
        "_fingerprint": _fingerprint(shards, encoder, policy),
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": "train",
    }
    return {"dataset_info.json": _json(info), "state.json": _json(state)}


def features(encoder: Encoder, policy: Separator) -> dict[str, object]:
    """Return the shards' schema in the words of `datasets.Features`."""
    return features_of(shard_schema(encoder, policy))


def features_of(schema: pa.Schema) -> dict[str, object]:
    """Return a schema of plain values and large lists of them in the words of `datasets.Features`."""
    result: dict[str, object] = {}
    for field in schema:
        nested = pa.types.is_large_list(field.type)
        value = {"dtype": str(field.type.value_type if nested else field.type), "_type": "Value"}
        result[field.name] = {"feature": value, "_type": "LargeList"} if nested else value
    return result


def _counts(summary: ShardSummary) -> dict[str, int]:
    return {"documents": summary.documents, "tokens": summary.tokens, "separators": summary.separators}


def _fingerprint(shards: Sequence[tuple[str, ShardSummary]], encoder: Encoder, policy: Separator) -> str:
    facts = [encoder.fingerprint, policy.before, policy.after]
    parts = [[name, summary.bytes, *_counts(summary).values()] for name, summary in shards]
    return hashlib.sha256(json.dumps([facts, parts]).encode()).hexdigest()[:16]


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
