"""Every error Tamis raises on purpose: what happened, where, what was expected, and what to do.

All take positional arguments only, so that they survive pickling between processes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TamisError(Exception):
    """Root of the tree. `message` says what happened and where; `hint` says what to do about it.

    `exit_code` is what the command line returns for it.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class ConfigError(TamisError):
    """A recipe, option or name is wrong; found before any input is read."""

    exit_code = 2


class UnknownNameError(ConfigError):
    """A name that is not among the valid ones; the hint names the nearest."""


class InputError(TamisError):
    """The input cannot be used: a missing or empty manifest, a file that is not what it is called."""

    exit_code = 3


class OutputError(TamisError):
    """The output folder cannot be used: unwritable, full, or made by another recipe."""

    exit_code = 4


class ModelError(TamisError):
    """A model or tokenizer file is missing, damaged, or not the one its checksum names."""

    exit_code = 5


class MissingExtraError(TamisError):
    """An optional dependency is needed; the hint is the one line that installs it."""

    exit_code = 6


class BooksError(TamisError):
    """The ledger does not balance. Never caught: a run whose books are wrong has failed."""

    exit_code = 7


class IncompleteError(TamisError):
    """The run finished what it could, but some input could not be read; what was committed stays."""

    exit_code = 8


class WorkerError(TamisError):
    """A unit of work failed on every attempt that it was given."""

    exit_code = 9


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return "Did you mean 'x'?" for the valid name closest to `name`, or the valid names when none is close."""
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    shown = ", ".join(names[:20])
    return f"Valid names: {shown}{', …' if len(names) > 20 else ''}"


def unknown(kind: str, name: str, valid: Iterable[str]) -> UnknownNameError:
    """Return the error for `name`, which is no known `kind`, with its nearest valid name as the hint."""
    return UnknownNameError(f"Unknown {kind} {name!r}.", nearest(name, valid))
