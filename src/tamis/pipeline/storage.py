"""Files: inputs and outputs on a local disk or an object store, written whole or not at all."""

from __future__ import annotations

import errno
import fnmatch
import io
import json
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast
from urllib.parse import urlsplit

import pyarrow as pa
import xxhash
from pyarrow import fs

from tamis.errors import OutputError

if TYPE_CHECKING:
    from tamis.warc.fetch import Politeness
    from tamis.warc.gate import Gate, LocalGate

T = TypeVar("T")
# How long a committed file may stay unseen before it counts as gone.
LAG_S = 5.0
# What a file is called until it is whole.
PART = re.compile(r"\.part-[0-9a-f]{12}$")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A committed file: its path below the output folder, size in bytes, rows, and xxh3-64 in hexadecimal."""

    path: str
    bytes: int
    rows: int
    checksum: str

    def to_json(self) -> dict[str, str | int]:
        """Return the entry as JSON holds it."""
        return asdict(self)


class Sink(io.RawIOBase):
    """A writable file that counts and hashes what passes through it, so that a receipt costs no second read."""

    def __init__(self, target: BinaryIO, name: str) -> None:
        self._target = target
        self._name = name
        self._hash = xxhash.xxh3_64()
        self.size = 0
        self.rows = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Write bytes or a buffer; returns its length. Raises OutputError where the disk does not take it."""
        view = memoryview(data)
        try:
            self._target.write(view)
        except OSError as error:
            raise _unwritable(self._name, error) from error
        self._hash.update(view)
        self.size += view.nbytes
        return view.nbytes

    def entry(self, path: str) -> FileEntry:
        """Return the receipt's line for what was written."""
        return FileEntry(path, self.size, self.rows, self._hash.hexdigest())


class Storage:
    """An output folder: relative paths in, whole files out.

    A file is written beside its place under an attempt's own name and renamed when complete; on an object store,
    which has no rename, it appears when its upload completes. Raises OutputError where the folder cannot be used.
    """

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/") or "/"
        self.remote = "://" in root
        self._files: fs.FileSystem | None = None
        self._base = ""

    def __reduce__(self) -> tuple[type[Storage], tuple[str]]:
        return Storage, (self.root,)

    @property
    def files(self) -> fs.FileSystem:
        """The Arrow filesystem behind the folder."""
        if self._files is None:
            self._files, self._base = filesystem(self.root)
        return self._files

    def where(self, path: str = "") -> str:
        """Return the filesystem's own name of a path below the folder."""
        _ = self.files
        return f"{self._base}/{path}" if path else self._base

    @contextmanager
    def create(self, path: str) -> Iterator[Sink]:
        """Open `path` for writing; it appears only if the block ends without an exception."""
        target = self.where(path)
        if self.remote:
            # Closing an object's stream publishes it, complete or not: so it is opened when all is there.
            with tempfile.TemporaryFile() as spool:
                yield Sink(cast(BinaryIO, spool), target)
                self._upload(cast(BinaryIO, spool), target)
            return
        part = Path(f"{target}.part-{uuid.uuid4().hex[:12]}")
        try:
            raw = _new(part)
        except OSError as error:
            raise _unwritable(target, error) from error
        try:
            with raw:
                yield Sink(raw, target)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def _upload(self, spool: BinaryIO, target: str) -> None:
        spool.seek(0)
        try:
            # Arrow would by itself compress what is called .gz a second time.
            with self.files.open_output_stream(target, compression=None) as stream:
                shutil.copyfileobj(spool, stream, 1 << 22)
        except OSError as error:
            raise _unwritable(target, error) from error

    def write(self, path: str, data: bytes) -> FileEntry:
        """Write a whole small file."""
        with self.create(path) as sink:
            sink.write(data)
        return sink.entry(path)

    def append(self, path: str, data: bytes, *, durable: bool = True) -> None:
        """Append to a file of a local disk; unless `durable`, what was appended is lost if the machine fails before
        the next that is. Object stores have no append (see `journal`)."""
        target = Path(self.where(path))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("ab") as file:
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
        except OSError as error:
            raise _unwritable(str(target), error) from error

    def open(self, path: str) -> pa.NativeFile:
        """Open a file for random reading; a local file is memory-mapped."""
        target = self.where(path)
        return self.files.open_input_file(target) if self.remote else patiently(lambda: pa.memory_map(target))

    def read(self, path: str) -> bytes:
        """Return a whole small file."""
        target = self.where(path)
        if not self.remote:
            return patiently(lambda: Path(target).read_bytes())
        with self.files.open_input_stream(target, compression=None) as stream:
            return cast(bytes, stream.read())

    def read_json(self, path: str) -> Any:
        """Return a parsed JSON file, or None where there is none."""
        return json.loads(self.read(path)) if self.exists(path) else None

    def size(self, path: str) -> int | None:
        """Return a file's size in bytes, or None where there is none."""
        info = self.files.get_file_info(self.where(path))
        return cast(int, info.size) if info.type == fs.FileType.File else None

    def exists(self, path: str) -> bool:
        """Return whether the file stands."""
        return self.size(path) is not None

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the sizes in bytes of all files below a folder, by path relative to the root, in path order."""
        selector = fs.FileSelector(self.where(folder), recursive=True, allow_not_found=True)
        skip = len(self.where()) + 1
        found = (info for info in self.files.get_file_info(selector) if info.is_file)
        return dict(sorted((info.path[skip:], info.size) for info in found))

    def list(self, folder: str) -> list[str]:
        """Return the paths of all files below a folder, sorted, relative to the root."""
        return list(self.sizes(folder))

    def cache(self) -> str:
        """Return a folder of this machine's disk for what is fetched: below the output, or beside temporary files
        where the output is on an object store."""
        if not self.remote:
            return self.where("work/fetched")
        return str(Path(tempfile.gettempdir()) / f"tamis-fetched-{os.getuid()}")

    def delete(self, path: str) -> None:
        """Remove one file."""
        self.files.delete_file(self.where(path))

    def delete_tree(self, folder: str) -> None:
        """Remove a folder and what is in it, if it stands."""
        if self.remote:
            for path in self.list(folder):
                self.delete(path)
        else:
            shutil.rmtree(self.where(folder), ignore_errors=True)

    def refuse_file(self) -> None:
        """Raise OutputError where a file stands at the folder's place."""
        if not self.remote and Path(self.root).exists() and not Path(self.root).is_dir():
            raise OutputError(f"{self.root} is a file.", "The output is a folder: choose another place.")

    def probe(self) -> None:
        """Raise OutputError unless a file can be written in the folder, which is made if it is missing."""
        self.write(".probe", b"")
        self.delete(".probe")


