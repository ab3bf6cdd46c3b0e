"""Manifests: from what a user names to the list of sources a run reads, in manifest order."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, cast

import pyarrow as pa
import pyarrow.parquet as pq

from tamis.errors import InputError, unknown
from tamis.warc.pointer import is_index
from tamis.warc.sniff import NO_WARC, kind_of

COMMON_CRAWL = "https://data.commoncrawl.org/"
# Where Common Crawl's files lie, by the word that a recipe says.
ROUTES = {"https": COMMON_CRAWL, "s3": "s3://commoncrawl/"}

# "ranges" is a table of records to read one by one (see `index`).
Kind = Literal["warc", "parquet", "jsonl", "text", "ranges"]

_WILD = re.compile(r"[*?\[]")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.I)
_PACKED = (".gz", ".zst", ".lz4", ".bz2")
# A manifest of all of Common Crawl's WARCs since 2008 is 1 GB; one crawl's is 15 MB.
_MAX_MANIFEST = 1 << 30
_ASKED_AT_ONCE = 8


class Files(Protocol):
    """Where input lies. All three take paths or URIs."""

    def open(self, uri: str) -> BinaryIO:
        """Open a seekable, buffered reader. Raises OSError where the file cannot be read."""

    def size(self, uri: str) -> int | None:
        """Return the size in bytes, or None where there is no such file."""

    def list(self, uri: str) -> list[str]:
        """Return the files below a folder, or those that match a glob, sorted."""


class LocalFiles:
    """Plain paths on this machine."""

    def open(self, uri: str) -> BinaryIO:
        """Open a file for reading. Raises OSError."""
        return Path(uri).open("rb")

    def size(self, uri: str) -> int | None:
        """Return the size in bytes, or None where there is no such file."""
        try:
            return Path(uri).stat().st_size if Path(uri).is_file() else None
        except (OSError, ValueError):
            return None

    def list(self, uri: str) -> list[str]:
        """Return the files below a folder, or those that match a glob (`**` spans folders), sorted."""
        path = Path(uri)
        wild = _WILD.search(uri)
        found = Path(path.anchor).glob(str(path.relative_to(path.anchor))) if wild else path.rglob("*")
        return sorted(str(path) for path in found if path.is_file())


@dataclass(frozen=True, slots=True)
class Source:
    """One input file.

    name: exactly as the manifest writes it; document ids begin with it.
    uri: where it really is.
    size: in bytes, None where unknown.
    problem: "" or why it cannot be read.
    """

    name: str
    uri: str
    kind: Kind
    size: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes [start, end) of a source; end None means to its end. Records belong to the span they start in."""

    source: Source
    start: int
    end: int | None


def route(word: str) -> str | None:
    """Return the address below which `crawl-data/…` lies: of `https`, `s3`, or itself; None for "", as written.

    Raises ConfigError for another word.
    """
    if not word or word in ROUTES:
        return ROUTES.get(word)
    if not _SCHEME.match(word):
        raise unknown("route to crawl-data", word, ROUTES)
    return word.rstrip("/") + "/"


def located(name: str, prefix: str | None) -> str | None:
    """Return where a path or address of Common Crawl's is to be read: below `prefix`, or as it is written where that is
    None. None for what is not Common Crawl's."""
    own = next((base for base in ROUTES.values() if name.startswith(base)), None)
    if own is None and not name.startswith("crawl-data/"):
        return None
    return (prefix or own or COMMON_CRAWL) + name.removeprefix(own or "")


def resolve(manifest: str, files: Files, *, prefix: str | None = None) -> list[Source]:
    """Return the sources that a manifest, single file, folder or glob stands for, in order, each named once.

    A manifest is a text file (.gz too) of one path a line; blank lines and lines starting with # are skipped.
    `crawl-data/…` lines are looked for beside the manifest, then in the working folder, then below `prefix` (None:
    https). With a `prefix`, https:// and s3:// addresses of Common Crawl's are read below it too.
    A source that is missing or empty is returned with its `problem`. Raises InputError where the manifest itself is
    missing or empty, or is neither WARC, text nor a list of paths.
    """
    if _WILD.search(manifest) and files.size(manifest) is None:
        return _several(manifest, files, f"No file matches {manifest!r}.")
    size = files.size(manifest)
    if size is None:
        if not _SCHEME.match(manifest) and not Path(manifest).exists():
            raise InputError(f"{manifest!r} does not exist.", "Name a manifest, a WARC file, a folder or a glob.")
        return _several(manifest, files, f"{manifest!r} does not exist, or holds no WARC, Parquet or JSONL file.")
    if size == 0:
        raise InputError(f"{manifest!r} is empty (0 bytes).", "Download it again: an interrupted transfer leaves this.")
    kind = _single(manifest, files)
    if kind:
        return [_checked(manifest, manifest, kind, files)]
    return _from_lines(manifest, files, prefix)


