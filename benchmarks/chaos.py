"""Chaos: faults from a seed on real runs, and what each cost. `python benchmarks/chaos.py [PART ...] [--seed N]`.

kills: the driver, or one of its workers, shot at random moments; the same bytes at the end, and units done twice.
bombs: pages that hang, crash, allocate or nest, among good ones; every good page as without them, and the time.
memory: a small and a large input under one budget; the peaks of the process tree.
pages: many small pages through one worker; how much it grows.
speed: one worker, two workers, and Ray, on the same input.
"""

from __future__ import annotations

import argparse
import gzip
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
from contextlib import contextmanager
from pathlib import Path

import psutil

import tamis
from tamis.demo import folder, pack
from tamis.pipeline import inspect
from tamis.pipeline.guard import held

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


def write_warc(path: Path, pages: int, seed: float, bombs: dict[int, bytes] | None = None) -> Path:
    with path.open("wb") as file:
        for number in range(pages):
            body = (bombs or {}).get(number) or html(number, seed)
            file.write(record(f"https://example.org/{number}", body))
    return path


@contextmanager
def scratch() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="tamis-chaos-"))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def kills(chance: random.Random, times: int) -> dict[str, object]:
    """Shoot the driver's whole group, or one worker, `times` times in all, over as many runs as that takes."""
    with scratch() as root:
        source, recipe = pack(root / "crawl"), root / "chaos.toml"
        recipe.write_text(RECIPE)
        options = ("--workers", "2", "--set", "read.unit_bytes=30000")
        tamis.run(source, root / "clean", recipe=recipe, executor="inline", overrides={"read.unit_bytes": 30_000})
        clean, wrong, shots, finished = tree(root / "clean"), 0, 0, 0
        output = root / "out"
        while shots < times:
            process = subprocess.Popen(
                command(source, output, recipe, *options),
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            if _shoot(process, chance):
                shots += 1
                continue
            finished += 1
            wrong += process.returncode != 0 or tree(output) != clean
            shutil.rmtree(output)
        code = subprocess.run(
            command(source, output, recipe, *options), check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ).returncode
        wrong += code != 0 or tree(output) != clean
        return {
            "shots": shots,
            "runs finished": finished + 1,
            "runs with other bytes": wrong,
            "fsck clean": inspect.fsck(str(output)).clean,
        }


def _shoot(process: subprocess.Popen[bytes], chance: random.Random) -> bool:
    """Kill something at a random moment; returns False where the run was done before the driver was hit."""
    try:
        process.wait(chance.uniform(0.3, 8.0))
        return False
    except subprocess.TimeoutExpired:
        children = psutil.Process(process.pid).children(recursive=True)
    if chance.random() < 0.5 and children:
        psutil.Process(chance.choice(children).pid).kill()
        try:
            process.wait(chance.uniform(0.3, 3.0))
            return False
        except subprocess.TimeoutExpired:
            pass
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


def bombs(chance: random.Random, pages: int, count: int) -> dict[str, object]:
    """Good pages with and without bombs: which good pages differ, what became of the bombs, and the time."""
    makers: list[Callable[[], bytes]] = [
        lambda: b"<table>" + b"<tr><td>x</td></tr>" * 100_000 + b"</table>",
        lambda: b"<ul>" + b'<li><a href="/x">link</a></li>' * 120_000 + b"</ul>",
        lambda: b"<br>" * 330_000,
        lambda: b"<div>" * 20_000 + b"<p>text at the bottom</p>" + b"</div>" * 20_000,
        lambda: b'<table><tr><td colspan="9007199254740991">wide</td></tr></table>',
    ]
    with scratch() as root:
        recipe = root / "chaos.toml"
        recipe.write_text(RECIPE + '[extract]\nextractor = "trafilatura"\ndeadline_seconds = 2.0\n')
        places = sorted(chance.sample(range(pages), count))
        planted = {place: makers[index % len(makers)]() for index, place in enumerate(places)}
        seed, seconds, found = chance.random(), {}, {}
        for name, hostile in (("clean", {}), ("bombed", planted)):
            (root / name).mkdir()
            source = write_warc(root / name / "in.warc.gz", pages, seed, hostile)
            began = time.monotonic()
            tamis.run(source, root / name / "out", recipe=recipe, executor="local", workers=2)
            seconds[name] = time.monotonic() - began
            found[name] = _texts(root / name / "out")
        good = {f"https://example.org/{n}" for n in range(pages)} - {f"https://example.org/{n}" for n in places}
        return {
            "good pages": len(good),
            "good pages that differ": sum(found["clean"][url] != found["bombed"].get(url) for url in good),
            "bombs listed or kept": sum(f"https://example.org/{n}" in found["bombed"] for n in places),
            "seconds clean": round(seconds["clean"], 1),
            "seconds with bombs": round(seconds["bombed"], 1),
        }


def _texts(output: Path) -> dict[str, str]:
    import pyarrow.parquet as pq

    rows = [row for path in sorted(output.glob("d*/*.parquet")) for row in pq.read_table(path).to_pylist()]
    return {row["url"]: row.get("text") or row["reason"] for row in rows}


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


def pages(chance: random.Random, count: int) -> dict[str, object]:
    """`count` small pages through one worker: memory of the tree early on, and in all."""
    with scratch() as root:
        recipe = root / "chaos.toml"
        recipe.write_text(RECIPE)
        source = write_warc(root / "in.warc.gz", count, chance.random())
        options = ("--workers", "1", "--set", "read.unit_bytes=1000000000")
        process = subprocess.Popen(
            command(source, root / "out", recipe, *options), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        samples = []
        while process.poll() is None:
            time.sleep(0.5)
            live = root / "out" / "manifest.jsonl"
            if not live.exists() or b'"extract"' not in live.read_bytes():
                samples.append(held(process.pid))
        early = max(samples[: max(1, len(samples) // 4)], default=0)
        return {
            "pages": count,
            "exit": process.returncode,
            "first quarter MB": early // 10**6,
            "whole MB": max(samples, default=0) // 10**6,
        }


def speed(chance: random.Random, count: int) -> dict[str, object]:
    """Seconds of one worker, of two, and of Ray with two, on one input of `count` pages."""
    found: dict[str, object] = {"pages": count, "load": os.getloadavg()[0]}
    with scratch() as root:
        recipe = root / "chaos.toml"
        recipe.write_text(RECIPE)
        source = write_warc(root / "in.warc.gz", count, chance.random())
        unit = source.stat().st_size // 6
        for executor, workers in (("local", 1), ("local", 2), ("ray", 2)):
            began = time.monotonic()
            given = {"read.unit_bytes": unit}
            tamis.run(
                source,
                root / f"{executor}{workers}",
                recipe=recipe,
                executor=executor,
                workers=workers,
                overrides=given,
            )
            found[f"{executor} {workers} s"] = round(time.monotonic() - began, 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["kills", "bombs", "memory", "pages", "speed"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="of the sizes and counts")
    given = parser.parse_args()
    assert folder().is_dir()
    scale = given.scale
    parts: dict[str, Callable[[random.Random], dict[str, object]]] = {
        "kills": lambda chance: kills(chance, int(100 * scale)),
        "bombs": lambda chance: bombs(chance, int(2000 * scale), max(5, int(20 * scale))),
        "memory": lambda chance: memory(chance, int(5e8 * scale), int(5e9 * scale), "4GB"),
        "pages": lambda chance: pages(chance, int(50_000 * scale)),
        "speed": lambda chance: speed(chance, int(20_000 * scale)),
    }
    for name in given.parts:
        print(json.dumps({"part": name, "seed": given.seed} | parts[name](random.Random(f"{given.seed} {name}"))))


if __name__ == "__main__":
    main()