def _new(path: Path) -> BinaryIO:
    """Open a file that is to be made, and the folders around it where they are missing, as they seldom are."""
    try:
        return path.open("wb")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("wb")


def patiently(look: Callable[[], T]) -> T:
    """Return what `look` finds, asked again for `LAG_S` seconds where a file that must be there is not, or is stale.

    A network file system may show a file late to another machine, and may lose its handle for a moment. Raises the
    OSError that stands at the end.
    """
    wait, until = 0.02, time.monotonic() + LAG_S
    while True:
        try:
            return look()
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ESTALE) or time.monotonic() > until:
                raise
        time.sleep(wait)
        wait = min(2 * wait, 0.5)


def filesystem(uri: str) -> tuple[fs.FileSystem, str]:
    """Return the Arrow filesystem of a URI and the path in it. Raises OutputError for a scheme it does not know.

    Object stores are found as their own tools find them: credentials, `AWS_REGION` and `AWS_ENDPOINT_URL` from the
    environment. The path is taken as it is written: a `%` in an object's name is a `%`.
    """
    if "://" not in uri:
        return fs.LocalFileSystem(), str(Path(uri).absolute())
    scheme, _, path = uri.partition("://")
    return _store(f"{scheme}://{path.partition('/')[0]}"), path.rstrip("/")


@lru_cache(maxsize=16)
def _store(bucket: str) -> fs.FileSystem:
    """Return the filesystem of a bucket; one per process, because finding its region asks the network."""
    try:
        return fs.FileSystem.from_uri(bucket)[0]
    except (pa.ArrowInvalid, NotImplementedError) as error:
        raise OutputError(
            f"{bucket} cannot be opened: {error}", "Local paths, s3:// and gs:// are supported."
        ) from error
    except OSError as error:
        raise OutputError(
            f"{bucket} cannot be opened: {error}", "Check the bucket's name, AWS_ENDPOINT_URL and the credentials."
        ) from error


