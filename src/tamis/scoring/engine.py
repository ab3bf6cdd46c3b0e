"""The engine: texts stream in, windows go to the device in batches of tokens, scores come out in the same order.

Reading and tokenizing run in threads ahead of the device, copies are pinned and asynchronous, and a pool's results are
waited for only when the next pool is under way. A batch that does not fit the device's memory is halved, down to one
window, and later batches are made no larger than what fitted.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import byte_lengths
from tamis.errors import ConfigError, TamisError
from tamis.scoring import packing, windows
from tamis.scoring.body import Batch, batch
from tamis.scoring.device import download, torch_module
from tamis.scoring.net import WINDOW, Net, Reader
from tamis.scoring.options import ScoringOptions
from tamis.scoring.scored import Scored
from tamis.scoring.texts import Ids, Vocabulary

T = TypeVar("T")
Rows = npt.NDArray[np.int64]

# A pool is what batches are chosen from: this many batches' worth of tokens.
POOL_BATCHES = 16
# Batches of texts that are tokenized ahead of the device.
AHEAD = 2
# Texts tokenized at once: enough for the tokenizer's threads, few enough to be early.
_TEXTS = 1024


@dataclass(frozen=True, slots=True, eq=False)
class _Texts:
    ids: Ids
    bytes: npt.NDArray[np.int64]


@dataclass(slots=True)
class Tally:
    """What an engine has done: tokens are those of windows, marks included; `cost` counts padding too."""

    texts: int = 0
    windows: int = 0
    tokens: int = 0
    cost: int = 0
    batches: int = 0
    retries: int = 0


class Engine:
    """Runs one net on one device. Raises ConfigError where the options ask for windows that the net cannot take."""

    def __init__(self, net: Net, options: ScoringOptions, device: str = "cpu") -> None:
        self.net = net
        self.device = device
        self.tally = Tally()
        self.higher_is_better = not net.per_byte
        self._options = options
        self._marks = len(net.vocabulary.before) + len(net.vocabulary.after)
        self._size = window(net, options) - self._marks
        self._stride = min(options.stride or self._size, self._size)
        self._limit = options.batch_tokens

    def score(self, texts: pa.LargeStringArray) -> Scored:
        """Return the scores of texts."""
        return next(self.stream([texts]))

    def stream(self, batches: Iterable[pa.LargeStringArray]) -> Iterator[Scored]:
        """Yield the scores of each batch of texts, in order."""
        sizes: list[int] = []

        def parts() -> Iterator[_Texts]:
            for texts in ahead(iter(batches), AHEAD):
                sizes.append(len(texts))
                for start in range(0, len(texts), _TEXTS):
                    part = texts.slice(start, _TEXTS)
                    yield _Texts(self.net.vocabulary.encode(part), byte_lengths(part))

        done: list[Scored] = []
        given = 0
        for scored in self._pools(ahead(parts(), AHEAD)):
            done.append(scored)
            have = sum(len(each.scores) for each in done)
            while given < len(sizes) and have >= sizes[given]:
                whole = _joined(done)
                yield _part(whole, 0, sizes[given])
                done = [_part(whole, sizes[given], have)]
                have -= sizes[given]
                given += 1
        yield from (_joined([]) for _ in sizes[given:])

    def _pools(self, texts: Iterator[_Texts]) -> Iterator[Scored]:
        """Yield scores pool by pool; the device has the next pool when one is waited for."""
        waiting: Callable[[], Scored] | None = None
        for pool in _pooled(texts, self._options.batch_tokens * POOL_BATCHES):
            started = self._start(pool)
            if waiting is not None:
                yield waiting()
            waiting = started
        if waiting is not None:
            yield waiting()

    def _start(self, pool: list[_Texts]) -> Callable[[], Scored]:
        """Send a pool's batches to the device; returns what waits for their results."""
        counts = np.concatenate([each.ids.counts for each in pool])
        values = np.concatenate([each.ids.values for each in pool])
        made = windows.cut(counts, self._size, self._stride, self._options.max_windows)
        found = self._send(Ids(values, np.concatenate([[0], np.cumsum(counts)])), made)
        sizes = np.concatenate([each.bytes for each in pool])
        self.tally.texts += len(counts)

        def finish() -> Scored:
            numbers = np.full(len(made), np.nan)
            for rows, wait in found:
                numbers[rows] = wait()
            if self.net.per_byte:
                scale = np.divide(counts, sizes, out=np.full(len(counts), np.nan), where=sizes > 0)
                numbers = numbers * scale[made.document]
            number = np.bincount(made.document, minlength=len(counts)).astype(np.int32)
            scores = windows.aggregate(numbers, made, len(counts), self._options.aggregate)
            return Scored(scores, number, windows.coverage(made, counts).astype(np.float32))

        return finish

    def _send(self, ids: Ids, made: windows.Windows) -> list[tuple[Rows, Callable[[], npt.NDArray[np.float64]]]]:
        lengths = made.length + self._marks
        self.tally.windows += len(made)
        self.tally.tokens += int(lengths.sum())

        def gather(rows: Rows) -> Batch:
            given = sequences(ids, made, self.net.vocabulary, rows)
            return batch(given, made.fresh[rows], self.device, packed=self.net.packs)

        found = []
        for plan in packing.plan(lengths, self._limit, packed=self.net.packs):
            for rows, answer in self._run(plan, lengths, gather):
                found.append((rows, download(answer)))
        return found

    def _run(self, plan: packing.Plan, lengths: Rows, gather: Callable[[Rows], Batch]) -> Iterator[tuple[Rows, Any]]:
        """Yield (windows, their numbers on the device); a batch that does not fit is halved as often as it takes."""
        if len(plan.rows) > 1 and plan.cost > self._limit:
            answer = None
        else:
            answer = self._try(plan.rows, gather)
            if answer is None:
                self.tally.retries += 1
                self._limit = max(1, plan.cost // 2)
        if answer is not None:
            self.tally.batches += 1
            self.tally.cost += plan.cost
            yield plan.rows, answer
            return
        if len(plan.rows) == 1:
            raise TamisError(
                f"A window of {plan.cost} tokens does not fit the memory of {self.device}.",
                "Lower scoring.window, give scoring.gpus a larger share, or take a smaller model.",
            )
        for half in plan.halves(lengths, self.net.packs):
            yield from self._run(half, lengths, gather)

    def _try(self, rows: Rows, gather: Callable[[Rows], Batch]) -> Any:
        """Return the net's answer, None where the device has no memory for it."""
        torch = torch_module()
        with contextlib.suppress(torch.OutOfMemoryError), torch.inference_mode():
            return self.net(gather(rows))
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()
        return None


def window(net: Reader, options: ScoringOptions) -> int:
    """Return the tokens of a window, marks included. Raises ConfigError for more than the net takes, or for none."""
    asked = options.window or min(WINDOW, net.window or WINDOW)
    if net.window and asked > net.window:
        raise ConfigError(f"scoring.window is {asked}.", f"This model takes at most {net.window} tokens.")
    marks = len(net.vocabulary.before) + len(net.vocabulary.after)
    if asked <= marks:
        raise ConfigError(f"scoring.window is {asked}.", f"The model's own marks take {marks} of them.")
    return asked


def sequences(ids: Ids, made: windows.Windows, vocabulary: Vocabulary, rows: Rows) -> list[npt.NDArray[np.int32]]:
    """Return the token ids of windows, the model's marks round each."""
    before, after = (np.array(each, np.int32) for each in (vocabulary.before, vocabulary.after))
    starts = (ids.offsets[:-1][made.document[rows]] + made.start[rows]).tolist()
    lengths = made.length[rows].tolist()
    return [
        np.concatenate([before, ids.values[start : start + length], after])
        for start, length in zip(starts, lengths, strict=True)
    ]


def _pooled(texts: Iterator[_Texts], tokens: int) -> Iterator[list[_Texts]]:
    """Yield texts in lists of at least `tokens` tokens: by the input alone, never by how fast it comes."""
    held: list[_Texts] = []
    for each in texts:
        held.append(each)
        if sum(len(one.ids.values) for one in held) >= tokens:
            yield held
            held = []
    if held:
        yield held


def _joined(parts: list[Scored]) -> Scored:
    names = (("scores", np.float64), ("windows", np.int32), ("coverage", np.float32))
    return Scored(*(np.concatenate([np.zeros(0, kind), *(getattr(p, name) for p in parts)]) for name, kind in names))


def _part(scored: Scored, start: int, end: int) -> Scored:
    return Scored(scored.scores[start:end], scored.windows[start:end], scored.coverage[start:end])


def ahead(items: Iterator[T], depth: int) -> Iterator[T]:
    """Yield items that a thread prepares, up to `depth` of them early; its errors are raised here."""
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: tuple[bool, Any]) -> None:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=0.2)
                return

    def fill() -> None:
        try:
            for item in items:
                put((True, item))
                if stop.is_set():
                    return
            put((False, None))
        except BaseException as error:
            put((False, error))

    thread = threading.Thread(target=fill, name="tamis-tokenize", daemon=True)
    thread.start()
    try:
        while True:
            more, item = ready.get()
            if more:
                yield item
            elif item is None:
                return
            else:
                raise item
    finally:
        stop.set()
        thread.join()
