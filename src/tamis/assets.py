"""Assets: models by name in a cache on this machine, each file with its checksum; `get` alone ever asks the network.

What a run needs is looked up here and nowhere else, so a missing model is an error before any input is read, with the
command that fetches it. A checksum comes from the registry (`models.tsv`); where that has none, the first download
records what came, and every later one must be the same.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tamis import errors
from tamis.download import download

PINS = "pins.json"
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

# Bytes so far and in all; 0 in all where the server does not say.
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of a named model. `sha256` is empty and `bytes` 0 where nobody has said what they must be."""

    name: str
    kind: str
    file: str
    url: str
    sha256: str
    bytes: int
    licence: str

    @property
    def path(self) -> Path:
        """Where the file lies once it is fetched."""
        return folder(self.name) / self.file


@cache
def registry() -> dict[str, tuple[Asset, ...]]:
    """Return the files of every model that can be fetched by name, in the order of the table."""
    found: dict[str, tuple[Asset, ...]] = {}
    for row in _rows():
        size = int(row["bytes"] or 0)
        asset = Asset(row["name"], row["kind"], row["file"], row["url"], row["sha256"], size, row["licence"])
        found[asset.name] = (*found.get(asset.name, ()), asset)
    return found


def home() -> Path:
    """Return the folder of fetched models: $TAMIS_CACHE, else `tamis` in $XDG_CACHE_HOME or ~/.cache; then `models`."""
    given = os.environ.get("TAMIS_CACHE")
    root = Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tamis"
    return root / "models"


def folder(name: str) -> Path:
    """Return the folder in which a model's files lie once they are fetched."""
    return home() / name


def offline() -> bool:
    """Return whether $TAMIS_OFFLINE forbids the network."""
    return os.environ.get("TAMIS_OFFLINE", "") not in ("", "0")


def known(name: str) -> bool:
    """Return whether a name is in the registry or was fetched from an address before."""
    return bool(_SAFE.fullmatch(name)) and (_proper(name) in registry() or (folder(name) / PINS).is_file())


def names() -> list[str]:
    """Return every name that is known: the registry's in its order, then those fetched from addresses, sorted."""
    fetched = sorted(path.parent.name for path in home().glob(f"*/{PINS}"))
    return [*registry(), *(name for name in fetched if name not in registry())]


def files_of(name: str) -> tuple[Asset, ...]:
    """Return the files of a known model, with the checksums and sizes they must have as far as those are known.

    Raises:
        UnknownNameError: nothing is called that.
    """
    name = _proper(name)
    if not known(name):
        raise errors.unknown("model", name, names())
    pins = _pins(name)
    listed = registry().get(name) or tuple(
        Asset(name, "fetched", file, pin["url"], pin["sha256"], int(pin["bytes"]), "unknown")
        for file, pin in sorted(pins.items())
    )
    return tuple(_pinned(asset, pins) for asset in listed)


def locate(name: str) -> list[Path]:
    """Return the files of a fetched model, in the order of the table. Never touches the network.

    Sizes are compared, checksums are not: `verify` reads every byte.

    Raises:
        UnknownNameError: nothing is called that.
        ModelError: a file is not there, or has another size; the message names it, its checksum, and how to get it.
    """
    assets = files_of(name)
    for asset in assets:
        if not asset.path.is_file() or (asset.bytes and asset.path.stat().st_size != asset.bytes):
            raise _missing(asset)
    return [asset.path for asset in assets]


def verify(name: str) -> list[Asset]:
    """Return the files of a fetched model, every byte having been compared with its checksum.

    Raises:
        UnknownNameError: nothing is called that.
        ModelError: a file is missing or damaged.
    """
    locate(name)
    found = []
    for asset in files_of(name):
        digest = checksum(asset.path)
        if asset.sha256 and digest != asset.sha256:
            raise errors.ModelError(
                f"{asset.path} has SHA-256 {digest}, not {asset.sha256}.",
                f"It is damaged or another file. Fetch it again: tamis models get {asset.name}",
            )
        found.append(replace(asset, sha256=digest))
    return found


