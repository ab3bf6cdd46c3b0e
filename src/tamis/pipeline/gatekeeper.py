"""The gatekeeper: a small server in the driver, through which all workers take their turns at a host."""

from __future__ import annotations

import hmac
import secrets
import socket
import socketserver
import threading
from types import TracebackType

from tamis.errors import InputError
from tamis.warc.gate import LocalGate

_LINE_BYTES = 64 << 10
_LOOPBACK = "127.0.0.1"
_ANYWHERE = "192.0.2.1"  # reserved for documentation: the route to it is the default route


def reachable(cluster: str | None) -> str:
    """Return the address at which workers find this machine: the loopback, or the one that faces their `cluster`."""
    if cluster is None:
        return _LOOPBACK
    host = cluster.rpartition("://")[2].rpartition(":")[0]
    try:
        # A datagram socket that is connected sends nothing; the system only says which of its addresses it would use.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host or _ANYWHERE, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return _LOOPBACK


class Gatekeeper:
    """Keeps one gate for all processes that know its address; use it as a context around the run.

    On the loopback it listens to this machine alone, else to whoever can reach it and knows the secret.
    """

    def __init__(self, gate: LocalGate, *, host: str = _LOOPBACK) -> None:
        self.gate = gate
        self._secret = secrets.token_hex(16)
        self._server = _Server((_LOOPBACK if host == _LOOPBACK else "", 0), _Handler)
        self._server.keeper = self
        self.address = f"{host}:{self._server.server_address[1]}:{self._secret}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="tamis-gate", daemon=True)

    def __enter__(self) -> Gatekeeper:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def knows(self, secret: str) -> bool:
        """Return whether a caller may ask."""
        return hmac.compare_digest(secret.encode(), self._secret.encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024
    block_on_close = False
    keeper: Gatekeeper


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        line = self.rfile.readline(_LINE_BYTES).decode("utf-8", "replace").rstrip("\n")
        secret, _, asked = line.partition(" ")
        if not self.server.keeper.knows(secret):
            return
        what, _, rest = asked.partition(" ")
        gate = self.server.keeper.gate
        if what == "take":
            self._say(_turn(gate, rest))
        elif what == "note":
            host, status, pause = rest.split(" ")
            gate.note(host, int(status), float(pause))
            self._say("ok")
        elif what == "alone":
            with gate.alone(rest):
                self._say("ok")
                self.rfile.read(1)  # until the worker is done, or dead

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\n".encode())


def _turn(gate: LocalGate, host: str) -> str:
    try:
        return f"wait {gate.take(host)}"
    except InputError as refused:
        return f"stop {refused.message}\t{refused.hint}"