def _unwritable(target: str, error: OSError) -> OutputError:
    return OutputError(
        f"{target} cannot be written: {error.strerror or error}.",
        "Free space or choose another output folder, then run the same command again: what is committed stays.",
    )


class InputFiles:
    """Input bytes by URI: local paths, s3:// and gs:// through Arrow, https:// through a download cache.

    Satisfies `tamis.warc.manifest.Files`. `gatekeeper` is the address of the gate that all workers share; where it is
    None this process has one of its own, with `rate` requests a second to each host (None or 0: no limit).
    """

    def __init__(self, cache: str, rate: float | None = None, politeness: Politeness | None = None) -> None:
        self.cache = cache
        self.politeness = politeness
        self.rate = rate
        self.gatekeeper: str | None = None

    @property
    def gate(self) -> Gate:
        """What stands before every request."""
        from tamis.warc.gate import RemoteGate

        return RemoteGate(self.gatekeeper) if self.gatekeeper else _own_gate(self.rate)

    def open(self, uri: str) -> BinaryIO:
        """Open a seekable, buffered reader. Raises OSError where the file cannot be read."""
        if _is_http(uri):
            return self._fetched(uri).open("rb")
        if "://" not in uri:
            return Path(uri).open("rb")
        files, path = filesystem(uri)
        return cast(BinaryIO, io.BufferedReader(files.open_input_file(path), 1 << 20))

    def _fetched(self, uri: str) -> Path:
        from tamis.warc.fetch import fetch

        name = f"{xxhash.xxh3_64_hexdigest(uri)}-{PurePosixPath(urlsplit(uri).path).name}"
        path = Path(self.cache) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Units of one file start at the same time in several workers; one of them fetches. No lock file: the cache may
        # lie on NFS, where locks hang.
        with self.gate.alone(str(path)):
            if not path.exists():
                fetch(uri, path, gate=self.gate, politeness=self.politeness)
        return path

    def read_range(self, uri: str, start: int, end: int) -> bytes:
        """Return the bytes [start, end) of a file, fewer where it ends before.

        Raises FileNotFoundError where there is no such file, OSError where it cannot be read, and InputError where a
        server refuses.
        """
        if _is_http(uri):
            from tamis.warc.fetch import fetch_range

            return fetch_range(uri, start, end, gate=self.gate, politeness=self.politeness)
        with self.open(uri) as stream:
            stream.seek(start)
            return stream.read(end - start)

    def size(self, uri: str) -> int | None:
        """Return the size in bytes, or None where there is no such file; over https by asking, not by fetching."""
        if _is_http(uri):
            from tamis.warc.fetch import remote_size

            return remote_size(uri, gate=self.gate, politeness=self.politeness)
        files, path = filesystem(uri)
        info = files.get_file_info(path)
        return cast(int, info.size) if info.is_file else None

    def list(self, uri: str) -> list[str]:
        """Return the files below a folder, or those that match a glob, sorted."""
        from tamis.warc.manifest import LocalFiles

        if "://" not in uri:
            return LocalFiles().list(uri)
        wild = [uri.find(sign) for sign in "*?[" if sign in uri]
        files, path = filesystem(uri[: min(wild)].rpartition("/")[0] if wild else uri)
        found = files.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
        scheme = uri.partition("://")[0]
        paths = sorted(f"{scheme}://{info.path}" for info in found if info.is_file)
        return [each for each in paths if fnmatch.fnmatchcase(each, uri)] if wild else paths

    def identity(self, uri: str, size: int) -> str:
        """Return what tells one content of a file from another: its size, and for local files a hash of both ends."""
        if "://" in uri:
            return str(size)
        ends = xxhash.xxh3_64()
        with Path(uri).open("rb") as file:
            ends.update(file.read(1 << 16))
            file.seek(max(0, size - (1 << 16)))
            ends.update(file.read())
        return f"{size}-{ends.hexdigest()}"


@lru_cache(maxsize=8)
def _own_gate(rate: float | None) -> LocalGate:
    from tamis.warc.gate import LocalGate

    return LocalGate(rate)


def _is_http(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))
