"""Fuzzing with atheris: `python benchmarks/fuzz.py [TARGET ...] [--seconds 600]` (needs `pip install atheris`).

reader: any bytes as a WARC file, whole and in two spans. decoder: any bytes as a page of any charset.
extractor: any text as HTML, by the extractors that run in the caller's process. texts: any bytes as JSONL or Parquet.
kernels: any text through every filter of the default recipe and the signatures, compiled with checked bounds.

Each starts from `tests/faults/corpus/TARGET.zip`, and what it finds of interest is kept there, as small as it can be.
A crash is left in `fuzz-TARGET/` and the exit code is 1. The test suite runs every kept input once, without atheris.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).resolve().parents[1] / "tests" / "faults" / "corpus"
LARGEST = 16_384
MOST_KEPT = 400


def reader(data: bytes) -> None:
    """No exception; offsets grow; two spans that meet hold what the whole holds."""
    from tamis.warc.reader import Reader

    cut = int.from_bytes(data[:2], "little") % max(len(data), 1)
    data = data[2:]
    whole = list(Reader(io.BytesIO(data), max_payload=1 << 20))
    offsets = [record.offset for record in whole]
    assert offsets == sorted(set(offsets)), offsets
    assert all(not record.payload for record in whole if record.problem not in ("", "truncated"))
    first, second = (Reader(io.BytesIO(data), start=s, end=e, max_payload=1 << 20) for s, e in ((0, cut), (cut, None)))
    parts = [*first, *second]
    if cut and first.next_offset == second.first_offset:
        assert parts == whole


def decoder(data: bytes) -> None:
    """No exception; no NUL and no lone surrogate in the text; the same again."""
    from tamis.text.encoding import decode

    label, _, body = data.partition(b"\n")
    found = decode(body, header_charset=label.decode("latin-1")[:40] or None)
    assert "\0" not in found.text
    found.text.encode("utf-8")
    assert decode(body, header_charset=label.decode("latin-1")[:40] or None) == found


def extractor(data: bytes) -> None:
    """No exception but a refusal; text that encodes; the same again."""
    from tamis.extract.extractor import RefusedError

    html = data.decode("utf-8", "replace").replace("\0", "")
    for each in _extractors():
        try:
            found = each.extract(html, "https://example.org/")
        except RefusedError:
            continue
        found.text.encode("utf-8")
        assert each.extract(html, "https://example.org/").text == found.text


@cache
def _extractors() -> list[Any]:
    from tamis.extract.extractor import load

    return [load(name) for name in ("native", "plain")]


def texts(data: bytes) -> None:
    """No exception, but for a Parquet file that has no text column."""
    from tamis.errors import InputError
    from tamis.warc.texts import read_texts

    for kind in ("jsonl", "parquet", "text"):
        try:
            for batch in read_texts(io.BytesIO(data), "fuzz", kind):
                batch.validate(full=True)
        except InputError:
            continue


def kernels(data: bytes) -> None:
    """No exception, for one text alone and beside others; and the same verdict in both."""
    import pyarrow as pa

    text = data.decode("utf-8", "replace")
    alone, among = (_judged(pa.array(rows, pa.large_string())) for rows in ([text], ["one", text, "", "two words"]))
    assert alone[0] == among[1]


def _judged(rows: Any) -> list[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    from tamis.dedup.minhash import sign
    from tamis.pipeline import models

    settings = _settings()
    tokens = models.encoder(settings.tokenize.tokenizer).count(rows)
    names = models.identifier("default").identify(rows)
    sizes = pc.binary_length(rows).cast(pa.int64())
    batch = pa.record_batch(
        {
            "id": pa.array([str(row) for row in range(len(rows))], pa.large_string()),
            "row": pa.array(range(len(rows)), pa.int64()),
            "url": pa.array(["https://example.org/"] * len(rows), pa.large_string()),
            "text": rows,
            "bytes": sizes,
            "chars": pc.utf8_length(rows).cast(pa.int64()),
            "tokens": tokens,
            "language": pa.array(["eng_Latn"] * len(rows), pa.large_string()),
            "language_score": pa.array([0.9] * len(rows), pa.float32()),
        }
    )
    verdicts: list[list[Any]] = [[] for _ in rows]
    for chain in settings.filters:
        sifted = chain(batch)
        for row in sifted.kept.column("row").to_pylist():
            verdicts[row].append("kept")
        dropped = sifted.dropped.select(["row", "reason"]).to_pylist()
        for each in dropped:
            verdicts[each["row"]].append(each["reason"])
    signed = sign(rows, settings.dedup).to_pylist()
    told = names.to_pylist()
    return [(verdicts[row], signed[row], told[row], tokens[row].as_py()) for row in range(len(rows))]


@cache
def _settings() -> Any:
    from tamis.recipe import load

    return load("default").settings()


TARGETS: dict[str, Callable[[bytes], None]] = {
    "reader": reader,
    "decoder": decoder,
    "extractor": extractor,
    "texts": texts,
    "kernels": kernels,
}


COMPILED = frozenset({"kernels", "extractor"})


def seeds(target: str) -> list[bytes]:
    """Return what a target starts from where nothing is kept yet: small inputs of every form it knows."""
    body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>One \xc3\xa9 page</p>"
    head = b"WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http\r\nWARC-Target-URI: https://a.b/\r\n"
    record = head + b"Content-Length: %d\r\n\r\n" % len(body) + body + b"\r\n\r\n"
    page = (
        b"<html><head><title>T</title></head><body><article><h1>A</h1><p>Text &amp; more.</p><ul><li>x</ul></article>"
    )
    prose = "Ein Satz. 一句话。 यह एक वाक्य है। جملة واحدة.\n".encode()
    if target == "reader":
        packed = [record * 3, gzip.compress(record) * 3, gzip.compress(record * 3), bz2.compress(record * 2)]
        import zstandard

        packed.append(zstandard.compress(record) * 2)
        return [b"\x40\x01" + each for each in packed]
    if target == "decoder":
        labels = ("utf-8", "gb18030", "shift_jis", "windows-1251", "iso-2022-jp", "utf-16le", "euc-kr")
        return [label.encode() + b"\n" + prose.decode().encode(label, "ignore") for label in labels]
    if target == "texts":
        line = json.dumps({"id": "a", "text": prose.decode()}).encode() + b"\n"
        return [line * 3, gzip.compress(line), prose]
    return [page, prose, prose * 20, b"<table>" + b"<tr><td>1</td>" * 50]


def kept(target: str) -> list[bytes]:
    """Return the kept inputs of a target."""
    path = CORPUS / f"{target}.zip"
    if not path.exists():
        return seeds(target)
    with zipfile.ZipFile(path) as packed:
        return [packed.read(name) for name in sorted(packed.namelist())]


def keep(target: str, inputs: list[bytes]) -> None:
    """Keep inputs, the smaller ones first; the same inputs give the same file."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(CORPUS / f"{target}.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for number, data in enumerate(sorted(set(inputs), key=lambda each: (len(each), each))[:MOST_KEPT]):
            packed.writestr(zipfile.ZipInfo(f"{number:03d}"), data, zipfile.ZIP_DEFLATED)


