"""Extraction that no page can stop: in a killable child, with a deadline and a memory bound, pages in order.

What becomes of a page depends on the page alone. A worker that died over a page, or ran out of memory, may have been
worn out by earlier pages; unless it was new, the page is tried once more in a new one, and that answer is final.
"""

from __future__ import annotations

import os
import struct
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from tamis import errors
from tamis.extract.extractor import Extracted, Extractor, Failure, RefusedError, load, steady
from tamis.extract.frames import Answer, Kind, text, unpack_extracted, utf8
from tamis.extract.nursery import GoneError, Nursery, Worker

# A page is text, or the UTF-8 of it, which spares an extractor that reads bytes two conversions.
Page = tuple[str | bytes, str | None]
Outcome = Extracted | Failure


@dataclass(frozen=True, slots=True)
class Limits:
    """What one page may cost. Seconds are CPU seconds of the child (see `Worker.receive`); sizes are bytes of UTF-8.

    A page may take `deadline_s` plus `deadline_s_per_mb` for each 10⁶ bytes. `memory_bytes` is what a worker may map
    beyond what it had at birth. A worker is replaced after `recycle_pages`, or when its resident memory has grown by
    `recycle_growth_bytes` since its first page: libraries leak. `ahead` pages are handed over before the answer to
    the current one is taken, so that child and caller work at the same time. Without `retry` the first try is final.
    """

    deadline_s: float = 5.0
    deadline_s_per_mb: float = 2.0
    memory_bytes: int = 2 << 30
    max_html_bytes: int = 20_000_000
    recycle_pages: int = 5_000
    recycle_growth_bytes: int = 256 << 20
    ahead: int = 2
    retry: bool = True


@dataclass(slots=True)
class _Pending:
    html: str | bytes
    url: str | None
    raw: bytes = b""
    size: int = 0
    outcome: Outcome | None = None
    tried: bool = False


