"""Damage: cuts, corrupt members, spans and hostile bytes, and the shared collection beside warcio and FastWARC."""

from __future__ import annotations

import io
import random
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastwarc.warc import ArchiveIterator
from hypothesis import given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator as WarcioIterator

from tamis.errors import UnknownNameError
from tamis.warc.oracle import read_warcio
from tamis.warc.reader import Reader, open_reader
from tamis.warc.record import DAMAGED, Record


def read(data: bytes, **options: Any) -> list[Record]:
    return list(Reader(io.BytesIO(data), **options))


def bodies(records: list[Record]) -> dict[str, bytes]:
    return {record.url or "": record.payload for record in records if record.type == "response" and not record.problem}


def test_every_cut_is_seen(written: Any) -> None:
    dice = random.Random(7)
    for cut in sorted(dice.sample(range(1, len(written.data)), 500)):
        whole = [end for end in written.ends if end <= cut]
        records = read(written.data[:cut])
        good = bodies(records)
        assert good == {url: written.bodies[url] for url in list(written.bodies)[: len(whole)]}
        assert [record.problem for record in records[len(whole) :]] == ([] if cut in whole else ["truncated"])


@pytest.mark.parametrize("count", range(1, 21))
def test_damaged_members_cost_themselves_alone(count: int, many: Any) -> None:
    dice = random.Random(count)
    for _ in range(2):
        victims = sorted(dice.sample(range(len(many.offsets)), count))
        data = bytearray(many.data)
        for victim in victims:
            start, end = many.offsets[victim], many.ends[victim]
            at = dice.randrange(start, end - 8)
            data[at : at + 8] = bytes(byte ^ dice.randint(1, 255) for byte in data[at : at + 8])
        records = read(bytes(data))
        lost = {f"https://example.org/{victim}" for victim in victims}
        good = bodies(records)
        assert set(many.bodies) - lost <= set(good)
        assert all(many.bodies[url] == body for url, body in good.items())
        # Neighbouring victims are one stretch: nothing is counted twice, and nothing is lost unseen.
        damaged = sum(record.type == DAMAGED for record in records)
        assert (len(good) < len(many.bodies)) <= damaged <= count
        assert len(good) + count >= len(many.bodies)


@pytest.mark.parametrize("damage", [False, True])
def test_spans_meet_exactly(container: Any, damage: bool) -> None:
    data = container.data
    if container.name in ("lz4", "bz2"):
        pytest.skip("these are one span")
    if damage:
        middle = len(data) // 2
        data = data[:middle] + b"\x55" * 40 + data[middle + 40 :]
    whole = read(data)
    dice = random.Random(len(data))
    for unit in [*(dice.randrange(1, len(data)) for _ in range(12)), 37]:
        found: list[Record] = []
        expected = 0
        for start in range(0, len(data), unit):
            reader = Reader(io.BytesIO(data), start=start, end=min(start + unit, len(data)))
            found += reader
            if start:
                assert reader.first_offset == expected
            expected = reader.next_offset
        assert [(r.offset, r.type, r.payload, r.detail) for r in found] == [
            (r.offset, r.type, r.payload, r.detail) for r in whole
        ]


def test_packed_files_are_one_span(made: Any) -> None:
    data = made.containers["bz2"]()
    first = Reader(io.BytesIO(data), end=100)
    assert len(list(first)) == 6
    assert list(Reader(io.BytesIO(data), start=100)) == []


def test_a_record_without_a_line_end_before_it_belongs_to_the_span_before(made: Any) -> None:
    joined = b"".join(record.removesuffix(b"\r\n\r\n") for record in made.records[:3]) + b"".join(made.records[3:])
    whole = read(joined)
    assert len(whole) == 6
    for end in range(1, len(joined), 97):
        first, second = Reader(io.BytesIO(joined), end=end), Reader(io.BytesIO(joined), start=end)
        assert [*first, *second] == whole
        assert first.next_offset == second.first_offset


def test_a_packed_file_that_ends_early_says_so_once(made: Any) -> None:
    data = made.containers["bz2"]()[:-20]
    first, second = Reader(io.BytesIO(data), end=100), Reader(io.BytesIO(data), start=100)
    assert [record.problem for record in first if record.problem] == ["truncated"]
    assert list(second) == []


@settings(deadline=None, max_examples=120)
@given(data=st.data())
def test_hostile_bytes_never_raise(made: Any, data: st.DataObject) -> None:
    base = bytearray(made.containers[data.draw(st.sampled_from(list(made.containers)))]())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(base)))
        base[at : at + data.draw(st.integers(0, 50))] = data.draw(st.binary(max_size=50))
    records = read(bytes(base))
    offsets = [record.offset for record in records]
    assert offsets == sorted(set(offsets))
    good = bodies(records)
    assert all(body == made.bodies.get(url, body) or b"WARC" in body for url, body in good.items())


