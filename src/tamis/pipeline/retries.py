"""Retries: what is tried next when a unit has ended its worker, until it is done or its poison record is found.

A unit is tried `ATTEMPTS` times as it is. Then it is read record by record, each noted before it is worked on: the
last one noted is suspect, and a record that ends a worker twice in a row is set aside with its reason; a worker that
was killed by chance never is. All that is left goes the usual way, so that the result is the same wherever the poison
was found.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from tamis.errors import WorkerError
from tamis.pipeline.care import MEMORY, Suspect
from tamis.pipeline.shard import Shard

ATTEMPTS = 3
# An executor that has nothing to tell for this long says at least that.
PATIENCE_S = 50.0
# A unit with more poison than this has another fault.
MOST_POISON = 100

log = logging.getLogger("tamis")


@runtime_checkable
class Divisible(Protocol):
    """Work on shards of records that can be told apart. Called on the driver, but for `exhausted`."""

    def careful(self, shard: Shard) -> Shard:
        """Return the shard to be read record by record, each noted first."""
        ...

    def suspect(self, shard: Shard) -> Suspect | None:
        """Return the record noted last, if it was in work, and forget it; an id of "" where memory ran out."""
        ...

    def without(self, shard: Shard, suspect: Suspect) -> Shard:
        """Return the shard less a record."""
        ...

    def exhausted(self, shard: Shard) -> None:
        """Note, in the worker, that it ends for want of memory."""
        ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a unit: `shard` as the caller gave it, less its poison; `now` what the worker is handed."""

    shard: Shard
    now: Shard
    number: int = 1
    careful: bool = False
    suspect: Suspect | None = None
    poison: int = 0
    survived: int = 0


def say_waiting(under_way: int, waiting: int) -> None:
    """Say that no unit was done for `PATIENCE_S` seconds, so that a long silence is known from a dead one."""
    log.warning("No unit was done for %.0f s: %d are under way, %d wait.", PATIENCE_S, under_way, waiting)


class Retries:
    """Decides for the units of one piece of work."""

    def __init__(self, work: Any) -> None:
        self._work = work if isinstance(work, Divisible) else None

    def first(self, shards: Iterable[Shard]) -> list[Attempt]:
        """Return the first attempts."""
        return [Attempt(shard, shard) for shard in shards]

    def after_death(self, attempt: Attempt, how: str) -> Attempt:
        """Return the next attempt after one that ended its worker. Raises WorkerError where there is none."""
        log.warning("Unit %s ended its worker (%s), attempt %d.", attempt.shard, how, attempt.number)
        if attempt.careful:
            return self._after_careful(attempt, how)
        seen = self._work.suspect(attempt.now) if self._work else None
        # What ran out of memory once will do so again: it is not worth the other attempts.
        if attempt.number < ATTEMPTS and not (seen and seen.reason == MEMORY):
            return replace(attempt, number=attempt.number + 1)
        if self._work is None:
            raise self._hopeless(attempt, how)
        log.warning("Unit %s is read record by record to find out which one does that.", attempt.shard)
        return replace(attempt, now=self._work.careful(attempt.shard), number=1, careful=True, suspect=None)

    def _after_careful(self, attempt: Attempt, how: str) -> Attempt:
        assert self._work
        seen = self._work.suspect(attempt.now)
        if seen is None or not seen.id or seen.id != (attempt.suspect.id if attempt.suspect else None):
            if attempt.number >= 2 * ATTEMPTS:
                raise self._hopeless(attempt, how)
            return replace(attempt, number=attempt.number + 1, suspect=seen)
        if attempt.poison >= MOST_POISON:
            raise self._hopeless(attempt, how)
        log.warning("Record %s is set aside: %s.", seen.id, seen.reason)
        rest = self._work.without(attempt.shard, seen)
        return Attempt(rest, rest, poison=attempt.poison + 1, survived=attempt.survived)

    def after_life(self, attempt: Attempt) -> Attempt | None:
        """Return the next attempt after one that was answered; None where that answer counts.

        A unit that lives when read record by record is tried as usual once more, because only that gives the usual
        files; if it dies again, it fits in no other way and the careful answer counts.
        """
        if not attempt.careful or attempt.survived:
            return None
        return Attempt(attempt.shard, attempt.shard, poison=attempt.poison, survived=1)

    def _hopeless(self, attempt: Attempt, how: str) -> WorkerError:
        return WorkerError(
            f"Unit {attempt.shard} ended its worker {attempt.number} times ({how}).",
            "Look for memory exhaustion or a crash in an extractor; what is committed stays.",
        )
