"""The parent's handles on a sandbox's processes: the nursery that forks workers, and the worker that has pages."""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tamis import errors
from tamis.extract.frames import SLOT_BYTES, SLOTS, Answer, pack_page, read_answer

# Pipes this large take several pages (92 kB on average) without waiting for the reader.
_PIPE_BYTES = 1 << 20
_MESSAGE_BYTES = 1 << 16
# Loading a library on a busy machine may take long, but not this long.
_START_S = 120.0
_REPLY_S = 30.0
# No page has this much text; a length beyond it is a corrupted frame.
_ANSWER_BYTES = 1 << 28
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class GoneError(Exception):
    """A process of the sandbox has died, or says what it cannot mean; `expected` for a plain death."""

    def __init__(self, message: str, expected: bool = False) -> None:
        super().__init__(message, expected)
        self.expected = expected

    def __str__(self) -> str:
        return str(self.args[0])


class Nursery:
    """A fresh interpreter that has loaded one extractor and forks workers from itself. Starts in the constructor.

    Raises ConfigError when the extractor cannot be loaded there.
    """

    def __init__(self, extractor: str, options: Mapping[str, object], memory_bytes: int) -> None:
        self._job = {"extractor": extractor, "options": dict(options), "memory_bytes": memory_bytes}
        if self._start(late=False) > 1:
            # A library that starts threads when loaded cannot be forked from: its workers load it themselves.
            self.close()
            self._start(late=True)

    def _start(self, *, late: bool) -> int:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tamis.extract.child", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=_environment(),
                start_new_session=True,
            )
        self._control.settimeout(_START_S)
        try:
            reply = self._ask(json.dumps(self._job | {"late": late}).encode())
        except GoneError as gone:
            self.close()
            raise errors.WorkerError(f"The extractor process did not start: {gone}.") from gone
        self._control.settimeout(_REPLY_S)
        if "error" in reply:
            self.close()
            raise errors.ConfigError(f"Extractor {self._job['extractor']!r} cannot be loaded:\n{reply['error']}")
        return int(reply["threads"])

    def _ask(self, message: bytes, handles: tuple[int, ...] = ()) -> dict[str, Any]:
        try:
            socket.send_fds(self._control, [message], handles)
            reply = self._control.recv(_MESSAGE_BYTES)
        except OSError as error:
            raise GoneError(f"{type(error).__name__}: {error}") from error
        if not reply:
            raise GoneError("it closed its socket")
        return dict(json.loads(reply))

    def birth(self) -> Worker:
        """Return a new worker; raises GoneError when the nursery itself has died."""
        page_out, page_in = _pipe()
        answer_out, answer_in = _pipe()
        trace = os.memfd_create("tamis-crash-report")
        shared = os.memfd_create("tamis-pages")
        os.ftruncate(shared, SLOTS * SLOT_BYTES)
        slots = mmap.mmap(shared, SLOTS * SLOT_BYTES)
        try:
            pid = self._ask(b"birth", (page_out, answer_in, trace, shared))["pid"]
        except GoneError:
            for handle in (page_in, answer_out, trace):
                os.close(handle)
            raise
        finally:
            for handle in (page_out, answer_in, shared):
                os.close(handle)
        os.set_blocking(page_in, False)
        return Worker(pid, page_in, answer_out, trace, slots)

    def bury(self, worker: Worker, *, kill: bool) -> str:
        """Close a worker, killing it first if asked to, and return how it ended: a signal name or `exit code N`."""
        if kill:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
        report = worker.close()
        try:
            status = int(self._ask(b"death")["status"])
        except GoneError as gone:
            return f"lost: {gone}"
        code = os.waitstatus_to_exitcode(status)
        ending = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        return f"{ending}\n{report}" if report else ending

    def abandon(self) -> None:
        """Let go of the process in a fork of the one that started it; it goes on for that one."""
        self._control.close()
        self._process.returncode = 0  # no child of this process: nothing to wait for

    def close(self) -> None:
        """End the process. It ends by itself when its socket closes; killed if it does not at once."""
        self._control.close()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Worker:
    """One forked worker: pages go in by `send`, answers come out by `receive`, in the same order."""

    def __init__(self, pid: int, inbox: int, outbox: int, trace: int, slots: mmap.mmap) -> None:
        self.pid = pid
        self.served = 0
        self.rss_first = 0
        self.rss_bytes = 0
        self._cpu_before = 0.0
        self._inbox, self._outbox, self._trace, self._slots = inbox, outbox, trace, slots
        self._sent = 0
        self._unsent: list[memoryview] = []
        self._received = bytearray()
        self._poll = select.poll()
        self._poll.register(outbox, select.POLLIN)

    def send(self, page: bytes, url: str | None) -> None:
        """Queue a page (`frames.utf8`) and hand over what the pipe takes now; never waits."""
        slot = -1
        # Answers come in order, so the slot of the page SLOTS before this one is free once that page is answered.
        if len(page) <= SLOT_BYTES and self._sent - self.served < SLOTS:
            slot = self._sent % SLOTS
            self._slots[slot * SLOT_BYTES : slot * SLOT_BYTES + len(page)] = page
        self._sent += 1
        self._unsent.append(memoryview(pack_page(page, url, slot)))
        self._flush()

    def _flush(self) -> None:
        try:
            while self._unsent:
                written = os.write(self._inbox, self._unsent[0])
                self._unsent[0] = self._unsent[0][written:]
                if not self._unsent[0]:
                    self._unsent.pop(0)
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._unsent.clear()  # it is dead; `receive` will say so

    def receive(self, deadline_s: float) -> Answer | None:
        """Return the next answer, or None when the page has had its time; raises GoneError when the worker has died.

        Time is the worker's own CPU time, so that a busy machine does not fail good pages; a worker that neither
        runs nor waits to run has wall time instead, and none gets more than ten times the deadline.
        """
        started = time.monotonic()
        allowed = deadline_s
        while True:
            answer = self._take()
            if answer is not None:
                return answer
            left = started + allowed - time.monotonic()
            if left <= 0:
                cpu_s, runnable = self._usage()
                if self._exchange(0.0):
                    continue
                spent = cpu_s - self._cpu_before
                if not runnable or spent >= deadline_s or allowed >= 10 * deadline_s:
                    return None
                allowed = min(allowed + max(deadline_s - spent, 0.05), 10 * deadline_s)
                continue
            self._exchange(left)

    def _take(self) -> Answer | None:
        try:
            answer = read_answer(self._received)
        except ValueError as error:
            raise GoneError(f"its answer is damaged: {error}") from error
        if answer is None and len(self._received) > _ANSWER_BYTES:
            raise GoneError("its answer has no end")
        if answer is not None:
            self.served += 1
            self._cpu_before, self.rss_bytes = answer.cpu_s, answer.rss_bytes
            self.rss_first = self.rss_first or answer.rss_bytes
        return answer

    def _exchange(self, timeout_s: float) -> bool:
        """Move bytes in both directions once, waiting for either; return whether any came in."""
        if self._unsent:
            self._poll.register(self._inbox, select.POLLOUT)
        ready = dict(self._poll.poll(timeout_s * 1000))
        if self._unsent:
            self._poll.unregister(self._inbox)
        if self._inbox in ready:
            self._flush()
        if self._outbox not in ready:
            return False
        chunk = os.read(self._outbox, _PIPE_BYTES)
        if not chunk:
            raise GoneError("it closed its pipe", True)
        self._received += chunk
        return True

    def _usage(self) -> tuple[float, bool]:
        """Return CPU seconds so far and whether the process runs or waits for a processor or a disk."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0, False
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S, fields[0] in "RD"

    def close(self) -> str:
        """Close the pipes and return the crash report the worker left, empty if none."""
        size = os.fstat(self._trace).st_size
        report = os.pread(self._trace, min(size, 4000), 0).decode("utf-8", "replace")
        for handle in (self._inbox, self._outbox, self._trace):
            os.close(handle)
        self._slots.close()
        return report


def _pipe() -> tuple[int, int]:
    """Return (read end, write end) of a pipe that holds several pages."""
    ends = os.pipe()
    with contextlib.suppress(OSError):  # beyond the user's allowance of pipe memory the default size must do
        fcntl.fcntl(ends[0], fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return ends


# Pages and trees are large and short-lived: kept by the allocator instead of given back to the system after each page,
# they cost a fifth of the page faults and a tenth of resiliparse's time.
_ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(64 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
    "MALLOC_TOP_PAD_": str(16 << 20),
}


def _environment() -> dict[str, str]:
    # The same modules as here, and one thread: numerical libraries start a pool when loaded, which forbids forking.
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    single = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**os.environ, **single, **_ALLOCATOR, "PYTHONPATH": paths, "PYTHONHASHSEED": "0"}