def test_a_damaged_dictionary_is_no_exception(made: Any) -> None:
    data = bytearray(made.containers["zstd with dictionary"]())
    data[16:17] = b"\0"
    records = read(bytes(data))
    assert bodies(records) == {}
    assert {record.type for record in records} == {DAMAGED}


def test_readers_by_name(made: Any) -> None:
    data = made.packed(*made.records)
    assert list(open_reader(io.BytesIO(data), reader="warcio")) == list(open_reader(io.BytesIO(data)))
    with pytest.raises(UnknownNameError, match="warcoi"):
        open_reader(io.BytesIO(data), reader="warcoi")


def fastwarc_responses(path: Path) -> Iterator[int]:
    """Yield block lengths of the whole response records FastWARC gives before it fails."""
    with path.open("rb") as stream:
        try:
            for record in ArchiveIterator(stream, parse_http=False):
                block = record.reader.read()
                if record.record_type == 4 and len(block) == record.content_length:
                    yield len(block)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise


def test_shared_collection(shared_warcs: list[Path], capfd: pytest.CaptureFixture[str]) -> None:
    totals: Counter[str] = Counter()
    for path in shared_warcs:
        data = path.read_bytes()
        records = read(data)
        assert [record.offset for record in records] == sorted({record.offset for record in records}), path
        totals["records"] += len(records)
        totals["damaged"] += sum(record.type == DAMAGED for record in records)
        # HTTP faults, which the other readers do not look for, are not a matter of framing.
        ours = Counter(record.url for record in records if record.type == "response")
        peers = read_warcio(io.BytesIO(data))
        theirs = [record for record in peers if record.type == "response" and record.problem in ("", "truncated")]
        if not theirs and not ours:
            continue
        assert sum(ours.values()) >= len(list(fastwarc_responses(path))), path
        by_offset = {record.offset: record for record in records}
        # warcio calls every ARC record a response, name look-ups too, and does not split off their HTTP headers.
        arc = ".arc" in path.name
        missing = Record(0, DAMAGED, problem="missing")
        lost = [record for record in theirs if not record.problem and by_offset.get(record.offset, missing).problem]
        totals["framed by warcio alone"] += 0 if arc else sum(record.url is not None for record in lost)
        for record in theirs if not arc else []:
            mine = by_offset.get(record.offset)
            if mine and not (mine.problem or record.problem):
                assert mine.payload == record.payload, (path, record.offset)
    assert totals["records"] > 2500
    # Two records whose Content-Length is wrong, and two whose body is shorter than HTTP says.
    assert totals["framed by warcio alone"] <= 4


def whole_for_fastwarc(data: bytes) -> int:
    """Return how many records FastWARC gives, until it fails, whose block is as long as their header says."""
    found = 0
    try:
        for record in ArchiveIterator(io.BytesIO(data), parse_http=False):
            found += str(len(record.reader.read())) == record.headers.get("Content-Length")
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
    return found


def whole_for_warcio(data: bytes) -> int:
    """Return how many records warcio gives, until it fails, whose block is as long as their header says."""
    found = 0
    try:
        for record in WarcioIterator(io.BytesIO(data), no_record_parse=True):
            stated = record.rec_headers.get_header("Content-Length") or record.rec_headers.get_header("length")
            found += str(len(record.raw_stream.read())) == stated
    except Exception:
        return found
    return found


def test_no_file_gives_less_than_the_better_of_two_readers(
    shared_warcs: list[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    less = {}
    for path in shared_warcs:
        data = path.read_bytes()
        ours = sum(record.type != DAMAGED for record in read(data))
        theirs = max(whole_for_fastwarc(data), whole_for_warcio(data))
        if ours < theirs:
            less[path.name] = theirs - ours
    # Two records there are longer than their Content-Length: warcio hands out their first part, and warns.
    assert less == {"HTTP204.warc": 2}


def test_a_member_that_is_a_bomb_is_left_early(made: Any) -> None:
    compressor = zlib.compressobj(9, wbits=31)
    zeros = bytes(1 << 20)
    bomb = b"".join(compressor.compress(zeros) for _ in range(300)) + compressor.flush()
    records = read(made.packed(*made.records[:3]) + bomb + made.packed(*made.records[3:]))
    assert bodies(records) == made.bodies
    assert [record.problem for record in records if record.type == DAMAGED] == ["damaged"]
