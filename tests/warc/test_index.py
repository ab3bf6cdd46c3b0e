"""The column index: what a query asks for, which requests that takes, and what comes of them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tamis.errors import ConfigError, InputError
from tamis.warc.index import Pointer, Query, pointers, select, spans
from tamis.warc.manifest import LocalFiles, Source, located, resolve, route, split
from tamis.warc.pointer import POINTER, is_index
from tamis.warc.ranges import coalesce, read

ROWS = [
    ("https://www.example.org/a", 200, "text/html", "fra,eng", "crawl-data/b.warc.gz", 900, 100),
    ("http://example.org:8080/b", 200, "application/pdf", "fra", "crawl-data/a.warc.gz", 500, 100),
    ("https://notexample.org/c", 200, "text/html", "eng", "crawl-data/a.warc.gz", 0, 400),
    ("https://user:x@sub.EXAMPLE.org/d", 404, "text/html", None, "crawl-data/a.warc.gz", 700, 50),
    ("https://elsewhere.net/?u=example.org", 200, "text/html", "zho", "crawl-data/a.warc.gz", 600, 60),
]
NAMES = ("url", "fetch_status", "content_mime_detected", "content_languages", *POINTER)


@pytest.fixture
def table(tmp_path: Any) -> Any:
    path = tmp_path / "part-0.parquet"
    columns = dict(zip(NAMES, map(list, zip(*ROWS, strict=True)), strict=True))
    given = pa.table(columns)
    given = given.set_column(1, "fetch_status", given["fetch_status"].cast(pa.int16()))
    pq.write_table(given, path, row_group_size=2)
    return path


def chosen(path: Any, **asked: Any) -> list[tuple[str, int]]:
    found = select([Source("part-0", str(path), "ranges")], Query(**asked), LocalFiles())
    assert is_index(found.schema)
    return [(row["warc_filename"][-9], row["warc_record_offset"]) for row in found.to_pylist()]


def test_a_query_asks_by_language_mime_domain_and_status(table: Any) -> None:
    assert chosen(table) == [("a", 0), ("a", 500), ("a", 600), ("a", 700), ("b", 900)]
    assert chosen(table, languages=("fra",)) == [("a", 500), ("b", 900)]
    assert chosen(table, languages=("eng", "zho")) == [("a", 0), ("a", 600), ("b", 900)]
    assert chosen(table, mimes=("text/html",), languages=("fra",)) == [("b", 900)]
    assert chosen(table, domains=("example.org",)) == [("a", 500), ("a", 700), ("b", 900)]
    assert chosen(table, statuses=(404,)) == [("a", 700)]
    assert chosen(table, domains=("nowhere.example",)) == []


def test_what_is_no_index_is_named(tmp_path: Any) -> None:
    other, text = tmp_path / "t.parquet", tmp_path / "t.txt"
    pq.write_table(pa.table({"text": ["a"]}), other)
    text.write_text("no Parquet")
    for path in (other, text):
        with pytest.raises(InputError, match=r"no column|no Parquet"):
            select([Source(path.name, str(path), "ranges")], Query(), LocalFiles())


def test_a_table_that_points_at_records_is_an_input(table: Any) -> None:
    (source,) = resolve(str(table), LocalFiles())
    assert source.kind == "ranges"
    assert [(span.start, span.end) for span in split(source, unit_bytes=1)] == [(0, None)]


def test_rows_are_cut_by_the_bytes_they_point_at(table: Any) -> None:
    with table.open("rb") as stream:
        assert spans(stream, 450) == [(0, 2), (2, 4), (4, None)]
        assert spans(stream, 10**9) == [(0, None)]
        cuts = [list(pointers(stream, start, end)) for start, end in spans(stream, 450)]
        assert [each.offset for cut in cuts for each in cut] == [900, 500, 0, 700, 600]


def test_near_records_come_in_one_request() -> None:
    near = [Pointer("a", 0, 10), Pointer("a", 20, 10), Pointer("a", 400, 10), Pointer("b", 410, 10)]
    found = [(block.name, block.start, block.end) for block in coalesce(near, gap=100, most=1000)]
    assert found == [("a", 0, 30), ("a", 400, 410), ("b", 410, 420)]
    assert [block.end for block in coalesce(near[:2], gap=100, most=25)] == [10, 30]


def test_records_are_read_at_their_place_and_faults_are_rows(written: Any) -> None:
    data, asked = written.data, []

    def fetch(name: str, start: int, end: int) -> bytes:
        asked.append((start, end))
        if name == "gone":
            raise FileNotFoundError(name)
        return data[start:end]

    places = [(written.offsets[n], written.ends[n] - written.offsets[n]) for n in (3, 4, 90)]
    near = [Pointer("w", *place) for place in places]
    near += [Pointer("w", places[2][0] + 5, places[2][1]), Pointer("w", len(data) - 5, 50), Pointer("gone", 0, 9)]
    found = list(read(near, fetch))
    assert [(name, record.offset, record.problem) for name, record in found] == [
        ("w", places[0][0], ""),
        ("w", places[1][0], ""),
        ("w", places[2][0], ""),
        ("w", places[2][0] + 5, "damaged"),
        ("w", len(data) - 5, "truncated"),
        ("gone", 0, "missing"),
    ]
    assert [record.payload for _, record in found[:3]] == [
        written.bodies[f"https://example.org/{number}"] for number in (3, 4, 90)
    ]
    assert len(asked) < len(near)


def test_one_word_says_the_way_to_common_crawl() -> None:
    path = "crawl-data/CC/x.warc.gz"
    forms = [path, f"https://data.commoncrawl.org/{path}", f"s3://commoncrawl/{path}"]
    assert [located(form, route("")) for form in forms] == [forms[1], forms[1], forms[2]]
    assert {located(form, route("s3")) for form in forms} == {forms[2]}
    assert {located(form, route("https")) for form in forms} == {forms[1]}
    assert located(path, route("http://127.0.0.1:9/cc")) == f"http://127.0.0.1:9/cc/{path}"
    assert located("https://example.org/x.warc.gz", route("s3")) is None
    with pytest.raises(ConfigError, match="htps"):
        route("htps")
