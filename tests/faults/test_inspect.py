"""What an output folder answers: while a run goes on, when it is done, and when something has happened to its files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import tamis
from tamis.budget.ledger import Amount, Ledger
from tamis.errors import InputError, OutputError
from tamis.inspections import safe
from tamis.pipeline import inspect
from tamis.pipeline.alarms import alarms
from tamis.pipeline.executor import InlineExecutor
from tamis.pipeline.live import METRICS, STATUS, metrics
from tamis.pipeline.replay import replay
from tamis.recipe import load


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def finished(miniweb: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("inspect") / "out"
    tamis.run(miniweb, output, executor="inline")
    return output


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "out")
    return tmp_path / "out"


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "tamis", *(str(each) for each in arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"})


class Watched(InlineExecutor):
    """Looks at the folder after every unit, as another terminal would."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.seen: list[inspect.Status] = []

    def run(self, work: Any, shards: Any) -> Any:
        for receipts in super().run(work, shards):
            yield receipts
            time.sleep(0.15)
            self.seen.append(inspect.status(str(self.output)))


def test_status_of_a_live_run_grows(miniweb: Path, plain_recipe: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tamis.pipeline.live.EVERY_S", 0.05)
    watched = Watched(tmp_path / "out")
    tamis.run(miniweb, tmp_path / "out", recipe=plain_recipe, executor=watched)
    assert {each.state for each in watched.seen} == {"running"}
    totals = [sum(each.tokens.values()) for each in watched.seen]
    assert totals == sorted(totals)
    assert totals[-1] > 0
    read = [each.live["documents_read"] for each in watched.seen]
    assert read == sorted(read)
    assert watched.seen[-1].live["steps"]["sift"] == {"done": 3, "total": 3, "left_seconds": None}
    assert not (tmp_path / "out" / STATUS).exists()
    assert not (tmp_path / "out" / METRICS).exists()
    assert inspect.status(str(tmp_path / "out")).state == "finished"


def test_the_metrics_are_prometheus_text() -> None:
    state = {"documents_read": 3, "bytes_read": 9, "updated": 1.5, "tokens": {"fra_Latn": 4}}
    lines = metrics(state | {"steps": {"sift": {"done": 1, "total": 2}}}).splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    assert 'tamis_units_done{step="sift"} 1' in samples
    assert 'tamis_tokens{language="fra_Latn"} 4' in samples
    assert all(len(sample.rsplit(" ", 1)) == 2 and float(sample.rsplit(" ", 1)[1]) >= 0 for sample in samples)


def test_status_of_a_run_that_was_killed(miniweb: Path, plain_recipe: Path, tmp_path: Path) -> None:
    class Stops(InlineExecutor):
        def run(self, work: Any, shards: Any) -> Any:
            yield next(iter(super().run(work, shards)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tamis.run(miniweb, tmp_path / "out", recipe=plain_recipe, executor=Stops())
    found = inspect.status(str(tmp_path / "out"))
    assert (found.state, found.units["sift"]) == ("stopped", 1)
    assert sum(found.tokens.values()) > 0


def test_why_tells_of_every_page(finished: Path, sidecars: dict[str, Any]) -> None:
    for url, page in sorted(sidecars.items())[::9]:
        fates = inspect.why(str(finished), url)
        assert [fate.row["url"] for fate in fates] == [url]
        if page["expect"] == "kept":
            assert fates[0].kept
        (again,) = inspect.why(str(finished), fates[0].row["id"])
        assert again.row == fates[0].row


def test_why_names_the_partner_of_a_duplicate(finished: Path, sidecars: dict[str, Any]) -> None:
    url, page = next((url, page) for url, page in sidecars.items() if page["duplicate_of"])
    (fate,) = inspect.why(str(finished), url)
    assert fate.partner is not None
    assert fate.partner["url"] == page["duplicate_of"]
    said = command("why", finished, url).stdout
    assert "duplicate" in said
    assert page["duplicate_of"] in said


def test_why_of_what_is_not_there(finished: Path) -> None:
    done = command("why", finished, "https://nowhere.example/")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_replay_says_what_the_run_said(finished: Path, miniweb: Path, sidecars: dict[str, Any]) -> None:
    settings = load("default").settings()
    for url in sorted(sidecars)[::23]:
        (fate,) = inspect.why(str(finished), url)
        name, _, _ = fate.row["id"].rpartition(":")
        traces = list(replay(fate.row["id"], settings, source=str(miniweb.parent / Path(name).name)))
        last = traces[-1]
        if fate.kept or fate.row["step"] == "dedup":
            assert last.stage == "kept"
            assert (last.found["language"], last.found["tokens"]) == (fate.row["language"], fate.row["tokens"])
        else:
            assert (last.stage, last.found["reason"], last.found["step"]) == (
                "dropped",
                fate.row["reason"],
                fate.row["step"],
            )


def test_replay_of_no_record(miniweb: Path) -> None:
    warc = miniweb.parent / "miniweb-00000.warc.gz"
    for ident in ("no colon", f"{warc}:7", "absent.warc.gz:0"):
        with pytest.raises(InputError):
            list(replay(ident, load("default").settings()))


def test_fsck_of_a_finished_run_is_clean(finished: Path) -> None:
    found = inspect.fsck(str(finished))
    assert found.clean
    assert found.files > 50


@pytest.mark.parametrize("folder", ["documents", "dropped", "signatures", "tokens", "work"])
def test_one_flipped_byte_is_named_and_only_its_unit_redone(folder: str, copy: Path, miniweb: Path) -> None:
    before = tree(copy)
    victim = sorted(path for path in before if path.startswith(folder) and path.endswith((".parquet", ".arrow")))[0]
    data = bytearray(before[victim])
    data[len(data) // 2] ^= 1
    (copy / victim).write_bytes(data)
    found = inspect.fsck(str(copy), repair=True)
    assert list(found.damaged) == [victim]

    class Counted(InlineExecutor):
        units: list[str] = []  # noqa: RUF012

        def run(self, work: Any, shards: Any) -> Any:
            shards = list(shards)
            self.units += [str(shard) for shard in shards]
            return super().run(work, shards)

    counted = Counted()
    counted.units = []
    tamis.run(miniweb, copy, executor=counted)
    assert tree(copy) == before
    assert len(counted.units) == 1


def test_fsck_lists_what_is_missing_and_what_is_nobodys(copy: Path, miniweb: Path) -> None:
    before = tree(copy)
    next(iter(sorted((copy / "documents").iterdir()))).unlink()
    (copy / "dropped" / "stray.parquet").write_bytes(b"x")
    (copy / "documents" / "00000-000.parquet.part-0123").write_bytes(b"x")
    found = inspect.fsck(str(copy))
    assert list(found.damaged.values()) == ["missing"]
    assert found.orphans == ["documents/00000-000.parquet.part-0123", "dropped/stray.parquet"]
    done = command("fsck", copy, "--repair")
    assert done.returncode == 4
    tamis.run(miniweb, copy, executor="inline")
    assert tree(copy) == before
    assert command("fsck", copy).returncode == 0


def test_fsck_of_no_run(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        inspect.fsck(str(tmp_path))


def test_a_language_treated_unlike_the_others_raises_a_red_line() -> None:
    ledger = Ledger(["language", "gopher"])
    for code, kept in (("fra_Latn", 90), ("deu_Latn", 80), ("tha_Thai", 10), ("cmn_Hans", 70), ("few_Latn", 0)):
        total = 10 if code == "few_Latn" else 100
        ledger.book("language", code, "in", Amount(total))
        ledger.book("gopher", code, "in", Amount(total))
        ledger.book("gopher", code, "kept", Amount(kept))
    assert [(alarm.step, alarm.language) for alarm in alarms(ledger)] == [("gopher", "tha_Thai")]


def test_what_a_page_says_never_commands_a_terminal() -> None:
    said = safe("\x1b]0;owned\x07\x9b31m[red]\r\nx\u202e")
    assert not set(said) & {"\x1b", "\x07", "\x9b", "\r", "\n", "\u202e"}
    assert "\\[red]" in said


def test_the_log_of_a_run_is_lines_or_json(miniweb: Path, plain_recipe: Path, tmp_path: Path) -> None:
    done = command("run", miniweb, tmp_path / "out", "--recipe", plain_recipe, "--log-json", "--workers", "2")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines[-1]["done"] == lines[-1]["total"]
    assert "\x1b" not in done.stderr


def test_no_thread_of_a_run_is_left(miniweb: Path, plain_recipe: Path, tmp_path: Path) -> None:
    tamis.run(miniweb, tmp_path / "out", recipe=plain_recipe, executor="inline")
    assert not [thread for thread in threading.enumerate() if thread.name == "tamis-live"]