def fuzz(target: str, seconds: int) -> int:
    """Fuzz one target in a process of its own; returns that process's exit code."""
    findings = Path(f"fuzz-{target}").resolve()
    with tempfile.TemporaryDirectory(prefix="tamis-fuzz-") as scratch:
        corpus = Path(scratch) / "corpus"
        corpus.mkdir()
        for number, data in enumerate([*seeds(target), *kept(target)]):
            (corpus / f"{number:04d}").write_bytes(data)
        findings.mkdir(exist_ok=True)
        limits = ["-timeout=60", "-rss_limit_mb=4000", f"-max_len={LARGEST}", f"-artifact_prefix={findings}/"]
        code = _child(target, [*limits, f"-max_total_time={seconds}", "-print_final_stats=1", str(corpus)])
        found = [path.read_bytes() for path in sorted(corpus.iterdir())]
        keep(target, found)
        print(json.dumps({"target": target, "seconds": seconds, "exit": code, "inputs kept": len(found)}), flush=True)
    if not any(findings.iterdir()):
        shutil.rmtree(findings)
    return code


def _child(target: str, arguments: list[str]) -> int:
    bounds = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(Path(tempfile.gettempdir()) / "tamis-fuzz-kernels")}
    env = os.environ | (bounds if target in COMPILED else {})
    return subprocess.run([sys.executable, __file__, "--child", target, *arguments], check=False, env=env).returncode


def child(target: str, arguments: list[str]) -> None:
    import atheris

    # Compiled kernels cannot be instrumented, and interpreted they manage one text a second: what guides the search
    # there is the target's own code alone.
    blind = target in COMPILED
    with nullcontext() if blind else atheris.instrument_imports(include=["tamis.warc", "tamis.text.encoding"]):
        for data in seeds(target):  # compiles what is compiled when first used, before the fuzzer's clock runs
            TARGETS[target](data)
    body = atheris.instrument_func(TARGETS[target]) if blind else TARGETS[target]
    atheris.Setup([sys.argv[0], *arguments], body)
    atheris.Fuzz()


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", default=list(TARGETS))
    parser.add_argument("--seconds", type=int, default=600)
    given = parser.parse_args()
    raise SystemExit(max([fuzz(target, given.seconds) != 0 for target in given.targets]))


if __name__ == "__main__":
    main()
