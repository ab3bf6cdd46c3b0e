"""URL rules: blocklists of domains, addresses and substrings, given as files; nothing but the column `url` is read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis import errors
from tamis.bounds import Bound
from tamis.filters.chain import Chain
from tamis.filters.families import family
from tamis.filters.matching import Automaton
from tamis.filters.rule import keep
from tamis.filters.signal import Signal

UT1 = "blocklists given by path; layout of the UT1 lists of Université Toulouse Capitole"

# Letters and digits alone decide whether a forbidden part stands in an address, as in datatrove's URL filter.
_KEPT = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


@dataclass(frozen=True, slots=True)
class Lists:
    """Files of one kind, read once per process where they are needed; the checksums fix their content."""

    kind: str
    paths: tuple[str, ...]
    checksums: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, kind: str, paths: str | Path | Sequence[str | Path]) -> Lists:
        """Return the lists at some paths: files, or UT1 folders (`<category>/domains`, `<category>/urls`).

        Raises `ConfigError` when one is missing.
        """
        given = [paths] if isinstance(paths, (str, Path)) else list(paths)
        files = [file for path in given for file in _files(Path(path), kind)]
        sums = tuple(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)
        return cls(kind, tuple(str(file) for file in files), sums)

    def entries(self) -> list[str]:
        """Return the entries of all files, lower-cased, without blank lines and `#` comments."""
        lines = [line for path in self.paths for line in Path(path).read_text("utf-8", "replace").splitlines()]
        return sorted({line.strip().lower() for line in lines if line.strip() and not line.startswith("#")})


@dataclass(frozen=True, slots=True)
class BlockedDomain:
    """1 where the host, or a domain it lies under, is listed."""

    lists: Lists

    def __call__(self, url: pa.Array) -> npt.NDArray[np.float64]:
        """Return the signal of each address; null addresses match nothing."""
        listed = _entries(self.lists)
        return _each(url, lambda address: any(name in listed for name in _suffixes(host(address))))


@dataclass(frozen=True, slots=True)
class BlockedAddress:
    """1 where the address without scheme, `www.` and final slash is listed, or lies below a listed one."""

    lists: Lists

    def __call__(self, url: pa.Array) -> npt.NDArray[np.float64]:
        """Return the signal of each address; null addresses match nothing."""
        listed = _entries(self.lists)
        return _each(url, lambda address: any(name in listed for name in _prefixes(address)))


@dataclass(frozen=True, slots=True)
class BlockedSubstrings:
    """The number of distinct listed substrings in the address, both reduced to ASCII letters and digits."""

    lists: Lists

    def __call__(self, url: pa.Array) -> npt.NDArray[np.float64]:
        """Return the signal of each address; null addresses match nothing."""
        automaton = _automaton(self.lists)
        return _each(url, lambda address: len(automaton.found(reduced(address))))


@dataclass(frozen=True, slots=True)
class BlockedWords:
    """The number of distinct listed words among the runs of ASCII letters and digits of the address."""

    lists: Lists

    def __call__(self, url: pa.Array) -> npt.NDArray[np.float64]:
        """Return the signal of each address; null addresses match nothing."""
        listed = _entries(self.lists)
        return _each(url, lambda address: len(listed & words(address)))


@family(source=UT1)
def url_rules(
    *,
    domains: str | Path | Sequence[str | Path] = (),
    urls: str | Path | Sequence[str | Path] = (),
    substrings: str | Path | Sequence[str | Path] = (),
    words: str | Path | Sequence[str | Path] = (),
    soft_words: str | Path | Sequence[str | Path] = (),
    max_substrings: Bound = 0.0,
    max_words: Bound = 0.0,
    max_soft_words: Bound = 1.0,
) -> Chain:
    """Drop pages by their address: listed domains, addresses, substrings, words, and too many soft words.

    Each list is one path or several: files with one entry a line, or folders in UT1 layout. As in RefinedWeb
    (Penedo et al. 2023, arXiv 2306.01116, §3.1), one hard word or two soft ones are enough. Nothing is blocked unless
    a list is given.
    """
    blocked: list[tuple[str, BlockedDomain | BlockedAddress | BlockedSubstrings | BlockedWords, Bound]] = [
        ("blocked_domain", BlockedDomain(Lists.of("domains", domains)), 0.0),
        ("blocked_url", BlockedAddress(Lists.of("urls", urls)), 0.0),
        ("url_blocked_word_count", BlockedWords(Lists.of("words", words)), max_words),
        ("url_soft_word_count", BlockedWords(Lists.of("words", soft_words)), max_soft_words),
        ("url_blocked_substring_count", BlockedSubstrings(Lists.of("substrings", substrings)), max_substrings),
    ]
    return Chain(*(keep(Signal(name, ("url",), make), at_most=top) for name, make, top in blocked if make.lists.paths))


def host(address: str) -> str:
    """Return the host of an address, lower-cased, without port, user and final dot; empty where there is none."""
    try:
        return (urlsplit(address if "//" in address else "//" + address).hostname or "").rstrip(".")
    except ValueError:
        return ""


def reduced(address: str) -> str:
    """Return the lower-cased ASCII letters and digits of an address."""
    return "".join(character for character in address.lower() if character in _KEPT)


def words(address: str) -> set[str]:
    """Return the distinct lower-cased runs of ASCII letters and digits of an address."""
    spaced = "".join(character if character in _KEPT else "\n" for character in address.lower())
    return set(spaced.splitlines())


def _suffixes(name: str) -> list[str]:
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))]


def _prefixes(address: str) -> list[str]:
    """Return the address as UT1 writes it, cut at each slash: `host/a/b`, `host/a`, `host`."""
    bare = address.lower().partition("//")[2] or address.lower()
    bare = bare.removeprefix("www.").rstrip("/")
    parts = bare.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _each(urls: pa.Array, measure: Callable[[str], float]) -> npt.NDArray[np.float64]:
    return np.array([0.0 if url is None else float(measure(url)) for url in urls.to_pylist()], np.float64)


def _files(path: Path, kind: str) -> list[Path]:
    if path.is_dir():
        found = sorted(path.rglob(kind))
        if found:
            return found
        raise errors.ConfigError(f"No file named {kind!r} under {path}.", "A UT1 folder holds <category>/domains.")
    if not path.is_file():
        raise errors.ConfigError(f"The blocklist does not exist: {path}.", "Give the path of a file or a UT1 folder.")
    return [path]


@lru_cache(maxsize=16)
def _entries(lists: Lists) -> frozenset[str]:
    return frozenset(lists.entries())


@lru_cache(maxsize=16)
def _automaton(lists: Lists) -> Automaton:
    return Automaton(reduced(entry) for entry in lists.entries())
