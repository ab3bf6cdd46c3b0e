"""Kills and damage: a run killed at random moments, and one byte flipped in each kind of intermediate file.

    python -P benchmarks/dedup_faults.py [--kills 50] [--seed 1]

Kills: `tamis run` on the mini web with two workers is killed with SIGKILL, its workers too, at random moments, and
started again until it ends; again in fresh folders until all kills are spent. Flips: a finished run is taken back to
before its documents step, one byte is flipped in one file, and the command is run again: it must name the file, redo
its unit and what is unfinished, and nothing else, and end. Both must end with the bytes of an undisturbed run.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tamis
from tamis.demo import pack
from tamis.pipeline.executor import InlineExecutor

RECIPE = 'name = "faults"\n[dedup]\nkeep_sets = true\n[tokenize]\nshard_tokens = 20_000\n'
UNIT_BYTES = 60_000
# Which steps are to be done again for a file below each folder to be opened.
UNFINISHED = {
    "work/extract/": ("sift", "pair", "cluster", "regroup", "resolve", "verdict", "documents", "tokenize"),
    "work/sift/": ("documents", "tokenize"),
    "signatures/": ("pair", "cluster", "regroup", "resolve", "verdict", "documents", "tokenize"),
    "work/pair/": ("cluster", "regroup", "resolve", "verdict", "documents", "tokenize"),
    "work/cluster/group": ("regroup", "resolve", "verdict", "documents", "tokenize"),
    "work/cluster/part": ("resolve", "verdict", "documents", "tokenize"),
    "work/regroup/": ("resolve", "verdict", "documents", "tokenize"),
    "work/resolve/": ("verdict", "documents", "tokenize"),
    "work/verdict/": ("documents", "tokenize"),
}


class Counted(InlineExecutor):
    """Remembers which units it was given."""

    def __init__(self) -> None:
        self.units: list[str] = []

    def run(self, work, shards):  # type: ignore[no-untyped-def]
        shards = list(shards)
        self.units += [str(shard) for shard in shards]
        return super().run(work, shards)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def finish(manifest: Path, output: Path, recipe: Path) -> Counted:
    counted = Counted()
    tamis.run(manifest, output, recipe=recipe, executor=counted, overrides={"read.unit_bytes": UNIT_BYTES})
    return counted


def kills(manifest: Path, folder: Path, recipe: Path, wanted: dict[str, bytes], count: int, seed: int) -> None:
    chance, done, runs = random.Random(seed), 0, 0
    while done < count:
        output = folder / f"killed-{runs}"
        command = [sys.executable, "-m", "tamis", "run", str(manifest), str(output), "--recipe", str(recipe)]
        command += ["--workers", "2", "--set", f"read.unit_bytes={UNIT_BYTES}"]
        while True:
            process = subprocess.Popen(
                command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            until = time.monotonic() + chance.uniform(0.5, 12.0)
            while time.monotonic() < until and process.poll() is None:
                time.sleep(0.02)
            if process.poll() is not None:
                break
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            done += 1
            if done >= count:
                break
        subprocess.run(command, check=True, capture_output=True)
        runs += 1
        if tree(output) != wanted:
            raise SystemExit(f"run {runs}: other bytes after {done} kills")
        print(f"{done} kills in {runs} runs: the same bytes", flush=True)


def flips(manifest: Path, folder: Path, recipe: Path, clean: Path, wanted: dict[str, bytes], seed: int) -> None:
    chance = random.Random(seed)
    told: list[str] = []
    listener = logging.Handler()
    listener.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("tamis").addHandler(listener)
    for place, steps in UNFINISHED.items():
        for victim in chance.sample([path for path in wanted if path.startswith(place)], k=1):
            output = folder / f"flipped-{place.strip('/').replace('/', '-')}"
            shutil.copytree(clean, output)
            receipts = [json.loads(line) for line in (output / "manifest.jsonl").read_text().splitlines()]
            left = [receipt for receipt in receipts if receipt["step"] not in steps]
            maker = next(r for r in left if any(entry["path"] == victim for entry in r["files"]))
            (output / "manifest.jsonl").write_text("".join(f"{json.dumps(receipt)}\n" for receipt in left))
            data = bytearray((output / victim).read_bytes())
            at = chance.randrange(len(data))
            data[at] ^= 1 << chance.randrange(8)
            (output / victim).write_bytes(data)
            told.clear()
            redone = finish(manifest, output, recipe).units
            named = any(victim in line for line in told)
            again = [unit for unit in redone if unit.partition("/")[0] not in steps]
            same = tree(output) == wanted
            # A sift unit is what makes its extracted texts as well.
            made = {f"{maker['step']}/{maker['shard']}", f"sift/{maker['shard']}"}
            print(f"{victim} byte {at}: named {named}, redone besides what was unfinished: {again}, same bytes {same}")
            if not (named and same and set(again) <= made):
                raise SystemExit("not as it must be")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tamis-faults-") as name:
        folder = Path(name)
        manifest, recipe = pack(folder / "crawl"), folder / "faults.toml"
        recipe.write_text(RECIPE)
        clean = folder / "clean"
        finish(manifest, clean, recipe)
        wanted = tree(clean)
        flips(manifest, folder, recipe, clean, wanted, args.seed)
        if args.kills:
            kills(manifest, folder, recipe, wanted, args.kills, args.seed)


if __name__ == "__main__":
    main()
