"""Ready-made text from Parquet, JSONL and plain files."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tamis.errors import InputError
from tamis.warc import texts
from tamis.warc.texts import TextReader, read_texts

ROWS = [
    {"id": "own-1", "text": "Première ligne\nавтор", "url": "https://x.org/1", "date": "2026-01-01"},
    {"text": "no id", "language": "eng_Latn"},
    {"id": 7, "text": ""},
]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def rows(reader: TextReader) -> list[dict[str, Any]]:
    return [row for batch in reader for row in batch.to_pylist()]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gz", "zst"])
def test_jsonl(pack: Any) -> None:
    found = rows(read_texts(io.BytesIO(pack(LINES)), "a.jsonl", "jsonl"))
    assert [row["id"] for row in found] == ["own-1", f"a.jsonl:{LINES.index(b'{', 5)}", "7"]
    assert [row["text"] for row in found] == [row["text"] for row in ROWS]
    assert found[0]["bytes"] == len(ROWS[0]["text"].encode())  # type: ignore[union-attr]
    assert (found[0]["url"], found[1]["url"], found[1]["language"]) == ("https://x.org/1", None, "eng_Latn")


def test_bad_lines_are_problems() -> None:
    data = b'{"text": "a"}\n{"text": \n\n[1]\n{"text": 5}\n' + b"[" * 100_000 + b'\n{"content": "b"}\n'
    reader = read_texts(io.BytesIO(data), "x", "jsonl")
    assert [row["text"] for row in rows(reader)] == ["a", "b"]
    assert [(problem.id, problem.reason) for problem in reader.problems] == [
        ("x:14", "json"),
        ("x:25", "no_text"),
        ("x:29", "no_text"),
        ("x:41", "json"),
    ]


def test_a_line_too_long_is_one_problem_wherever_spans_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_MAX_LINE", 64)
    data = b'{"text": "first"}\n{"text": "' + b"x" * 1000 + b'"}\n{"text": "last"}\n'
    for cut in range(0, len(data), 7):
        readers = [texts.read_texts(io.BytesIO(data), "f", "jsonl", start=0, end=cut)]
        readers.append(texts.read_texts(io.BytesIO(data), "f", "jsonl", start=cut, end=len(data)))
        read = [row for reader in readers for batch in reader for row in batch.column("text").to_pylist()]
        assert read == ["first", "last"]
        assert [each.reason for reader in readers for each in reader.problems] == ["too_large"]


def test_lone_surrogates_become_replacements() -> None:
    found = rows(read_texts(io.BytesIO(b'{"text": "a\\ud800b"}\n'), "x", "jsonl"))
    assert found[0]["text"] == "a\ufffdb"


def test_cut_gzip_keeps_what_came_before() -> None:
    data = gzip.compress(LINES * 2000)
    reader = read_texts(io.BytesIO(data[: len(data) // 2]), "x", "jsonl")
    assert len(rows(reader)) > 10
    assert reader.problems[-1].reason == "truncated"


def test_spans_of_jsonl_meet() -> None:
    data = b"".join(json.dumps({"text": "x" * count}).encode() + b"\n" for count in range(60))
    whole = rows(read_texts(io.BytesIO(data), "x", "jsonl"))
    for unit in (1, 7, 100, 5000):
        cuts = list(range(0, len(data), unit))
        found = []
        for start in cuts:
            found += rows(read_texts(io.BytesIO(data), "x", "jsonl", start=start, end=start + unit))
        assert found == whole


def parquet(table: pa.Table, **options: Any) -> io.BytesIO:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    out.seek(0)
    return out


def test_parquet() -> None:
    table = pa.table({"content": ["a", None, "é"], "url": ["u", None, "v"], "other": [1, 2, 3]})
    reader = read_texts(parquet(table, row_group_size=2), "p.parquet", "parquet")
    found = rows(reader)
    assert [(row["id"], row["text"], row["bytes"]) for row in found] == [
        ("p.parquet:0", "a", 1),
        ("p.parquet:2", "é", 2),
    ]
    assert [(problem.id, problem.reason) for problem in reader.problems] == [("p.parquet:1", "no_text")]


def test_parquet_ids_fields_and_types() -> None:
    table = pa.table({"id": pa.array([5, None]), "body": pa.array(["x", "y"]).dictionary_encode(), "text": ["n", "n"]})
    found = rows(read_texts(parquet(table), "p", "parquet", text_field="body"))
    assert [(row["id"], row["text"]) for row in found] == [("5", "x"), ("p:1", "y")]
    schema = next(iter(read_texts(parquet(table), "p", "parquet"))).schema
    assert schema.field("text").type == pa.large_string()
    with pytest.raises(InputError, match="no text column"):
        rows(read_texts(parquet(pa.table({"x": ["y"]})), "p", "parquet"))


def test_damaged_parquet_is_a_problem() -> None:
    data = parquet(pa.table({"text": ["some words"] * 5000})).getvalue()
    for broken in (data[:-10], b"PAR1", data[:40] + b"\xff" * 60 + data[100:]):
        reader = read_texts(io.BytesIO(broken), "p", "parquet")
        rows(reader)
        assert [problem.reason for problem in reader.problems] == ["damaged"]


def test_plain_text_is_one_document() -> None:
    found = rows(read_texts(io.BytesIO("\ufeffeine Zeile\n".encode()), "t.txt", "text"))
    assert [(row["id"], row["text"]) for row in found] == [("t.txt:0", "eine Zeile\n")]
    assert rows(read_texts(io.BytesIO(b""), "t", "text")) == []


def test_batches_are_bounded() -> None:
    data = b"".join(b'{"text": "%s"}\n' % (b"x" * 1_000_000) for _ in range(40))
    batches = list(read_texts(io.BytesIO(data), "x", "jsonl"))
    assert len(batches) == 3
    assert all(batch.nbytes < 20_000_000 for batch in batches)
