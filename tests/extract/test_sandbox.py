from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tamis.errors import ConfigError
from tamis.extract import Extracted, Failure, Limits, Sandbox

HOSTILE = f"{Path(__file__).with_name('hostile.py')}:Hostile"
QUICK = Limits(deadline_s=1.0, memory_bytes=512 << 20)


@pytest.fixture(scope="module")
def hostile() -> Iterator[Sandbox]:
    with Sandbox(HOSTILE, limits=QUICK) as sandbox:
        yield sandbox


def text(outcome: Extracted | Failure) -> str:
    assert isinstance(outcome, Extracted), outcome
    return outcome.text


def failure(outcome: Extracted | Failure) -> Failure:
    assert isinstance(outcome, Failure), outcome
    return outcome


def worker_pid(sandbox: Sandbox) -> int:
    return int(text(sandbox.extract("!PID!")))


def test_good_page(hostile: Sandbox) -> None:
    found = hostile.extract("<html lang='fr'><title> a\nb </title>été \U0001f600", "http://x/é")
    assert isinstance(found, Extracted)
    assert found.text == "<html lang='fr'><title> a\nb </title>été \U0001f600|http://x/é"
    assert (found.title, found.language, found.confidence, found.fallback) == ("a b", "fr", 1.0, None)
    assert found.extractor == HOSTILE


@pytest.mark.parametrize(
    ("deed", "reason", "detail"),
    [
        ("SEGFAULT", "extract:crash", "SIGSEGV"),
        ("SIGSEGV", "extract:crash", "SIGSEGV"),
        ("ABORT", "extract:crash", "SIGABRT"),
        ("EXIT0", "extract:crash", "exit code 0"),
        ("EXIT3", "extract:crash", "exit code 3"),
        ("SYSTEMEXIT", "extract:crash", "SystemExit: 4"),
        ("KILLGROUP", "extract:crash", "SIGKILL"),
        ("MEMORY", "extract:memory", "MemoryError"),
        ("RAISE", "extract:error", "ValueError: no \\ud800 page"),
        ("SLEEP", "extract:timeout", "1.0 s"),
        ("SPIN", "extract:timeout", "1.0 s"),
    ],
)
def test_bad_page_costs_only_itself(hostile: Sandbox, deed: str, reason: str, detail: str) -> None:
    before, bad, after = hostile.extract_many([("one", None), (f"!{deed}!", None), ("two", None)])
    assert text(before) == "one|None"
    assert text(after) == "two|None"
    assert failure(bad).reason == reason
    assert detail in failure(bad).detail


def test_page_that_kills_the_nursery(hostile: Sandbox) -> None:
    # The worker dies with its nursery, but may answer first; the pages around it are whole either way.
    before, _, after = hostile.extract_many([("one", None), ("!KILLPARENT!", None), ("two", None)])
    assert (text(before), text(after)) == ("one|None", "two|None")


def test_crash_report_names_the_line(hostile: Sandbox) -> None:
    details = {failure(hostile.extract("!SEGFAULT!")).detail for _ in range(3)}
    assert len(details) == 1
    assert "_segfault" in details.pop()


def test_noise_of_the_library_does_not_damage_answers(hostile: Sandbox, capfd: pytest.CaptureFixture[str]) -> None:
    assert text(hostile.extract("!CHATTER!")).startswith("!CHATTER!")
    assert capfd.readouterr() == ("", "")


def test_bad_pages_among_many_change_no_other(hostile: Sandbox) -> None:
    good = [(f"page {number} " + "x" * (number * 997 % 40_000), f"http://x/{number}") for number in range(300)]
    deeds = ["SIGSEGV", "ABORT", "EXIT0", "SYSTEMEXIT", "SLEEP", "RAISE", "MEMORY"]
    mixed = list(good)
    for number, deed in enumerate(deeds):
        mixed.insert(17 * (number + 1), (f"!{deed}!", None))
    alone = list(hostile.extract_many(good))
    together = list(hostile.extract_many(mixed))
    assert [outcome for outcome in together if isinstance(outcome, Extracted)] == alone
    assert sum(isinstance(outcome, Failure) for outcome in together) == len(deeds)


