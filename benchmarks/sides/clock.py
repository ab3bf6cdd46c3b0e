"""The clock of a benchmark's side: CPU seconds of a process tree, and the largest process's memory."""

from __future__ import annotations

import json
import resource

import psutil


def cpu() -> float:
    """Return the CPU seconds of this process and everything below it, ended or not."""
    tree = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return float(sum(sum(each.cpu_times()[:4]) for each in tree))


def report(pages: int, kept: int, seconds: float, used: float) -> None:
    """Print a side's figures as one line of JSON; peak memory is that of its largest process so far."""
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    print(json.dumps({"pages": pages, "kept": kept, "seconds": seconds, "cpu": used, "peak_mb": peak}))
