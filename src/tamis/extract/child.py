"""The other side of a sandbox: a process that loads an extractor once and forks a worker from it on demand.

Started as `python -m tamis.extract.child FD`, a fresh interpreter with one thread, so forking it is safe whatever the
parent runs (threads, Ray, pytest). A fork takes milliseconds where a new interpreter with trafilatura takes most of a
second, so replacing a worker that died, hung or grew costs next to nothing, and all start from the same state.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import json
import logging
import mmap
import os
import resource
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import NoReturn

from tamis.extract import frames
from tamis.extract.extractor import BUILT_IN, Extractor, RefusedError, load
from tamis.extract.frames import Kind

_PR_SET_PDEATHSIG = 1
_MESSAGE_BYTES = 1 << 16
_DETAIL_CHARS = 8000
_PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
# Seconds between looks at whether the parent still lives, should a fork of it hold the control socket open.
_ORPHAN_CHECK_S = 10.0
# A worker whose pipe has closed gets this long to finish dying, so that its true exit status is seen.
_REAP_S = 2.0
# Run once before the first fork, so that whatever the library loads at its first page is loaded once.
_FIRST_PAGE = "<html><head><title>t</title></head><body><article><p>One page of text.</p></article></body></html>"


def main() -> None:
    """Serve one parent over the socket named on the command line until it closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    logging.disable(logging.CRITICAL)
    job = json.loads(control.recv(_MESSAGE_BYTES))
    try:
        extractor = None if job["late"] else _prepared(job)
    except BaseException:
        _say(control, {"error": traceback.format_exc()[-_DETAIL_CHARS:]})
        return
    _say(control, {"threads": len(list(Path("/proc/self/task").iterdir()))})
    gc.collect()
    gc.freeze()  # the library's objects are never walked again, nor copied into workers by it
    _serve(control, job, extractor)


def _prepared(job: dict[str, object]) -> Extractor:
    extractor = load(str(job["extractor"]), job["options"])  # type: ignore[arg-type]
    if job["extractor"] in BUILT_IN:
        extractor.extract(_FIRST_PAGE, None)
    return extractor


def _serve(control: socket.socket, job: dict[str, object], extractor: Extractor | None) -> None:
    parent, worker = os.getppid(), 0
    control.settimeout(_ORPHAN_CHECK_S)
    while os.getppid() == parent:
        try:
            message, handles, _, _ = socket.recv_fds(control, 16, 4)
        except TimeoutError:
            continue
        if message == b"birth":
            worker = _birth(control, job, extractor, handles)
            _say(control, {"pid": worker})
        elif message == b"death":
            _say(control, {"status": _reap(worker)})
            worker = 0
        else:
            break
    if worker:
        os.kill(worker, signal.SIGKILL)


def _say(control: socket.socket, message: dict[str, object]) -> None:
    control.send(json.dumps(message).encode())


def _birth(control: socket.socket, job: dict[str, object], extractor: Extractor | None, handles: list[int]) -> int:
    own = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            control.close()
            inbox, outbox, trace, shared = handles
            slots = mmap.mmap(shared, frames.SLOTS * frames.SLOT_BYTES, prot=mmap.PROT_READ)
            _confine(own, int(str(job["memory_bytes"])), trace)
            _work(extractor or _prepared(job), inbox, memoryview(slots), outbox)
        finally:
            os._exit(70)
    for handle in handles:
        os.close(handle)
    return pid


def _reap(pid: int) -> int:
    deadline = time.monotonic() + _REAP_S
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def _confine(nursery: int, memory_bytes: int, trace: int) -> None:
    """Die with the nursery, stay out of its process group, keep crash reports, bound the address space, be silent."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != nursery:
        os._exit(70)
    os.setpgid(0, 0)
    faulthandler.enable(trace)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    bound = int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE_SIZE + memory_bytes
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))


def _work(extractor: Extractor, inbox: int, slots: memoryview, outbox: int) -> NoReturn:
    """Answer pages until the inbox closes; leave after an answer that may have left the interpreter unwell."""
    statm = os.open("/proc/self/statm", os.O_RDONLY)  # kept open: opening it for each page takes 0.14 ms
    while True:
        page = _next_page(inbox, slots)
        if page is None:
            os._exit(0)
        kind, confidence, body = _answer(extractor, *page)
        _write(outbox, frames.pack_answer(kind, confidence, time.process_time(), _resident_bytes(statm), body))
        if kind in (Kind.MEMORY, Kind.EXIT):
            os._exit(0)


def _answer(extractor: Extractor, html: str, url: str | None) -> tuple[Kind, float, bytes]:
    try:
        found = extractor.extract(html, url)
        return Kind.TEXT, float(found.confidence), frames.pack_extracted(found)
    except MemoryError:
        return Kind.MEMORY, 0.0, b"MemoryError"
    except RefusedError as refused:
        return Kind.REFUSED, 0.0, "\n".join(refused.args).encode("utf-8", "replace")
    except Exception:
        return Kind.ERROR, 0.0, _traceback()
    except BaseException:
        return Kind.EXIT, 0.0, _traceback()


def _traceback() -> bytes:
    return traceback.format_exc()[-_DETAIL_CHARS:].encode("utf-8", "backslashreplace")


def _next_page(inbox: int, slots: memoryview) -> tuple[str, str | None] | None:
    header = _read(inbox, frames.PAGE.size)
    if header is None:
        return None
    slot, address_bytes, html_bytes = frames.PAGE.unpack(header)
    url = _read(inbox, address_bytes) if address_bytes >= 0 else None
    start = slot * frames.SLOT_BYTES
    html = slots[start : start + html_bytes] if slot >= 0 else _read(inbox, html_bytes)
    if html is None:
        return None
    return str(html, "utf-8", "surrogatepass"), None if url is None else url.decode()


def _read(inbox: int, size: int) -> bytes | None:
    chunks: list[bytes] = []
    while size:
        chunk = os.read(inbox, min(size, 1 << 20))
        if not chunk:
            return None
        chunks.append(chunk)
        size -= len(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _write(outbox: int, frame: bytes) -> None:
    rest = memoryview(frame)
    while rest:
        rest = rest[os.write(outbox, rest) :]


def _resident_bytes(statm: int) -> int:
    return int(os.pread(statm, 100, 0).split()[1]) * _PAGE_SIZE


if __name__ == "__main__":
    main()