def split(source: Source, *, unit_bytes: int) -> list[Span]:
    """Return a source's spans of about `unit_bytes` (compressed) bytes each, cut without looking into the file.

    JSONL that is compressed, text, Parquet, and WARCs in lz4 or bzip2 are one span.
    """
    size = source.size or 0
    suffix = Path(source.uri).suffix.lower()
    whole = source.kind in ("parquet", "text", "ranges") or suffix in (".lz4", ".bz2")
    if whole or (source.kind == "jsonl" and suffix in _PACKED) or size <= unit_bytes:
        return [Span(source, 0, None)]
    count = max(1, round(size / unit_bytes))
    cuts = [size * index // count for index in range(count)]
    ends: list[int | None] = [*cuts[1:], None]
    return [Span(source, start, end) for start, end in zip(cuts, ends, strict=True)]


def kind_by_name(name: str) -> Kind | None:
    """Return the kind a file's name says it is, or None where the name says nothing."""
    stem = Path(name).name.lower()
    while Path(stem).suffix in _PACKED:
        stem = Path(stem).stem
    if stem.endswith((".warc", ".wet", ".arc", ".wat", ".warc.open")):
        return "warc"
    if stem.endswith((".parquet", ".pq")):
        return "parquet"
    if stem.endswith((".jsonl", ".ndjson", ".json")):
        return "jsonl"
    return "text" if stem.endswith((".txt", ".text", ".md")) else None


def _several(uri: str, files: Files, nothing: str) -> list[Source]:
    """Return the sources below a folder or matching a glob; of a folder, only files whose names say a known kind."""
    wild = bool(_WILD.search(uri))
    found: list[Source] = []
    for path in files.list(uri):
        kind = kind_by_name(path) or (_content_kind(path, files) if wild else None)
        if kind and not Path(path).name.startswith((".", "_")):
            found.append(_checked(path, path, kind, files))
    if not found:
        raise InputError(nothing, "Name a manifest, a WARC file, a folder or a glob.")
    return found


def _content_kind(uri: str, files: Files) -> Kind:
    try:
        with files.open(uri) as stream:
            return _KINDS.get(kind_of(stream), "warc")
    except OSError:
        return "warc"


_KINDS: dict[str, Kind] = {"parquet": "parquet", "jsonl": "jsonl", "text": "text"}


def _single(uri: str, files: Files) -> Kind | None:
    """Return the kind of a file that is itself the input, or None where it must be a list of paths.

    Content decides before names do: a `.paths` file may hold a WARC, and a `.warc.gz` an error page.
    """
    try:
        with files.open(uri) as stream:
            found = kind_of(stream)
    except OSError as error:
        raise InputError(f"{uri!r} cannot be read: {error.strerror or error}.", "Check its permissions.") from error
    named = kind_by_name(uri)
    if found in ("warc", "arc") or (found in ("gzip", "unknown") and named == "warc"):
        return "warc"
    if found == "parquet" or named == "parquet":
        return _table_kind(uri, files)
    if named == "jsonl" or (found == "jsonl" and named != "warc"):
        return "jsonl"
    if named == "warc" or found in NO_WARC:
        raise InputError(
            f"{uri!r} is not a WARC, nor a list of paths: it looks like {found}.",
            "An error page saved under a WARC's name looks like this; download it again.",
        )
    return None


def _table_kind(uri: str, files: Files) -> Kind:
    """Return whether a Parquet file holds texts, or points at records of a crawl."""
    try:
        with files.open(uri) as stream:
            return "ranges" if is_index(pq.read_schema(stream)) else "parquet"
    except (pa.ArrowInvalid, OSError):
        return "parquet"  # reading it will list the damage


def _from_lines(manifest: str, files: Files, prefix: str | None) -> list[Source]:
    lines = _lines(manifest, files)
    names = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if not names:
        raise InputError(f"The manifest {manifest!r} names no file.", "It needs one path or URL a line.")
    if not any(_looks_like_path(name) for name in names[:100]):
        if kind_by_name(manifest) == "text":
            return [_checked(manifest, manifest, "text", files)]
        raise InputError(
            f"{manifest!r} is not a WARC, nor a list of paths.",
            f"Its first line is {names[0][:60]!r}; expected something like crawl-data/…/CC-MAIN-….warc.gz.",
        )
    # Each line costs a question to a disk or a server; a crawl has 90,000 of them.
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as threads:
        return list(threads.map(lambda name: _line_source(name, manifest, files, prefix), names))


def _looks_like_path(line: str) -> bool:
    return len(line) < 4096 and ("/" in line or kind_by_name(line) is not None) and not _is_prose(line)


def _is_prose(line: str) -> bool:
    return kind_by_name(line) is None and (line.count(" ") > 2 or line.startswith(("<", "{")))


def _lines(manifest: str, files: Files) -> Iterable[str]:
    with files.open(manifest) as stream:
        packed = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        source = cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if packed else stream
        try:
            data = source.read(_MAX_MANIFEST)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(
                f"The manifest {manifest!r} is damaged: {error}.", "Download it again; the names it lost would be lost."
            ) from error
    return [line.strip() for line in io.StringIO(data.decode("utf-8-sig", "replace"))]


def _line_source(name: str, manifest: str, files: Files, prefix: str | None) -> Source:
    kind = kind_by_name(name) or "warc"
    theirs = located(name, prefix)
    if _SCHEME.match(name):
        return _checked(name, theirs or name, kind, files)
    for uri in _places(name, manifest):
        if files.size(uri) is not None:
            return _checked(name, uri, kind, files)
    if theirs:
        return _checked(name, theirs, kind, files)
    return Source(name, name, kind, None, "not found")


def _places(name: str, manifest: str) -> list[str]:
    """Return where a relative line may lie: beside the manifest, then in the working folder."""
    if Path(name).is_absolute():
        return [name]
    if name.startswith("crawl-data/") and manifest.startswith(("http://", "https://")):
        return []
    folder = manifest.rpartition("/")[0]
    return [f"{folder}/{name}", name] if folder else [name]


def _checked(name: str, uri: str, kind: Kind, files: Files) -> Source:
    try:
        size = files.size(uri)
    except OSError as error:
        return Source(name, uri, kind, None, f"cannot be read: {error}")
    if size is None:
        return Source(name, uri, kind, None, "not found")
    return Source(name, uri, kind, size, "" if size else "empty file")
