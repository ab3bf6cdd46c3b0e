"""The lock: the resolved recipe with versions and checksums beside the output, and the check that a re-run fits it."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import tamis
from tamis.bounds import plain
from tamis.dedup.options import DedupOptions
from tamis.errors import OutputError
from tamis.pipeline import models
from tamis.pipeline.manifest import NAME
from tamis.pipeline.scoring import described as scored
from tamis.pipeline.settings import Settings
from tamis.pipeline.shelf import contents
from tamis.pipeline.step import digest
from tamis.pipeline.storage import Storage
from tamis.warc.manifest import Source

# Libraries whose version can change a result.
LIBRARIES = ("fastwarc", "numpy", "pyarrow", "resiliparse", "tokenizers", "trafilatura")


def describe(settings: Settings, sources: Sequence[Source], derived: Mapping[str, Any] | None = None) -> bytes:
    """Return the lock file of a run, as JSON: the same bytes on every machine with the same versions.

    `derived` are bounds that came from the run's own scores, and what they came from.
    """
    encoder = models.encoder(settings.tokenize.tokenizer)
    identifier = models.identifier(settings.langid.model)
    lock: dict[str, Any] = {
        "recipe": settings.name,
        "settings": _settings(settings),
        "models": {
            "langid": {"name": settings.langid.model, "fingerprint": identifier.fingerprint},
            "tokenizer": {"sha256": encoder.checksum, "vocabulary": encoder.vocab_size},
        },
        "versions": {"tamis": tamis.__version__, **{name: importlib.metadata.version(name) for name in LIBRARIES}},
        "input": {"sources": len(sources), "digest": digest([[source.name, source.size] for source in sources])},
    }
    if settings.dedup and settings.dedup.against:
        # Earlier runs count by what they hold, wherever they lie.
        lock["against"] = [{"folder": root, "digest": contents(root)} for root in settings.dedup.against]
    if derived:
        lock["derived"] = dict(derived)
    return (json.dumps(lock, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _settings(settings: Settings) -> dict[str, Any]:
    return {
        "read": asdict(settings.read),
        "url": _rules(settings.url) if settings.url else None,
        "extract": asdict(settings.extract),
        "language": {"model": settings.langid.model, **settings.language_options()},
        "filters": [{"name": chain.name, "rules": _rules(chain)} for chain in settings.filters],
        "dedup": _dedup(settings.dedup) if settings.dedup else None,
        "tokenize": {name: getattr(settings.tokenize, name) for name in ("shard_tokens", "separator", "by_bucket")},
        "output": asdict(settings.output),
        **({"scoring": scored(settings.scoring)} if settings.scoring else {}),
    }


def _dedup(options: DedupOptions) -> dict[str, Any]:
    # Where signatures are made is not what they are.
    return {name: value for name, value in asdict(options).items() if name != "device"}


def _rules(chain: Any) -> list[dict[str, Any]]:
    return [
        {"reason": rule.reason, "at_least": _bound(rule.at_least), "at_most": _bound(rule.at_most)}
        for rule in chain.rules()
    ]


def _bound(bound: Any) -> Any:
    """A missing bound is NaN, which JSON has not."""
    if bound is None:
        return None
    value = plain(bound)
    if isinstance(value, dict):
        return {code: None if number != number else number for code, number in value.items()}
    return None if value != value else value


def _is_ours(path: str) -> bool:
    """Return whether a run may have left a file before its lock: it may be killed at any moment."""
    return path in (NAME, ".probe") or ".part-" in path


def agree(lock: dict[str, Any] | None, settings: Settings, storage: Storage) -> None:
    """Raise OutputError where the folder belongs to another recipe, or to something that is no run at all.

    The same recipe with other values may go on: what depends on them is redone.
    """
    if lock is not None and lock["recipe"] != settings.name:
        raise OutputError(
            f"{storage.root} was made by the recipe {lock['recipe']!r}, not {settings.name!r}.",
            "Choose another output folder, or name the first recipe to go on with it.",
        )
    strangers = [] if lock is not None else [path for path in storage.list("")[:1000] if not _is_ours(path)]
    if strangers and not storage.exists(NAME):
        raise OutputError(
            f"{storage.root} is not empty and holds no run: {strangers[0]}.", "Choose an empty or new folder."
        )
