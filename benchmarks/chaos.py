"""Chaos: faults from a seed on real runs, and what each cost. `python benchmarks/chaos.py [PART ...] [--seed N]`.

kills: the driver, or one of its workers, shot at random moments; the same bytes at the end, and units done twice.
writes: writes that fail at each step of them, and attempts that finish late; the same bytes, a clean fsck.
deaths: 2,000 units, of which one in fifty ends its worker in one of four ways; the longest silence, attempts in all.
bombs: pages that hang, crash, allocate or nest, among good ones; every good page as without them, and the time.
memory: a small and a large input under one budget; the peaks of the process tree.
giants: one document of 500 MB among others, in four kinds of file; the peak, and what became of it and of them.
pages: many small pages through one worker; how much it grows.
files: one large compressed file, many tiny ones, and the same bytes in files of 64 MB; the time of each.
speed: one worker, two workers, and Ray, on the same input, and Ray's store; `--scale 10` for units of 30 s.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

import tamis
from tamis.demo import folder, pack
from tamis.pipeline import inspect
from tamis.pipeline.executor import load
from tamis.pipeline.guard import held
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.shard import Shard

RECIPE = 'name = "chaos"\n[dedup]\nbands = 4\nrows_per_band = 4\n[tokenize]\nshard_tokens = 200_000\n'
WORDS = ("water", "stone", "river", "bread", "light", "winter", "garden", "letter", "market", "silver", "window")


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def command(source: Path, output: Path, recipe: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "tamis", "run", str(source), str(output), "--recipe", str(recipe), *more]


class Peak:
    """The largest memory that a process and its descendants held, sampled ten times a second.

    `anonymous` is what no file backs, the measure of the budget; `pss` shares out what several map.
    """

    def __init__(self, pid: int) -> None:
        self.anonymous = self.pss = 0
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        turn = 0
        while not self._stop.wait(0.1):
            self.anonymous = max(self.anonymous, held(self._pid))
            if turn % 10 == 0:  # dear: the kernel walks every page
                self.pss = max(self.pss, sum(self._pss_of_tree()))
            turn += 1

    def _pss_of_tree(self) -> Iterator[int]:
        try:
            parent = psutil.Process(self._pid)
            for process in (parent, *parent.children(recursive=True)):
                yield process.memory_full_info().pss
        except psutil.Error:
            return

    def end(self) -> Peak:
        self._stop.set()
        self._thread.join()
        return self


def html(number: int, seed: float) -> bytes:
    chance = random.Random(f"{seed} {number}")
    paragraphs = "".join(f"<p>{' '.join(chance.choices(WORDS, k=80))}.</p>" for _ in range(4))
    return (
        f"<html><head><title>Page {number}</title></head><body><article>{paragraphs}</article></body></html>".encode()
    )


def record(url: str, body: bytes) -> bytes:
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
    head += f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    return gzip.compress(head.encode() + http + b"\r\n\r\n", 1, mtime=0)


def ordinary(number: int, seed: float) -> bytes:
    """Return a page that costs trafilatura what those of the wceb collection do: about 30 ms."""
    chance = random.Random(f"{seed} {number}")
    links = "".join(
        f'<li class="nav"><a href="/{n}">{" ".join(chance.choices(WORDS, k=3))}</a></li>' for n in range(150)
    )
    rows = "".join(f"<div class='c{n % 7}'><span>{chance.choice(WORDS)}</span><b>{n}</b></div>" for n in range(250))
    paragraphs = "".join(f"<p>{' '.join(chance.choices(WORDS, k=60))}.</p>" for _ in range(30))
    head = f"<html><head><title>Page {number}</title></head><body><ul>{links}</ul>"
    return f"{head}<div id=main><article>{paragraphs}</article></div><div>{rows}</div></body></html>".encode()


def write_warc(
    path: Path,
    pages: int,
    seed: float,
    bombs: dict[int, bytes] | None = None,
    page: Callable[[int, float], bytes] = html,
) -> Path:
    with path.open("wb") as file:
        for number in range(pages):
            body = (bombs or {}).get(number) or page(number, seed)
            file.write(record(f"https://example.org/{number}", body))
    return path


@contextmanager
def scratch() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="tamis-chaos-"))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


COUNTING = '''
import os
import pyarrow as pa
from tamis.filters import signal

@signal
def counted(text):
    """One for every text; how many were judged is noted, whatever becomes of the unit."""
    note = os.open(os.environ["TAMIS_CHAOS_COUNT"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(note, b"x" * len(text))
    os.close(note)
    return pa.array([1.0] * len(text))
'''


def kills(chance: random.Random, times: int) -> dict[str, object]:
    """Shoot the driver's whole group, or one worker, `times` times in all, over as many runs as that takes.

    What a kill costs is counted in documents judged again, beside those of the largest unit: a shot at the driver takes
    two workers with it, each with a unit in hand. A committed unit must never be done again.
    """
    with scratch() as root:
        source, recipe, count = pack(root / "crawl"), root / "chaos.toml", root / "count"
        (root / "counting.py").write_text(COUNTING)
        rule = 'import = ["counting.py"]\n[[filters]]\nkeep = "counted"\nat_least = 0\n'
        recipe.write_text(RECIPE.replace("[dedup]", rule + "[dedup]", 1))
        os.environ["TAMIS_CHAOS_COUNT"] = str(count)
        options = ("--workers", "2", "--set", "read.unit_bytes=30000")
        tamis.run(source, root / "clean", recipe=recipe, executor="inline", overrides={"read.unit_bytes": 30_000})
        judged, largest = count.stat().st_size, _largest(root / "clean")
        clean, output, shots, runs, wrong, dirty, dead = tree(root / "clean"), root / "out", 0, 0, 0, 0, 0
        line = command(source, output, recipe, *options)
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _wait_for(process, output)
        # Most of a run's time is the start of its processes: shots are spread over what comes after that.
        began = time.monotonic()
        assert process.wait() == 0
        whole = time.monotonic() - began
        shutil.rmtree(output)
        count.write_bytes(b"x" * judged)
        again = twice = 0
        while shots < times or output.exists():
            before = _committed(output)
            with (root / "said.txt").open("wb") as said:
                process = subprocess.Popen(line, start_new_session=True, stdout=subprocess.DEVNULL, stderr=said)
            killed = _shoot(process, chance, output, whole) if shots < times else process.wait() and 0
            shots, dead = shots + bool(killed), dead + killed
            twice += len(_repeated(output, before))
            if killed:
                continue
            runs += 1
            bad, found = process.returncode != 0 or tree(output) != clean, inspect.fsck(str(output))
            if bad or not found.clean:
                _tell(process.returncode, root / "said.txt", clean, tree(output), found)
            wrong += bad
            dirty += not found.clean
            shutil.rmtree(output)
        again = count.stat().st_size - judged * (runs + 1)
        return {
            "shots": shots,
            "workers killed": dead,
            "runs finished": runs,
            "runs with other bytes": wrong,
            "runs that fsck finds fault with": dirty,
            "committed units done again": twice,
            "units judged again for each worker killed": round(again / largest / max(dead, 1), 2),
        }


def _tell(code: int, said: Path, clean: dict[str, bytes], found: dict[str, bytes], checked: object) -> None:
    """Print all that is known of a run that ended badly: its exit, the files that differ, what fsck says, its words."""
    other = sorted(path for path in clean.keys() | found.keys() if clean.get(path) != found.get(path))
    print(f"exit {code}; files that differ: {other}; {checked}", file=sys.stderr)
    print(said.read_text("utf-8", "replace")[-4000:], file=sys.stderr, flush=True)


def _wait_for(process: subprocess.Popen[bytes], output: Path) -> None:
    """Return when this process has written its first status, or has ended; an earlier one's may lie there."""
    while process.poll() is None:
        with suppress(OSError, ValueError):
            if json.loads((output / "status.json").read_bytes())["pid"] == process.pid:
                return
        time.sleep(0.02)