def get(
    name_or_url: str,
    *,
    name: str | None = None,
    sha256: str = "",
    no_network: bool = False,
    tell: Told | None = None,
) -> list[Asset]:
    """Return the files of a model, fetched into the cache where they are not there already, whole and verified.

    Args:
        name_or_url: a name of the registry, or the http(s) address of one file.
        name: what a file from an address is to be called; its own name where None.
        sha256: the checksum a file from an address must have; recorded at the first download where empty.
        no_network: fail rather than fetch; so does $TAMIS_OFFLINE.
        tell: called with bytes so far and in all.

    Raises:
        UnknownNameError: no such name.
        ConfigError: not a usable address, or the name belongs to another file.
        ModelError: offline, the server fails, or what it sends is not what the checksum names. What came before a cut
            stays beside the goal as `.part` and is gone on with.
        OutputError: the cache cannot be written.
    """
    address = re.match(r"https?://", name_or_url) is not None
    assets = (_from_address(name_or_url, name, sha256),) if address else files_of(name_or_url)
    try:
        with _locked(assets[0].name):
            return [_fetched(asset, no_network or offline(), tell) for asset in assets]
    except OSError as error:
        raise errors.OutputError(f"The cache {home()} cannot be used: {error}.", "Set TAMIS_CACHE.") from error


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetched(asset: Asset, no_network: bool, tell: Told | None) -> Asset:
    asset = _pinned(asset, _pins(asset.name))
    if asset.path.is_file():
        digest = checksum(asset.path)
        if digest == asset.sha256 or not asset.sha256:
            return _pin(asset, digest)
    if no_network:
        raise _missing(asset)
    part = asset.path.with_name(f"{asset.file}.part")
    download(asset.url, part, tell=tell)
    digest = checksum(part)
    if asset.sha256 and digest != asset.sha256:
        part.unlink()
        raise errors.ModelError(
            f"{asset.url} sent a file with SHA-256 {digest}, not {asset.sha256}.",
            "It was thrown away. Another file stands there now, or something on the way changed it.",
        )
    part.replace(asset.path)
    return _pin(asset, digest)


def _from_address(url: str, name: str | None, sha256: str) -> Asset:
    file = unquote(urlsplit(url).path.rpartition("/")[2])
    name = name or file
    if not _SAFE.fullmatch(file) or not _SAFE.fullmatch(name):
        raise errors.ConfigError(f"{url} has no plain file name at its end.", "Give --name, and a file's address.")
    if _proper(name) in registry():
        raise errors.ConfigError(f"{name!r} is the name of another model.", "Give another one with --name.")
    if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256.lower()):
        raise errors.ConfigError(f"{sha256!r} is no SHA-256.", "Give 64 hexadecimal digits.")
    pins = _pins(name)
    if any(pin["url"] != url for pin in pins.values()):
        raise errors.ConfigError(
            f"{name!r} was fetched from {next(iter(pins.values()))['url']}.", "Give another one with --name."
        )
    return Asset(name, "fetched", file, url, sha256.lower(), 0, "unknown")


def _missing(asset: Asset) -> errors.ModelError:
    sha256 = asset.sha256 or "to be recorded when first fetched"
    return errors.ModelError(
        f"The model {asset.name!r} is not on this machine: {asset.path} (SHA-256 {sha256}).",
        f"Fetch it once, with a network: tamis models get {asset.name}",
    )


def _pinned(asset: Asset, pins: dict[str, dict[str, str]]) -> Asset:
    """The asset with the checksum and size recorded at its first download, where nobody else has said them."""
    pin = pins.get(asset.file)
    if pin is None or pin["url"] != asset.url:
        return asset
    return replace(asset, sha256=asset.sha256 or pin["sha256"], bytes=asset.bytes or int(pin["bytes"]))


def _pin(asset: Asset, digest: str) -> Asset:
    found = replace(asset, sha256=digest, bytes=asset.path.stat().st_size)
    pins = _pins(asset.name)
    pins[asset.file] = {"url": asset.url, "sha256": digest, "bytes": str(found.bytes)}
    fresh = folder(asset.name) / f"{PINS}.new"
    fresh.write_text(json.dumps(pins, indent=1, sort_keys=True) + "\n", "utf-8")
    fresh.replace(folder(asset.name) / PINS)
    return found


def _pins(name: str) -> dict[str, dict[str, str]]:
    try:
        found = json.loads((folder(name) / PINS).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """Hold a model's folder alone: two downloads into one `.part` would spoil each other."""
    folder(name).mkdir(parents=True, exist_ok=True)
    with (folder(name) / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@cache
def _also() -> dict[str, str]:
    return {also: row["name"] for row in _rows() for also in row["also"].split()}


def _proper(name: str) -> str:
    return _also().get(name, name)


def _rows() -> list[dict[str, str]]:
    text = files("tamis").joinpath("models.tsv").read_text(encoding="utf-8")
    lines = (line for line in text.split("\n") if line and not line.startswith("#"))
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
