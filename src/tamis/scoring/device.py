"""Devices: which one scores, said before any input is read, and how results come back from it without waiting.

CUDA is never initialised where documents are not scored: the driver asks a child process what there is.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tamis.errors import ConfigError, MissingExtraError

# Without one of these a process cannot reach CUDA, and torch need not be started to learn it.
_NODES = ("/dev/nvidiactl", "/dev/nvidia0", "/proc/driver/nvidia", "/dev/dxg")
_COUNT = "import torch; print(torch.cuda.device_count())"
_PROBE_S = 120

# Locks this process holds until it ends: one for each place on a GPU that it has claimed.
_CLAIMED: dict[int, IO[str]] = {}


def torch_module() -> Any:
    """Return torch. Raises MissingExtraError where it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(
            "Scoring by a neural model needs torch, which is not installed.", "pip install 'tamis[gpu]'"
        ) from error
    return torch


@lru_cache(maxsize=1)
def cuda_devices() -> int:
    """Return how many CUDA devices a process of this machine would see; this process does not touch them."""
    if not any(Path(node).exists() for node in _NODES):
        return 0
    command = [sys.executable, "-c", _COUNT]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    answer = done.stdout.split()[-1:]
    return int(answer[0]) if done.returncode == 0 and answer and answer[0].isdigit() else 0


def choose(device: str, what: str = "Scoring") -> str:
    """Return "cuda" or "cpu" for what a recipe asks for. Raises ConfigError for "cuda" where there is none.

    `what` is who asks, in messages.
    """
    if device != "cpu" and cuda_devices():
        return "cuda"
    if device == "cuda":
        raise ConfigError(
            f'{what} asks for device = "cuda", but this machine has no CUDA device that torch can use.',
            'Set device = "auto" to use the CPU where there is none, or run it where `nvidia-smi` lists a card.',
        )
    return "cpu"


def places(gpus: float, devices: int) -> int:
    """Return how many workers fit: those that take whole GPUs, or as many to each GPU as their share allows."""
    return max(1, int(devices // gpus)) if gpus >= 1 else devices * int(1 / gpus)


def claim(gpus: float = 1.0) -> str:
    """Return the device of this process, such as "cuda:1": the first with a free place, which it keeps until it ends.

    Where another program has scattered them over the places already (Ray does), there is but one device to see.
    The calling thread uses it from here on.
    """
    device = _free(gpus)
    use(device)
    return device


def use(device: str) -> None:
    """Make a CUDA device the calling thread's own: events and kernels of Triton go to that one and no other."""
    if device.startswith("cuda:"):  # of "cuda" alone torch wants to know which
        torch_module().cuda.set_device(device)


def _free(gpus: float) -> str:
    torch = torch_module()
    count = torch.cuda.device_count()
    per_device = 1 if gpus >= 1 else int(1 / gpus)
    for place in range(per_device):
        for index in range(count):
            if index in _CLAIMED or _lock(index, place):
                return f"cuda:{index}"
    return f"cuda:{os.getpid() % max(1, count)}"


def _lock(index: int, place: int) -> bool:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "all").replace(",", "-")
    path = Path(tempfile.gettempdir(), f"tamis-gpu-{os.getuid()}-{visible}-{index}-{place}.lock")
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return False
    _CLAIMED[index] = file
    return True


def upload(array: npt.NDArray[Any], device: Any) -> Any:
    """Return an array as a tensor on a device, torch's or by its name; the copy runs beside the computation, from
    pinned memory."""
    torch = torch_module()
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.pin_memory().to(device, non_blocking=True) if str(device) != "cpu" else tensor


def download(tensor: Any) -> Callable[[], npt.NDArray[np.float64]]:
    """Start copying a tensor to the host; returns what waits for it and gives it as float64."""
    torch = torch_module()
    if tensor.device.type != "cuda":
        return lambda: np.asarray(tensor.double().numpy(), np.float64)
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor, non_blocking=True)
    event = torch.cuda.Event()
    event.record(torch.cuda.current_stream(tensor.device))

    def wait() -> npt.NDArray[np.float64]:
        event.synchronize()
        return np.asarray(host.double().numpy(), np.float64)

    return wait


def fetch(tensor: Any) -> npt.NDArray[Any]:
    """Return a tensor's numbers on the host: from a card by pinned memory, several times as fast."""
    if tensor.device.type != "cuda":
        return np.asarray(tensor.numpy())
    host = torch_module().empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return np.asarray(host.copy_(tensor).numpy())


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread for a while; where torch is absent there is nothing to hold back."""
    try:
        import torch
    except ImportError:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
