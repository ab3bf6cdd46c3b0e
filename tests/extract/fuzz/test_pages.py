"""Pages made to do harm: the kept corpus, made-up markup, and the same under bounds checks and under atheris."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

HERE = Path(__file__).resolve().parent
CORPUS = sorted((HERE / "corpus").iterdir())
INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT") == "1"
PIECES = (
    b"<p>", b"</p>", b"<div class=\"a b1\" id=x>", b"</div>", b"<td>", b"<tr>", b"<table>", b"</table>", b"<li>",
    b"<ul>", b"<a href=/x>", b"</a>", b"<pre>", b"</pre>", b"<script>", b"</script>", b"<!--", b"-->", b"--!>",
    b"<![CDATA[", b"]]>", b"<svg>", b"<br>", b"</br>", b"<title>", b"</title>", b"<h1>", b"<noscript>",
    b"<textarea>", b"<x-y", b" class=", b"'", b'"', b">", b"<", b"/", b"=", b"&nGt;", b"&amp", b"&#", b"&#x110000;",
    b"&#13;", b"\xc2\xa0", b"\xc2", b"\xff", b"\xe3\x80", b"\0", b"\r\n", b"\t", b"text. ", "中文。ж é".encode(),
    b"<meta property=og:type content=article>", b"<html lang=en>", b"<script type=application/ld+json>",
    b'{"articleBody": "x"}', b"<p style=display:none>", b" ",
)  # fmt: skip


def load_target() -> ModuleType:
    spec = importlib.util.spec_from_file_location("extract_fuzz_target", HERE / "target.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check = load_target().check


@pytest.fixture(autouse=True)
def _wrapping() -> None:
    np.seterr(over="ignore")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_kept_page(path: Path) -> None:
    check(path.read_bytes())


@pytest.mark.filterwarnings("ignore")
@given(st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join))
@settings(deadline=None, max_examples=25 if INTERPRETED else 300)
def test_made_up_page(raw: bytes) -> None:
    check(raw)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, env=environment, check=False)


@pytest.mark.skipif(INTERPRETED, reason="is what runs")
def test_no_index_is_out_of_bounds() -> None:
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", str(Path(__file__)))
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.skipif(INTERPRETED, reason="one is enough")
def test_atheris_finds_nothing(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed: pip install atheris")
    found = str(tmp_path / "found-")
    done = run(
        str(HERE / "target.py"), str(tmp_path), str(HERE / "corpus"), "-max_total_time=8", "-max_len=400",
        f"-artifact_prefix={found}", "-seed=1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
