"""A worker process of the local executor: `python -m tamis.pipeline.worker FD` runs units until its pipe closes."""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection
from typing import cast

import cloudpickle

from tamis.pipeline.executor import Work
from tamis.pipeline.local import portable


def serve(pipe: Connection) -> None:
    """Run each (work, shard) that comes down the pipe and send back its receipts or its error."""
    known, work = b"", cast(Work, None)
    try:
        while True:
            code, shard = cloudpickle.loads(pipe.recv_bytes())
            if code != known:
                known, work = code, cloudpickle.loads(code)
            try:
                answer = cloudpickle.dumps(work(shard))
            except Exception as error:
                answer = cloudpickle.dumps(portable(error, shard))
            pipe.send_bytes(answer)
    except (EOFError, ConnectionResetError, BrokenPipeError, KeyboardInterrupt):
        return  # the driver is gone or has no more work; what this worker wrote is not committed without a receipt


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
