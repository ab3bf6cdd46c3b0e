"""Many workers at one host: never faster than the rate, every file whole, and an end where the host refuses."""

from __future__ import annotations

import gzip
import hashlib
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import tamis
from tamis.errors import InputError
from tamis.pipeline.executor import load
from tamis.pipeline.gatekeeper import Gatekeeper, reachable
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.shard import Shard
from tamis.pipeline.storage import InputFiles
from tamis.warc.fetch import Politeness
from tamis.warc.gate import LocalGate, RemoteGate

RATE = 40.0
FILES = 20


def warc(number: int) -> bytes:
    body = random.Random(number).randbytes(20_000 + 3000 * number)
    head = f"WARC/1.0\r\nWARC-Type: resource\r\nContent-Length: {len(body)}\r\n\r\n"
    return gzip.compress(head.encode() + body + b"\r\n\r\n", 1, mtime=0)


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    folder = tmp_path / "crawl"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number}.warc.gz").write_bytes(warc(number))
    return folder


def arrive(shard: Shard) -> tuple[Receipt, ...]:
    files: InputFiles = shard.payload["files"]
    with files.open(shard.payload["uri"]) as stream:
        digest = hashlib.sha256(stream.read()).hexdigest()
    return (Receipt(shard.step, shard.name, shard.fingerprint, facts={"sha256": digest}),)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["local", "ray"])
def test_eight_workers_share_one_rate_and_every_file_arrives(
    name: str, crawl: Path, fakecc: Any, tmp_path: Path
) -> None:
    if name == "ray":
        pytest.importorskip("ray")
    server = fakecc(crawl, busy=0.7, cut=0.1)
    files = InputFiles(str(tmp_path / "cache"), politeness=Politeness(first_wait=0.02, longest_wait=0.5, timeout=20))
    executor = load(name, workers=8 if name == "local" else 2)
    with Gatekeeper(LocalGate(RATE)) as keeper:
        files.gatekeeper = keeper.address
        # Each file is asked for by two units at once, as when it is cut into spans; one of them fetches it.
        names = [f"{number}-{part}" for number in range(FILES) for part in "ab"]
        shards = [
            Shard("s", each, "f", {"files": files, "uri": f"{server.url}/{each.partition('-')[0]}.warc.gz"})
            for each in names
        ]
        try:
            done = {receipt.shard: receipt.facts["sha256"] for (receipt,) in executor.run(arrive, shards)}
        finally:
            executor.close()
    wanted = {each: hashlib.sha256(warc(int(each.partition("-")[0]))).hexdigest() for each in names}
    assert done == wanted
    assert not [path for path in (tmp_path / "cache").iterdir() if b"SlowDown" in path.read_bytes()]
    assert sorted(path.suffix for path in (tmp_path / "cache").iterdir()) == [".gz"] * FILES
    # A turn is taken at the gate and the request sent after it: how long that takes differs by some milliseconds.
    for seconds in (0.5, 1.0, 2.0):
        assert server.most_in(seconds) <= RATE * seconds * 1.1 + 2
    span = server.log[-1][0] - server.log[0][0]
    assert (len(server.log) - 1) / span <= RATE * 1.02


def test_a_host_that_refuses_stops_the_run_with_one_message(crawl: Path, fakecc: Any, tmp_path: Path) -> None:
    server = fakecc(crawl, refuse=True)
    manifest = tmp_path / "warc.paths"
    manifest.write_text("".join(f"{server.url}/{number}.warc.gz\n" for number in range(FILES)))
    began = time.monotonic()
    command = [sys.executable, "-m", "tamis", "run", str(manifest), str(tmp_path / "out"), "--workers", "8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert time.monotonic() - began < 30
    assert done.returncode == 3
    assert done.stderr.count("error:") == 1
    assert "403" in done.stderr
    assert len(server.log) <= 3 + 8  # those under way when the third refusal came


def test_workers_learn_that_a_host_refuses_and_that_it_wants_to_be_left_alone() -> None:
    now = [0.0]
    with Gatekeeper(LocalGate(rate=10, clock=lambda: now[0])) as keeper:
        gates = [RemoteGate(keeper.address) for _ in range(3)]
        assert [gate.take("h") for gate in gates] == pytest.approx([0.0, 0.1, 0.2])
        gates[0].note("h", 503, 30.0)
        assert gates[1].take("h") == pytest.approx(30.0)
        assert gates[1].take("other") == 0.0
        for gate in gates:
            gate.note("h", 403)
        with pytest.raises(InputError, match=r"403, 3 times"):
            gates[2].take("h")
        secret = keeper.address.rpartition(":")[0] + ":" + "0" * 32
        with pytest.raises(InputError, match="cannot be reached"):
            RemoteGate(secret).take("h")
    with pytest.raises(InputError, match="cannot be reached"):
        gates[0].take("h")


def test_one_at_a_time_and_a_dead_worker_lets_go() -> None:
    with Gatekeeper(LocalGate()) as keeper:
        code = "import sys, time; from tamis.warc.gate import RemoteGate\n"
        code += "with RemoteGate(sys.argv[1]).alone('file'): print('mine', flush=True); time.sleep(60)"
        with subprocess.Popen([sys.executable, "-c", code, keeper.address], stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            holder.stdout.readline()

            def take() -> bool:
                with RemoteGate(keeper.address).alone("file"):
                    return True

            with ThreadPoolExecutor(1) as threads:
                waiting = threads.submit(take)
                time.sleep(0.3)
                assert not waiting.done()
                holder.kill()
                assert waiting.result(10)


def test_workers_on_other_machines_are_given_an_address_that_is_not_the_loopback() -> None:
    assert reachable(None) == "127.0.0.1"
    assert reachable("127.0.0.1:6379") == "127.0.0.1"
    assert reachable("auto").count(".") == 3


def test_a_run_over_https_is_the_run_over_files(miniweb: Path, plain_recipe: Path, fakecc: Any, tmp_path: Path) -> None:
    """The same names, the same bytes: only where `crawl-data` lies differs, and that is one word of the recipe."""
    folder = tmp_path / "cc" / "crawl-data"
    folder.mkdir(parents=True)
    for path in sorted(miniweb.parent.glob("*.warc.gz")):
        (folder / path.name).write_bytes(path.read_bytes())
    lines = [f"crawl-data/{path.name}" for path in sorted(folder.iterdir())]
    (tmp_path / "cc" / "warc.paths").write_text("\n".join(lines))
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "warc.paths").write_text("\n".join(lines))
    server = fakecc(tmp_path / "cc", busy=0.2)
    trees = []
    for place, word in (("cc", ""), ("away", server.url)):
        output = tmp_path / f"out-{place}"
        tamis.run(
            tmp_path / place / "warc.paths",
            output,
            recipe=plain_recipe,
            executor="local",
            workers=2,
            overrides={"read.crawl_data": word, "read.requests_per_second": 100},
        )
        found = {str(path.relative_to(output)): path for path in sorted(output.rglob("*")) if path.is_file()}
        trees.append({name: path.read_bytes() for name, path in found.items() if name.startswith(("documents", "dro"))})
    assert trees[0] == trees[1]
    assert len(server.log) >= 6