def test_bad_pages_in_a_row(hostile: Sandbox) -> None:
    outcomes = list(hostile.extract_many([("!EXIT0!", None)] * 5 + [("fine", None)]))
    assert [isinstance(outcome, Failure) for outcome in outcomes] == [True] * 5 + [False]


def test_large_pages_both_ways(hostile: Sandbox) -> None:
    pages = [("é" * size, None) for size in (3_000_000, 1, 5_000_000, 0, 2_000_000)]
    assert [text(outcome) for outcome in hostile.extract_many(pages)] == [f"{html}|None" for html, _ in pages]


def test_lone_surrogates_and_nul(hostile: Sandbox) -> None:
    assert text(hostile.extract("a\ud800b\0c  \r\nd", "u\udfff")) == "a\ufffdbc\nd|u?"


def test_too_large_is_not_handed_over() -> None:
    with Sandbox(HOSTILE, limits=Limits(max_html_bytes=10), fallback="plain") as sandbox:
        assert failure(sandbox.extract("x" * 11)).reason == "extract:too_large"
        assert failure(sandbox.extract("é" * 6)).detail == "12 bytes, limit 10"
        assert text(sandbox.extract("é" * 5)) == "ééééé|None"


def test_caller_works_while_the_child_does(hostile: Sandbox) -> None:
    pages = hostile.extract_many([("!PAUSE!", None)] * 4)
    next(pages)
    time.sleep(0.6)  # the child has finished the second and third by now
    started = time.monotonic()
    next(pages)
    assert time.monotonic() - started < 0.15
    pages.close()
    assert text(hostile.extract("next")) == "next|None"


def test_one_use_at_a_time(hostile: Sandbox) -> None:
    pages = hostile.extract_many([("a", None)] * 5)
    next(pages)
    with pytest.raises(RuntimeError, match="in the middle"):
        hostile.extract("b")
    pages.close()


def test_works_in_another_thread() -> None:
    outcomes: list[Extracted | Failure] = []

    def work() -> None:
        with Sandbox(HOSTILE, limits=QUICK) as sandbox:
            outcomes.extend(sandbox.extract_many([("a", None), ("!SLEEP!", None), ("!ABORT!", None), ("b", None)]))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert [type(outcome) for outcome in outcomes] == [Extracted, Failure, Failure, Extracted]


def test_made_in_one_thread_and_used_in_another() -> None:
    sandbox = Sandbox(HOSTILE, limits=QUICK)
    thread = threading.Thread(target=sandbox.extract, args=("a",))
    thread.start()
    thread.join(60)
    assert text(sandbox.extract("b")) == "b|None"
    sandbox.close()


def test_a_fork_of_the_caller_gets_a_child_of_its_own(hostile: Sandbox) -> None:
    mine = worker_pid(hostile)
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, str(worker_pid(hostile)).encode())
        os._exit(0)
    theirs = int(os.read(reader, 20))
    os.wait()
    os.close(reader)
    os.close(writer)
    assert theirs != mine
    assert worker_pid(hostile) == mine


def test_worker_is_replaced_after_so_many_pages() -> None:
    with Sandbox(HOSTILE, limits=Limits(recycle_pages=3)) as sandbox:
        pids = [text(outcome) for outcome in sandbox.extract_many([("!PID!", None)] * 7)]
    assert [len(set(pids[at : at + 3])) for at in (0, 3, 6)] == [1, 1, 1]
    assert len(set(pids)) == 3


def test_worker_that_grows_is_replaced() -> None:
    with Sandbox(HOSTILE, limits=Limits(recycle_growth_bytes=64 << 20)) as sandbox:
        first = worker_pid(sandbox)
        for _ in range(6):
            text(sandbox.extract("!LEAK!"))
        second = worker_pid(sandbox)
        assert first != second
        assert psutil.Process(second).memory_info().rss < 120 << 20


def test_memory_used_up_by_earlier_pages_fails_no_page() -> None:
    limits = Limits(memory_bytes=100 << 20, recycle_growth_bytes=1 << 40)
    with Sandbox(HOSTILE, limits=limits) as sandbox:
        outcomes = list(sandbox.extract_many([("!LEAK!", None)] * 12))
    assert all(isinstance(outcome, Extracted) for outcome in outcomes)