class Sandbox:
    """Runs one extractor on pages; a bad page is a Failure, never an exception, and costs only itself.

    `extractor` and `options` are what `load` takes. An extractor that is not `isolated` runs in this process, where
    only exceptions are caught. `fallback` names a second extractor for pages where the first failed, found no text, or
    had a confidence below `unsure_below`; its texts say so in `Extracted.fallback`. Failure reasons:
    `extract:timeout`, `extract:crash`, `extract:memory`, `extract:error`, `extract:too_deep` and `extract:too_large`
    (which has no fallback).

    Works in any one thread at a time. Close it, or use it in a `with`. Raises ConfigError for an extractor that cannot
    be loaded and WorkerError when processes cannot be started.
    """

    def __init__(
        self,
        extractor: str,
        options: Mapping[str, object] | None = None,
        *,
        limits: Limits | None = None,
        fallback: str | None = None,
        fallback_options: Mapping[str, object] | None = None,
        unsure_below: float = 0.0,
    ) -> None:
        self.extractor: Extractor = load(extractor, options)
        # A shorter way that an extractor may have: the page's bytes, as they are.
        self._reads_utf8: Callable[[bytes, str | None], Extracted] | None = getattr(
            self.extractor, "extract_utf8", None
        )
        self._limits = limits or Limits()
        self._crew = Crew(extractor, options or {}, self._limits.memory_bytes)
        self._fallback = Sandbox(fallback, fallback_options, limits=limits) if fallback else None
        self._unsure_below = unsure_below
        self._busy = False

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child. The sandbox may be used again; it then starts another."""
        self._crew.close()
        if self._fallback:
            self._fallback.close()

    def extract(self, html: str | bytes, url: str | None = None) -> Outcome:
        """Return the text of one page, given as text or as UTF-8, or why there is none."""
        return next(self.extract_many([(html, url)]))

    def extract_many(self, pages: Iterable[Page]) -> Iterator[Outcome]:
        """Yield what became of each page, in order; the child works on the next ones while the caller has this one."""
        if self._busy:
            raise RuntimeError("this Sandbox is in the middle of another extract_many")
        waiting: deque[_Pending] = deque()
        self._busy = True
        try:
            for html, url in pages:
                self._admit(_Pending(html, url), waiting)
                if len(waiting) > self._limits.ahead:
                    yield self._finish(self._settle(waiting))
            while waiting:
                yield self._finish(self._settle(waiting))
        finally:
            self._busy = False
            if waiting:
                self._crew.dismiss()  # the caller has stopped; answers still under way belong to nobody

    def _admit(self, page: _Pending, waiting: deque[_Pending]) -> None:
        raw = b"" if len(page.html) > self._limits.max_html_bytes else utf8(page.html)
        page.size = len(raw) or len(page.html)
        waiting.append(page)
        if page.size > self._limits.max_html_bytes:
            page.outcome = Failure("extract:too_large", f"{page.size} bytes, limit {self._limits.max_html_bytes}")
        elif not self.extractor.isolated:
            page.outcome = self._here(page)
        else:
            page.raw = raw
            if self._crew.worker:
                self._crew.worker.send(page.raw, page.url)
            else:
                self._staff(waiting)

    def _here(self, page: _Pending) -> Outcome:
        try:
            if isinstance(page.html, bytes) and self._reads_utf8:
                found = self._reads_utf8(page.html, page.url)
            else:
                found = self.extractor.extract(text(page.html), page.url)
            name = self.extractor.name
            return found if found.extractor == name else replace(found, extractor=name)
        except RefusedError as refused:
            return refused.failure
        except Exception:
            return Failure("extract:error", steady(traceback.format_exc()))

    def _staff(self, waiting: deque[_Pending]) -> Worker:
        """Return the worker; a new one gets every page that waits."""
        if self._crew.worker:
            return self._crew.worker
        worker = self._crew.hire()
        for page in waiting:
            if page.outcome is None:
                worker.send(page.raw, page.url)
        return worker

    def _settle(self, waiting: deque[_Pending]) -> _Pending:
        page = waiting[0]
        while page.outcome is None:
            worker = self._staff(waiting)
            worn = worker.served > 0
            page.outcome = self._attempt(worker, page)
            dead = self._crew.worker is None
            if dead and worn and self._limits.retry and not page.tried and _may_be_wear(page.outcome):
                page.outcome, page.tried = None, True
        return waiting.popleft()

    def _attempt(self, worker: Worker, page: _Pending) -> Outcome:
        deadline_s = self._limits.deadline_s + self._limits.deadline_s_per_mb * page.size / 1e6
        try:
            answer = worker.receive(deadline_s)
        except GoneError as gone:
            return Failure("extract:crash", self._crew.bury(gone))
        if answer is None:
            self._crew.dismiss()
            return Failure("extract:timeout", f"more than {deadline_s:.1f} s for {page.size} bytes")
        grown = worker.rss_bytes - worker.rss_first > self._limits.recycle_growth_bytes
        if answer.kind in (Kind.MEMORY, Kind.EXIT) or grown or worker.served >= self._limits.recycle_pages:
            self._crew.dismiss()
        return _read(answer, self.extractor.name)

    def _finish(self, page: _Pending) -> Outcome:
        outcome = page.outcome
        assert outcome is not None
        reason = self._reason_to_fall_back(outcome)
        if self._fallback is None or reason is None:
            return outcome
        second = self._fallback.extract(page.html, page.url)
        return outcome if isinstance(second, Failure) else replace(second, fallback=reason)

    def _reason_to_fall_back(self, outcome: Outcome) -> str | None:
        if isinstance(outcome, Failure):
            return None if outcome.reason == "extract:too_large" else outcome.reason
        if not outcome.text:
            return "extract:empty"
        return "extract:unsure" if outcome.confidence < self._unsure_below else None


class Crew:
    """The processes of one sandbox: a nursery when first needed, and at most one worker. Survives being forked."""

    def __init__(self, extractor: str, options: Mapping[str, object], memory_bytes: int) -> None:
        self._job = (extractor, options, memory_bytes)
        self._nursery: Nursery | None = None
        self._worker: Worker | None = None
        self._owner = os.getpid()

    @property
    def worker(self) -> Worker | None:
        """The living worker, None if there is none, or if this process is a fork of the one that hired it."""
        if self._owner != os.getpid():
            self._abandon()
        return self._worker

    def _abandon(self) -> None:
        if self._worker:
            self._worker.close()
        if self._nursery:
            self._nursery.abandon()
        self._worker, self._nursery, self._owner = None, None, os.getpid()

    def hire(self) -> Worker:
        """Return a new worker. Raises WorkerError when three nurseries in a row cannot give one."""
        for _ in range(3):
            self._nursery = self._nursery or Nursery(*self._job)
            try:
                self._worker = self._nursery.birth()
                return self._worker
            except GoneError:
                self._nursery.close()
                self._nursery = None
        raise errors.WorkerError("The extractor process dies when asked for a worker.", "Is the machine out of memory?")

    def bury(self, gone: GoneError) -> str:
        """Put away a worker that died, and return how."""
        assert self._nursery and self._worker
        ending = self._nursery.bury(self._worker, kill=False)
        self._worker = None
        return steady(ending) if gone.expected else f"{gone} ({steady(ending)})"

    def dismiss(self) -> None:
        """Kill the worker, if there is one."""
        if self.worker and self._nursery:
            self._nursery.bury(self.worker, kill=True)
        self._worker = None

    def close(self) -> None:
        """End all processes."""
        self.dismiss()
        if self._nursery:
            self._nursery.close()
        self._nursery = None


def _may_be_wear(outcome: Outcome) -> bool:
    return isinstance(outcome, Failure) and outcome.reason in ("extract:crash", "extract:memory")


def _read(answer: Answer, extractor: str) -> Outcome:
    if answer.kind is Kind.TEXT:
        try:
            return unpack_extracted(answer.body, answer.confidence, extractor)
        except (ValueError, struct.error) as error:
            return Failure("extract:crash", f"damaged answer: {error}")
    told = answer.body.decode("utf-8", "replace")
    if answer.kind is Kind.REFUSED:
        reason, _, detail = told.partition("\n")
        return Failure(reason, detail)
    reasons = {Kind.ERROR: "extract:error", Kind.MEMORY: "extract:memory", Kind.EXIT: "extract:crash"}
    return Failure(reasons[answer.kind], steady(told))
