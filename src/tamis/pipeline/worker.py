"""A worker of the local executor: `python -m tamis.pipeline.worker FD PARENT [BYTES]` runs units until its pipe closes.

It ends itself when process PARENT is gone, or when it holds more than BYTES of memory.
"""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection
from typing import cast

import cloudpickle

from tamis.pipeline.executor import Work
from tamis.pipeline.guard import Guard, start
from tamis.pipeline.local import portable


def serve(pipe: Connection, guard: Guard) -> None:
    """Run each (work, shard) that comes down the pipe and send back its receipts or its error."""
    known, work = b"", cast(Work, None)
    try:
        while True:
            code, shard = cloudpickle.loads(pipe.recv_bytes())
            if code != known:
                known, work = code, cloudpickle.loads(code)
            try:
                with guard.over(work, shard):
                    answer = cloudpickle.dumps(work(shard))
            except Exception as error:
                answer = cloudpickle.dumps(portable(error, shard))
            pipe.send_bytes(answer)
    except (EOFError, ConnectionResetError, BrokenPipeError, KeyboardInterrupt):
        return  # the driver is gone or has no more work; what this worker wrote is not committed without a receipt


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])), start(int(sys.argv[3]) if sys.argv[3:] else None, int(sys.argv[2])))