def test_deadline_grows_with_the_page() -> None:
    with Sandbox(HOSTILE, limits=Limits(deadline_s=0.3, deadline_s_per_mb=0.2)) as sandbox:
        assert "0.7 s for 2000000 bytes" in failure(sandbox.extract("!SPIN!".ljust(2_000_000))).detail


def test_no_process_is_left_behind() -> None:
    sandbox = Sandbox(HOSTILE)
    worker = psutil.Process(worker_pid(sandbox))
    nursery = worker.parent()
    assert nursery is not None
    assert nursery.parent() == psutil.Process()
    sandbox.close()
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    assert not nursery.is_running()
    assert text(sandbox.extract("again")) == "again|None"
    sandbox.close()


def test_children_end_when_the_caller_is_killed(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = tmp_path / "caller.py"
    script.write_text(
        "import os, signal\nfrom tamis.extract import Sandbox\n"
        f"print(Sandbox({HOSTILE!r}).extract('!PID!').text, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    worker = int(run.stdout)
    for _ in range(100):
        if not psutil.pid_exists(worker):
            return
        time.sleep(0.05)
    pytest.fail("the worker outlived its caller")


def test_fallback_is_labelled() -> None:
    with Sandbox(HOSTILE, limits=QUICK, fallback="plain") as sandbox:
        pages = ["good", "<p>!ABORT!</p>", "<p>!NOTEXT!</p>", "<p>!RAISE!</p>"]
        outcomes = list(sandbox.extract_many([(page, None) for page in pages]))
    assert [(found.text, found.extractor, found.fallback) for found in outcomes if isinstance(found, Extracted)] == [
        ("good|None", HOSTILE, None),
        ("!ABORT!", "plain", "extract:crash"),
        ("!NOTEXT!", "plain", "extract:empty"),
        ("!RAISE!", "plain", "extract:error"),
    ]


def test_pages_the_first_is_unsure_of_go_to_the_second() -> None:
    with Sandbox("plain", fallback=HOSTILE, unsure_below=0.5) as sandbox:
        found = sandbox.extract("<p>text")
    assert isinstance(found, Extracted)
    assert (found.extractor, found.fallback) == (HOSTILE, "extract:unsure")


def test_when_both_fail_the_first_reason_stands() -> None:
    with Sandbox(HOSTILE, limits=QUICK, fallback=HOSTILE) as sandbox:
        assert failure(sandbox.extract("!EXIT3!")).reason == "extract:crash"


def test_extractor_in_process() -> None:
    place = f"{Path(__file__).with_name('hostile.py')}:NotIsolated"
    with Sandbox(place) as sandbox:
        assert worker_pid(sandbox) == os.getpid()
        assert "ValueError" in failure(sandbox.extract("!RAISE!")).detail


def test_extractor_that_cannot_load_in_the_child(tmp_path: Path) -> None:
    place = tmp_path / "fickle.py"
    place.write_text(
        f"import os\nassert os.getpid() == {os.getpid()}\n"
        "class Fickle:\n    def extract(self, html, url): return html\n"
    )
    with Sandbox(f"{place}:Fickle") as sandbox, pytest.raises(ConfigError, match="AssertionError"):
        sandbox.extract("x")


def test_extractor_that_starts_threads_is_loaded_after_the_fork(tmp_path: Path) -> None:
    place = tmp_path / "threaded.py"
    place.write_text(
        "import queue, threading\n"
        "asked, answered = queue.Queue(), queue.Queue()\n"
        "def serve():\n    while True: answered.put(asked.get().upper())\n"
        "threading.Thread(target=serve, daemon=True).start()\n"
        "class Threaded:\n    def extract(self, html, url):\n        asked.put(html)\n        return answered.get()\n"
    )
    with Sandbox(f"{place}:Threaded", limits=QUICK) as sandbox:
        assert [text(outcome) for outcome in sandbox.extract_many([("a", None), ("b", None)])] == ["A", "B"]


@pytest.mark.parametrize("name", ["native", "plain", "resiliparse"])
def test_a_page_may_be_text_or_its_utf8(name: str) -> None:
    html = "<html><body><article><p>Une phrase déjà assez longue. 日本語の文。</p></article></body></html>"
    with Sandbox(name) as sandbox:
        assert sandbox.extract(html.encode()) == sandbox.extract(html)
        assert "déjà" in sandbox.extract(html.encode()).text
