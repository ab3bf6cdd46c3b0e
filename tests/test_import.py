"""`import tamis` is light: no kernels, no models, no cluster."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"numba", "ray", "torch", "kenlm", "fasttext", "transformers", "datasets", "trafilatura", "pyarrow"}


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not HEAVY & modules_after("import tamis")


def test_asking_for_help_loads_nothing_heavy() -> None:
    assert not HEAVY & modules_after("import tamis.cli")


def test_every_public_name_resolves() -> None:
    modules_after("import tamis; [getattr(tamis, name) for name in tamis.__all__]")


def test_importing_takes_less_than_a_third_of_a_second() -> None:
    code = "import time; t = time.process_time(); import tamis; print(time.process_time() - t)"
    times = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(3)]
    assert min(times) < 0.3