def _largest(output: Path) -> int:
    """Return the documents judged of the unit that has most."""
    receipts = [json.loads(line) for line in (output / "manifest.jsonl").read_text().splitlines()]
    kept = [
        sum(row[4] for row in receipt["ledger"] if row[0] == "language" and row[2] == "kept")
        for receipt in receipts
        if receipt["step"] == "sift"
    ]
    return max(kept)


def _lines(output: Path) -> list[tuple[str, str]]:
    """Return (step, shard) of every whole line of a live manifest."""
    path = output / "manifest.jsonl"
    found = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if "step" in record:
            found.append((record["step"], record["shard"]))
    return found


def _committed(output: Path) -> set[tuple[str, str]]:
    return set(_lines(output))


def _repeated(output: Path, before: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what was committed more than once, unless the manifest has been sealed meanwhile."""
    lines = _lines(output)
    return [key for key in before if lines.count(key) > 1]


def _shoot(process: subprocess.Popen[bytes], chance: random.Random, output: Path, whole: float) -> int:
    """Kill something at a random moment; returns how many workers went; 0 where the run was done before."""
    _wait_for(process, output)
    try:
        process.wait(chance.uniform(0.0, whole))
        return 0
    except subprocess.TimeoutExpired:
        crew = [each for each in psutil.Process(process.pid).children(recursive=True) if _is_worker(each)]
    if chance.random() < 0.5 and crew:
        with suppress(psutil.Error):
            chance.choice(crew).kill()
        try:
            process.wait(chance.uniform(0.3, 3.0))
            return 0 if process.returncode == 0 else 1
        except subprocess.TimeoutExpired:
            pass
        crew = [each for each in crew if each.is_running()] + [each for each in crew if not each.is_running()]
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return max(len(crew), 1)


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "tamis.pipeline.worker" in process.cmdline()
    except psutil.Error:
        return False


def _tests(name: str) -> Any:
    """Return a module of the faults suite, whose faulty disk and late attempts this shares."""
    path = Path(__file__).resolve().parents[1] / "tests" / "faults" / name
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def writes(chance: random.Random, seeds: int) -> dict[str, object]:
    """Runs whose n-th write fails, every third with attempts that finish late; then one that is let be."""
    import pytest

    faults = _tests("test_writes.py")
    wrong = dirty = failed = 0
    with scratch() as root:
        source, recipe = root / "in.jsonl", root / "writes.toml"
        recipe.write_text(faults.RECIPE)
        rows = [{"id": f"d{n}", "text": " ".join(chance.choices(WORDS, k=40))} for n in range(48)]
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
        tamis.run(source, root / "clean", recipe=recipe, executor="inline")
        clean, output = tree(root / "clean"), root / "out"
        for seed in range(seeds):
            with pytest.MonkeyPatch.context() as patch:
                zombies = faults.Zombies(patch) if seed % 3 == 0 else None
                faults.Disk(faults.MOMENTS[seed % 4], chance.randint(1, 40), patch)
                try:
                    tamis.run(source, output, recipe=recipe, executor=zombies or "inline")
                except (tamis.errors.OutputError, OSError):
                    failed += 1
                if zombies:
                    zombies.released.set()
                    for thread in zombies.threads:
                        thread.join()
            tamis.run(source, output, recipe=recipe, executor="inline")
            wrong += tree(output) != clean
            dirty += not inspect.fsck(str(output)).clean
            shutil.rmtree(output)
    return {"seeds": seeds, "runs that failed": failed, "with other bytes": wrong, "fsck finds fault": dirty}


def dying(shard: Shard) -> tuple[Receipt, ...]:
    """A unit that ends its worker the first time it is tried, if its name says so."""
    marker = Path(shard.payload["folder"]) / shard.name
    deed = shard.payload["deed"]
    with marker.open("a") as tries:
        tries.write("x")
    if deed and marker.stat().st_size == 1:
        if deed == "hang":
            time.sleep(1.0)
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(3) if deed == "exit" else os.kill(os.getpid(), getattr(signal, deed))
    return (Receipt(shard.step, shard.name, shard.fingerprint),)


def deaths(chance: random.Random, units: int) -> dict[str, object]:
    """Units of which two in a hundred end their worker once: all are done, nothing is silent, attempts are bounded."""
    with scratch() as root:
        deeds = [
            chance.choice(["exit", "SIGSEGV", "SIGKILL", "hang"]) if chance.random() < 0.02 else ""
            for _ in range(units)
        ]
        shards = [
            Shard("s", f"{number:05d}", "f", {"folder": str(root), "deed": deed}) for number, deed in enumerate(deeds)
        ]
        executor, done, last, silence = load("local", 2), 0, time.monotonic(), 0.0
        try:
            for _ in executor.run(dying, shards):
                done += 1
                silence, last = max(silence, time.monotonic() - last), time.monotonic()
        finally:
            executor.close()
        tries = sum(path.stat().st_size for path in root.iterdir())
        return {
            "units": units,
            "deaths": sum(map(bool, deeds)),
            "done": done,
            "attempts": tries,
            "longest silence s": round(silence, 1),
        }


def files(chance: random.Random, size: int, tiny: int) -> dict[str, object]:
    """`size` bytes of JSONL as one .zst and as files of 64 MB; `tiny` files of 5 kB and the same bytes in one."""
    import zstandard

    found: dict[str, object] = {}
    with scratch() as root:
        recipe = root / "chaos.toml"
        recipe.write_text(RECIPE)
        block = "".join(
            json.dumps({"text": f"{number} " + " ".join(chance.choices(WORDS, k=160))}) + "\n" for number in range(5000)
        ).encode()
        shapes: dict[str, Callable[[Path], None]] = {
            "one zst": lambda folder: _one(folder / "a.jsonl.zst", block, size, zstandard),
            "64 MB files": lambda folder: _several(folder, block, size, 64 << 20),
            "tiny files": lambda folder: _several(folder, block, tiny * 5000, 5000),
            "tiny in 64 MB files": lambda folder: _several(folder, block, tiny * 5000, 64 << 20),
        }
        for name, make in shapes.items():
            (root / "in").mkdir()
            make(root / "in")
            began = time.monotonic()
            options = ("--workers", "2", "--memory", "4GB")
            done = subprocess.run(
                command(root / "in", root / "out", recipe, *options), check=False, capture_output=True, text=True
            )
            found[f"{name}: exit, s"] = (done.returncode, round(time.monotonic() - began, 1))
            for folder in ("in", "out"):
                shutil.rmtree(root / folder, ignore_errors=True)
    return found


def _one(path: Path, block: bytes, size: int, zstandard: Any) -> None:
    with path.open("wb") as file, zstandard.ZstdCompressor(level=1).stream_writer(file) as writer:
        for _ in range(max(1, size // len(block))):
            writer.write(block)


def _several(folder: Path, block: bytes, size: int, each: int) -> None:
    lines, number, at = block.splitlines(keepends=True), 0, 0
    while size > 0:
        held: list[bytes] = []
        room = each
        while room > 0:
            held.append(lines[at % len(lines)])
            room -= len(held[-1])
            at += 1
        (folder / f"{number:06d}.jsonl").write_bytes(b"".join(held))
        number, size = number + 1, size - (each - room)


# Trafilatura, but for pages that say what is to be done to it; each of those is noted when it is begun.
DEADLY = """
import ctypes, os, re, sys
from tamis.extract.extractor import load

def spin():
    while True:
        pass

DEEDS = {
    "SEGFAULT": lambda: ctypes.string_at(0),
    "ABORT": os.abort,
    "EXIT": lambda: os._exit(0),
    "SYSTEMEXIT": lambda: sys.exit(4),
    "SPIN": spin,
    "SLEEP": lambda: ctypes.CDLL(None).sleep(3600),
    "REGEX": lambda: re.match("(a+)+$", "a" * 60 + "b"),
}

class Deadly:
    version = "1"

    def __init__(self):
        self.usual = load("trafilatura")

    def extract(self, html, url):
        for deed, act in DEEDS.items():
            if f"!{deed}!" in html:
                note = os.open(os.environ["TAMIS_CHAOS_COUNT"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
                os.write(note, f"{url}\\n".encode())
                act()
        return self.usual.extract(html, url)
"""
DEEDS = ("SEGFAULT", "ABORT", "EXIT", "SYSTEMEXIT", "SPIN", "SLEEP", "REGEX")
NATURAL: tuple[Callable[[], bytes], ...] = (
    lambda: b"<table>" + b"<tr><td>x</td></tr>" * 100_000 + b"</table>",
    lambda: b"<ul>" + b'<li><a href="/x">link</a></li>' * 120_000 + b"</ul>",
    lambda: b"<br>" * 330_000,
    lambda: b"<div>" * 20_000 + b"<p>text at the bottom</p>" + b"</div>" * 20_000,
    lambda: b'<table><tr><td colspan="9007199254740991">wide</td></tr></table>',
)


def bombs(chance: random.Random, pages: int, count: int) -> dict[str, object]:
    """Good pages with and without bombs: which good pages differ, what became of the bombs, and the time.

    Bombs are pages that are dear by themselves, and pages that make the extractor crash, exit or hang.
    """
    with scratch() as root:
        recipe, notes = root / "chaos.toml", root / "notes"
        (root / "deadly.py").write_text(DEADLY)
        os.environ["TAMIS_CHAOS_COUNT"] = str(notes)
        given = (
            f'[extract]\nextractor = "{root}/deadly.py:Deadly"\ndeadline_seconds = 2.0\ndeadline_seconds_per_mb = 0.0\n'
        )
        recipe.write_text(RECIPE + given)
        places = sorted(chance.sample(range(pages), count))
        told = [deed.encode() for deed in DEEDS]
        makers = [*NATURAL, *(lambda deed=deed: html(0, 0.0).replace(b"<p>", b"<p>!" + deed + b"! ") for deed in told)]
        planted = {place: makers[index % len(makers)]() for index, place in enumerate(places)}
        seed, seconds, found = chance.random(), {}, {}
        # Kernels may have to be compiled: a small run first.
        for name, many, hostile in (("first", 100, {}), ("clean", pages, {}), ("bombed", pages, planted)):
            (root / name).mkdir()
            source = write_warc(root / name / "in.warc.gz", many, seed, hostile, ordinary)
            unit = source.stat().st_size // 8
            began = time.monotonic()
            overrides = {"read.unit_bytes": unit}
            tamis.run(source, root / name / "out", recipe=recipe, executor="local", workers=2, overrides=overrides)
            seconds[name] = time.monotonic() - began
            found[name] = _rows(root / name / "out")
        bad = [f"https://example.org/{place}" for place in places]
        fates = [row.get("reason") or "kept" for url in bad for row in found["bombed"].get(url, [])]
        tries = notes.read_text().splitlines()
        good = {f"https://example.org/{number}" for number in range(pages)} - set(bad)
        return {
            "good pages": len(good),
            "good pages that differ": sum(found["clean"][url] != found["bombed"].get(url) for url in good),
            "bombs": len(bad),
            "bombs listed once": sum(len(found["bombed"].get(url, [])) == 1 for url in bad),
            "fates": {fate: fates.count(fate) for fate in sorted(set(fates))},
            "most tries of one": max(tries.count(url) for url in bad),
            "seconds clean": round(seconds["clean"], 1),
            "seconds with bombs": round(seconds["bombed"], 1),
            "ratio": round(seconds["bombed"] / seconds["clean"], 2),
            "seconds allowed": round(1.5 * seconds["clean"] + 2.0 * count / 2, 1),
        }


def _rows(output: Path) -> dict[str, list[dict[str, Any]]]:
    """Return what became of each page, by URL: what it says, or why it was dropped. Offsets are left out."""
    import pyarrow.parquet as pq

    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(output.glob("d*/*.parquet")):
        for row in pq.read_table(path).to_pylist():
            told = {name: row.get(name) for name in ("text", "title", "language", "tokens", "step", "reason")}
            found.setdefault(row["url"], []).append(told)
    return found


def memory(chance: random.Random, small: int, large: int, budget: str) -> dict[str, object]:
    """Inputs of `small` and `large` bytes of JSONL under one budget: peaks of the process tree, in MB."""
    found: dict[str, object] = {"budget": budget}
    with scratch() as root:
        recipe = root / "chaos.toml"
        recipe.write_text(RECIPE)
        for name, size in (("small", small), ("large", large)):
            source = root / f"{name}.jsonl"
            with source.open("w") as file:
                number = 0
                while file.tell() < size:
                    text = " ".join(chance.choices(WORDS, k=400))
                    file.write(json.dumps({"id": f"{number}", "text": f"{number} {text}"}) + "\n")
                    number += 1
            options = ("--memory", budget, "--set", "read.unit_bytes=33554432")
            process = subprocess.Popen(
                command(source, root / name, recipe, *options), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            peak = Peak(process.pid)
            code = process.wait()
            peak.end()
            found |= {f"{name} exit": code, f"{name} MB": size // 10**6}
            found |= {f"{name} anonymous MB": peak.anonymous // 10**6, f"{name} PSS MB": peak.pss // 10**6}
            source.unlink()
            shutil.rmtree(root / name, ignore_errors=True)
    return found


def giants(chance: random.Random, size: int, budget: str) -> dict[str, object]:
    """One document of `size` bytes in four kinds of file, beside a hundred others: exit, peak in MB, what was kept."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found: dict[str, object] = {"MB": size // 10**6, "budget": budget}
    with scratch() as root:
        recipe, block = root / "chaos.toml", " ".join(chance.choices(WORDS, k=200_000)) + " "
        recipe.write_text(RECIPE)
        text = block * (size // len(block))
        makers: dict[str, Callable[[Path], object]] = {
            "jsonl": lambda path: path.write_text(json.dumps({"id": "giant", "text": text}) + "\n"),
            "txt": lambda path: path.write_text(text),
            "parquet": lambda path: pq.write_table(pa.table({"id": ["giant"], "text": [text]}), path),
            "warc.gz": lambda path: path.write_bytes(record("https://example.org/giant", text.encode())),
        }
        others = [json.dumps({"id": f"d{n}", "text": " ".join(chance.choices(WORDS, k=80))}) + "\n" for n in range(100)]
        for kind, make in makers.items():
            (root / "in").mkdir()
            make(root / "in" / f"giant.{kind}")
            (root / "in" / "others.jsonl").write_text("".join(others))
            process = subprocess.Popen(
                command(root / "in", root / "out", recipe, "--memory", budget),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            peak = Peak(process.pid)
            code = process.wait()
            peak.end()
            rows = [row for path in root.glob("out/d*/*.parquet") for row in _fates(path)]
            giant = [fate for ident, fate in rows if not ident.startswith("d")]
            kept = sum(fate == "kept" for ident, fate in rows if ident.startswith("d"))
            found[kind] = {"exit": code, "peak MB": peak.anonymous // 10**6, "others kept": kept, "giant": giant}
            shutil.rmtree(root / "in")
            shutil.rmtree(root / "out", ignore_errors=True)
    return found


def _fates(path: Path) -> Iterator[tuple[str, str]]:
    import pyarrow.parquet as pq

    columns = [name for name in ("id", "reason") if name in pq.read_schema(path).names]
    for row in pq.read_table(path, columns=columns).to_pylist():
        yield row["id"], row.get("reason") or "kept"


def pages(chance: random.Random, count: int) -> dict[str, object]:
    """`count` small pages through one worker: memory of the tree when a tenth was read, and at the most after that."""
    with scratch() as root:
        recipe = root / "chaos.toml"
        recipe.write_text(RECIPE)
        source = write_warc(root / "in.warc.gz", count, chance.random())
        options = ("--workers", "1", "--set", "read.unit_bytes=1000000000")
        process = subprocess.Popen(
            command(source, root / "out", recipe, *options), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        samples: list[tuple[int, int]] = []
        while process.poll() is None:
            time.sleep(0.2)
            # The unit's texts grow while it is read; the steps after it are another matter.
            part = next(iter(root.glob("out/work/extract/*.part-*")), None)
            with suppress(OSError):
                if part and (written := part.stat().st_size):
                    samples.append((written, held(process.pid)))
        whole = max((written for written, _ in samples), default=0)
        # Batches make it grow in jumps: a short input has none in its first tenth.
        edge = max(whole * 0.1, min((written for written, _ in samples), default=0))
        early = max((size for written, size in samples if written <= edge), default=0)
        late = max((size for written, size in samples if written > edge), default=0)
        return {
            "pages": count,
            "exit": process.returncode,
            "after a tenth MB": early // 10**6,
            "after that MB": late // 10**6,
            "grown MB": (late - early) // 10**6,
        }


def speed(chance: random.Random, count: int) -> dict[str, object]:
    """Seconds and CPU seconds of one worker, of two, and of Ray with two, on one input of `count` pages in six units;
    local and Ray take turns, twice. And what Ray's store held.

    On a machine with other work, CPU seconds say more: those of Ray hold its own processes too.
    """
    found: dict[str, object] = {"pages": count, "load": os.getloadavg()[0]}
    wall: dict[tuple[str, int], list[float]] = {}
    busy: dict[tuple[str, int], list[float]] = {}
    with scratch() as root:
        recipe = root / "chaos.toml"
        recipe.write_text(RECIPE)
        source = write_warc(root / "in.warc.gz", count, chance.random())
        given = {"read.unit_bytes": source.stat().st_size // 6}
        for turn, (executor, workers) in enumerate([("local", 1), ("local", 2), ("ray", 2), ("local", 2), ("ray", 2)]):
            chosen = load(executor, workers)
            # What Ray takes to start is paid once for a cluster, not for a unit.
            list(chosen.run(nothing, [Shard("warm", str(number), "f") for number in range(2 * workers)]))
            began, spent = time.monotonic(), _cpu_seconds()
            output = root / f"{executor}{workers}-{turn}"
            tamis.run(source, output, recipe=recipe, executor=chosen, overrides=given)
            wall.setdefault((executor, workers), []).append(time.monotonic() - began)
            busy.setdefault((executor, workers), []).append(_cpu_seconds() - spent)
            if executor == "ray":
                found |= _store()
            chosen.close()
        trees = [tree(output) for output in sorted(root.iterdir()) if output.is_dir()]
        found["same bytes"] = all(each == trees[0] for each in trees)
    for executor, workers in wall:
        found[f"{executor} {workers} s"] = [round(each, 1) for each in wall[executor, workers]]
        found[f"{executor} {workers} CPU s"] = [round(each, 1) for each in busy[executor, workers]]
    two, ray = ("local", 2), ("ray", 2)
    return found | {
        "two over one": round(wall["local", 1][0] / min(wall[two]), 2),
        "ray over local": round(min(wall[ray]) / min(wall[two]) - 1, 3),
        "ray over local, CPU": round(min(busy[ray]) / min(busy[two]) - 1, 3),
    }


def _cpu_seconds() -> float:
    """Return the CPU seconds of this process and of all that it started and that still lives."""
    total = 0.0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def nothing(shard: Shard) -> tuple[Receipt, ...]:
    """A unit that only shows that a worker is up."""
    time.sleep(0.5)
    return (Receipt(shard.step, shard.name, shard.fingerprint),)


def _store() -> dict[str, object]:
    """Return how much of Ray's object store was ever touched, and how many files it has spilled."""
    touched = 0
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == "raylet":
            touched += sum(area.rss for area in process.memory_maps() if "plasma" in area.path)
    spilled = sum(path.is_file() for path in Path("/tmp/ray").glob("session_latest/ray_spilled*/**/*"))
    return {"store MB": round(touched / 1e6, 1), "spilled files": spilled}


PARTS: dict[str, Callable[[random.Random, float], dict[str, object]]] = {
    "kills": lambda chance, scale: kills(chance, int(100 * scale)),
    "writes": lambda chance, scale: writes(chance, int(200 * scale)),
    "deaths": lambda chance, scale: deaths(chance, int(2000 * scale)),
    "bombs": lambda chance, scale: bombs(chance, int(2000 * scale), max(12, int(20 * scale))),
    "memory": lambda chance, scale: memory(chance, int(5e8 * scale), int(5e9 * scale), "4GB"),
    "giants": lambda chance, scale: giants(chance, int(5e8 * scale), "4GB"),
    "pages": lambda chance, scale: pages(chance, int(50_000 * scale)),
    "files": lambda chance, scale: files(chance, int(4e9 * scale), int(20_000 * scale)),
    "speed": lambda chance, scale: speed(chance, int(20_000 * scale)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="of the sizes and counts")
    given = parser.parse_args()
    assert folder().is_dir()
    scale = given.scale
    for name in given.parts:
        found = PARTS[name](random.Random(f"{given.seed} {name}"), scale)
        print(json.dumps({"part": name, "seed": given.seed, "scale": scale} | found), flush=True)


if __name__ == "__main__":
    main()
