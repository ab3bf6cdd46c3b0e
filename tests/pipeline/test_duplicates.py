"""The dedup steps over stored units: earlier runs, survivor policies, URLs, provenance, and files that went bad."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tamis
from tamis import runs
from tamis.dedup.minhash import sign, signature_schema
from tamis.dedup.options import DedupOptions
from tamis.errors import InputError, OutputError
from tamis.pipeline.arrowfiles import sifted_path, signatures_path, verdicts_path
from tamis.pipeline.dedupplan import VERDICT, plan_shards
from tamis.pipeline.duplicates import (
    PROVENANCE,
    PROVENANCE_FILE,
    Deduplicate,
)
from tamis.pipeline.findings import residue
from tamis.pipeline.manifest import NAME, Receipt
from tamis.pipeline.shard import Shard
from tamis.pipeline.storage import Storage

Docs = list[dict[str, Any]]


def words(seed: str, count: int = 60) -> str:
    rng = random.Random(seed)
    return " ".join("".join(rng.choices("abcdefghijklmnop", k=6)) for _ in range(count))


PROSE = (
    "the of and to in that was it for on with as he be at by his had not but from they this which or an were "
    "we there been one all their has would what will if can when so out about into time people year other "
    "house water country school river morning children work music history garden window letter market winter"
)


def prose(seed: str, count: int) -> str:
    return " ".join(random.Random(seed).choices(PROSE.split(), k=count))


def doc(name: str, text: str, **other: Any) -> dict[str, Any]:
    return {"id": name, "text": text, "language": "eng_Latn", "url": None, "date": "2024-01-01", **other}


def store(folder: Path, units: Mapping[str, Docs], options: DedupOptions) -> Storage:
    """Write units as curate does, with receipts."""
    storage = Storage(str(folder))
    schema = pa.schema([pa.field("language", pa.large_string()), *signature_schema(options)])
    for unit, docs in units.items():
        batch = pa.RecordBatch.from_pylist([{**each, "bytes": len(each["text"])} for each in docs])
        for name in ("id", "text", "language", "url", "date"):
            place = batch.schema.get_field_index(name)
            batch = batch.set_column(place, name, batch.column(name).cast(pa.large_string()))
        keys = sign(batch.column("text"), options)
        signed = pa.RecordBatch.from_arrays([batch.column("language"), *keys.columns], schema=schema)
        entries = []
        for path, part in ((sifted_path(unit), batch), (signatures_path(unit), signed)):
            with storage.create(path) as sink, pa.ipc.new_file(sink, part.schema) as writer:
                size = max(3, part.num_rows // 20)
                for start in range(0, part.num_rows, size):
                    writer.write_batch(part.slice(start, size))
            entries.append(sink.entry(path))
        commit(storage, Receipt("sift", unit, "f", (), tuple(entries)))
    return storage


def commit(storage: Storage, receipt: Receipt) -> None:
    storage.append(NAME, f"{receipt.to_json(timing=True)}\n".encode())


def shards(units: list[str], options: DedupOptions, parts: int = 0) -> list[Shard]:
    names = [f"part-{part:03d}" for part in range(parts)]
    return [shard for given in plan_shards(units, options, names).values() for shard in given]


def judge(
    folder: Path, units: Mapping[str, Docs], *, parts: int = 0, **options: Any
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return what went, by id, and the facts of the verdict step."""
    chosen = DedupOptions(**options)
    storage = store(folder, units, chosen)
    receipts = [Deduplicate(chosen, storage)(shard)[0] for shard in shards(list(units), chosen, parts)]
    for receipt in receipts:
        commit(storage, receipt)
    rows = pq.read_table(storage.where(PROVENANCE_FILE)).to_pylist()
    return {row["id"]: row for row in rows}, dict(receipts[-1].facts)


def corpus(seed: str, count: int) -> Docs:
    """Return documents of which many resemble or copy one another, across corpora too."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        text = words(f"body {rng.randrange(count // 2)}").split()
        for _ in range(rng.choice([0, 0, 1, 2, 9])):
            text[rng.randrange(len(text))] = "changed"
        made.append(doc(f"{seed}-{number}", " ".join(text)))
    return made


def test_earlier_runs_then_new_ones_give_what_all_at_once_does(tmp_path: Path) -> None:
    old, new = corpus("a", 120), corpus("b", 120)
    first, _ = judge(tmp_path / "a", {"00000-000": old[:50], "00001-000": old[50:]}, keep_sets=True)
    (tmp_path / "a" / sifted_path("00001-000")).unlink()  # old text is not read again
    against = (str(tmp_path / "a"),)
    second, facts = judge(tmp_path / "b", {"00000-000": new}, against=against)
    whole, _ = judge(tmp_path / "all", {"00000-000": old[:50], "00001-000": old[50:], "00002-000": new})
    assert len(first) > 20
    assert 20 < len(second) < 120
    assert set(first) | set(second) == set(whole)
    for name, row in second.items():
        same = [row[key] == whole[name][key] for key in ("kind", "similarity", "band", "cluster")]
        assert all(same)
        assert row["kept_id"] == whole[name]["kept_id"] or "00001-000#" in row["kept_id"]
    assert facts["languages"] == [["eng_Latn", 120, len(second)]]


def test_earlier_runs_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    units = {"00000-000": corpus("a", 10)}
    judge(tmp_path / "plain", units)
    judge(tmp_path / "seeded", units, keep_sets=True, seed=2)
    for name, message in (("plain", "no shingle sets"), ("seeded", "seed=2"), ("nowhere", "no finished run")):
        with pytest.raises(InputError, match=message):
            judge(tmp_path / f"new-{name}", units, against=(str(tmp_path / name),))


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, 0),
        ({"survivor": "longest"}, 1),
        ({"survivor": "newest"}, 2),
        ({"survivor": "score", "score_column": "quality"}, 3),
        ({"survivor": "source", "sources": ("wiki", "books")}, 4),
    ],
)
def test_each_policy_chooses_its_survivor(options: dict[str, Any], kept: int, tmp_path: Path) -> None:
    units: dict[str, Docs] = {"00000-000": [], "00001-000": []}
    for number in range(1000):
        body = words(f"cluster {number}", 80)
        copies = [
            doc(f"web/{number}-0", body, quality=0.5),
            doc(f"web/{number}-1", f"{body} longer by some words", quality=0.1),
            doc(f"web/{number}-2", f"{body} x", date="2025-06-01T10:00:00Z", quality=None),
            doc(f"web/{number}-3", body, quality=0.9),
            doc(f"books/{number}-4", f"{body} y", quality=0.2),
        ]
        for place, copy in enumerate(copies):
            units[f"0000{(number + place) % 2}-000"].append(copy)
    if not options:
        # The first in document order, whichever unit that is in.
        units = {"00000-000": [each for docs in units.values() for each in docs]}
        order = {each["id"]: place for place, each in enumerate(units["00000-000"])}
    found, facts = judge(tmp_path / "one", units, **options)
    assert len(found) == 4000
    assert facts["cluster_sizes"][2] == [5, 1000]
    if options:
        assert {row["kept_id"].rpartition("-")[2] for row in found.values()} == {str(kept)}
    else:
        assert all(order[row["kept_id"]] < order[name] for name, row in found.items())
    assert judge(tmp_path / "seven", units, parts=7, **options)[0] == found


def test_pages_of_one_address_are_one(tmp_path: Path) -> None:
    body = words("x")
    docs = [
        doc("a", body, url="https://Example.org/page?id=1#top"),
        doc("b", words("y"), url="http://example.org:80/page?utm_source=z&id=1"),
        doc("c", words("z"), url="https://example.org/page?id=2"),
        doc("d", words("w")),
        doc("e", body, url="https://example.org/other"),
        doc("f", words("v"), url="https://example.org/other"),
    ]
    found, _ = judge(tmp_path, {"00000-000": docs}, urls=True)
    assert {name: (row["kept_id"], row["kind"]) for name, row in found.items()} == {
        "b": ("a", "url"),
        "e": ("a", "exact"),
        "f": ("a", "url"),
    }
    assert found["b"]["similarity"] is None
    assert judge(tmp_path / "off", {"00000-000": docs})[0].keys() == {"e"}


def test_a_source_that_all_goes_raises_an_alarm(tmp_path: Path) -> None:
    good = [doc(f"g{n}", words(f"g{n}"), url=f"https://good.org/{n}") for n in range(150)]
    wiped = [doc(f"w{n}", words("one"), url=f"https://www.wiped.org/{n}") for n in range(150)]
    found, facts = judge(tmp_path, {"00000-000": good, "00001-000": wiped})
    assert len(found) == 149
    assert facts["alarms"] == [["wiped.org", 150, 149]]
    assert facts["domains"][0] == ["wiped.org", 150, 149]
    assert facts["largest"] == [["w0", 150, words("one")[:120]]]
    assert pq.read_schema(tmp_path / PROVENANCE_FILE).equals(PROVENANCE)
    assert not judge(tmp_path / "lax", {"00000-000": wiped}, alarm_share=0.995)[1]["alarms"]
    with pytest.raises(OutputError, match=r"removes 99% of wiped.org \(149 of 150"):
        judge(tmp_path / "stop", {"00000-000": good, "00001-000": wiped}, on_alarm="stop")


def test_a_flipped_byte_is_named_and_only_its_maker_redone(tmp_path: Path) -> None:
    units = {"00000-000": corpus("a", 40), "00001-000": corpus("b", 40)}
    options = DedupOptions()
    judge(tmp_path / "clean", units)
    wanted = (tmp_path / "clean" / verdicts_path()).read_bytes()
    steps = shards(list(units), options)
    cluster, regroup, resolve, verdict = steps[-4:]
    readers = {"signatures": steps[0], "work/pair": cluster, "work/regroup": resolve, "work/resolve": verdict}
    readers |= {"work/cluster/group": regroup, "work/cluster/part": resolve}
    for folder, reader in readers.items():
        judge(tmp_path / "out", units)
        storage = Storage(str(tmp_path / "out"))
        victim = max(
            (path for path in storage.list("") if path.startswith(folder)), key=lambda path: storage.size(path) or 0
        )
        place = Path(storage.where(victim))
        whole = place.read_bytes()
        place.write_bytes(whole[:700] + bytes([whole[700] ^ 1]) + whole[701:])
        with pytest.raises(OutputError, match=f"{victim} was damaged"):
            Deduplicate(options, storage)(reader)
        assert not place.exists()
        # The next run finds the file gone and does what made it again.
        place.write_bytes(whole)
        for shard in steps:
            Deduplicate(options, storage)(shard)
        assert Path(storage.where(verdicts_path())).read_bytes() == wanted


def test_documents_too_short_to_be_compared_are_counted(tmp_path: Path) -> None:
    short = ["one two three four", "one two three four", "another short text", "", "?"]
    docs = [doc(f"s{n}", text) for n, text in enumerate(short)] + [doc(f"l{n}", words(f"l{n}")) for n in range(7)]
    found, facts = judge(tmp_path, {"00000-000": docs[:6], "00001-000": docs[6:]})
    assert found.keys() == {"s1"}
    assert facts["short"] == [5, 12]
    [told] = residue([Receipt(VERDICT, "all", "f", (), (), facts)])
    assert told.startswith("5 of 12 documents looked at have too few words")


def test_a_large_cluster_is_split_again(tmp_path: Path) -> None:
    body = words("template", 100).split()
    docs = []
    for number in range(60):
        changed = list(body)
        changed[number] = f"changed{'abcdefghij'[number % 10] * 4}{'klmnop'[number // 10] * 4}"
        docs.append(doc(f"d{number:02d}", " ".join(changed)))
    whole, facts = judge(tmp_path / "whole", {"00000-000": docs})
    assert {row["kept_id"] for row in whole.values()} == {"d00"}
    assert dict(facts["cluster_sizes"])[10] == 1
    # Any two are alike by 0.81 to 0.9: a cluster of ten takes in nothing below 0.9.
    units = {"00000-000": docs[:25], "00001-000": docs[25:]}
    split, _ = judge(tmp_path / "split", units, max_cluster=10)
    sizes = Counter(row["kept_id"] for row in split.values())
    assert sorted(sizes) == ["d00", "d10", "d20", "d30", "d40", "d50"]
    assert set(sizes.values()) == {9}


LINES = """
name = "lines"
[dedup]
audit = true
[dedup.lines]
at_least = 4
min_units = 2
"""


def test_lines_that_many_share_are_cut_by_a_recipe_and_what_stays_is_audited(tmp_path: Path) -> None:
    banner, rest = "Subscribe to our weekly letter today!", "Read more stories like this one."
    rows = [doc(f"d{n}", f"{prose(f'body {n}', 70)}.\n{banner}\n{prose(f'end {n}', 20)}.\n{rest}") for n in range(40)]
    rows += [doc("only", f"{banner}\n{rest}"), doc("copy", rows[0]["text"]), doc("none", prose("alone", 60))]
    source, recipe = tmp_path / "in.jsonl", tmp_path / "lines.toml"
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    recipe.write_text(LINES)
    report = tamis.run(source, tmp_path / "out", recipe=recipe, executor="inline")
    kept = pq.read_table(tmp_path / "out/documents").to_pylist()
    # Of two equal texts one stays, and a text of nothing but common lines goes.
    assert len(kept) == 41
    assert not any(banner in row["text"] or rest in row["text"] for row in kept)
    assert all(row["chars"] == len(row["text"]) and row["bytes"] == len(row["text"].encode()) for row in kept)
    ledger = report.ledger
    assert ledger.total("lines", "dropped", reason="repeated_lines_only").documents == 1
    cut = ledger.total("lines", "dropped", reason="repeated_line")
    assert (cut.documents, cut.chars) == (0, 40 * len(f"{banner}\n{rest}"))
    taken, left = ledger.total("lines", "in"), ledger.total("lines", "kept")
    assert taken.tokens == left.tokens + ledger.total("lines", "dropped").tokens
    budget = json.loads((tmp_path / "out/report/budget.json").read_text())
    assert any(note.startswith("Of spans of 50 words, 0.00%") for note in budget["notes"])
    assert [name for name, _, _ in budget["removals"]]
    assert "Duplicates removed, by language and site" in (tmp_path / "out/report/index.html").read_text()


def test_documents_that_had_copies_may_be_repeated(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from tamis.cli import app

    rows = [doc(f"s{n}", prose(f"single {n}", 60)) for n in range(120)]
    for n in range(110):
        rows += [doc(f"c{n}-{copy}", prose(f"copied {n}", 60)) for copy in range(3)]
    source, recipe, saved = tmp_path / "in.jsonl", tmp_path / "r.toml", tmp_path / "weights.json"
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    recipe.write_text('name = "r"\n[dedup]\n')
    tamis.run(source, tmp_path / "out", recipe=recipe, executor="inline")
    options = ["--signal", "cluster_size", "--at-least", "2", "--save", str(saved)]
    result = CliRunner().invoke(app, ["rehydrate", str(tmp_path / "out"), *options])
    assert result.exit_code == 0, result.output
    assert "eng_Latn: 3+ copies 10 times" in result.output
    assert json.loads(saved.read_text())["eng_Latn"]["1"] == 1
    result = CliRunner().invoke(app, ["rehydrate", str(tmp_path / "out"), "--signal", "nothing", "--at-least", "2"])
    assert result.exit_code != 0


def test_a_damaged_file_is_made_again_within_the_run(miniweb: Path, tmp_path: Path, caplog: Any) -> None:
    recipe = tmp_path / "heal.toml"
    recipe.write_text('name = "heal"\n[dedup]\nkeep_sets = true\n')
    tamis.run(miniweb, tmp_path / "clean", recipe=recipe, executor="inline")
    for step, folder in (
        ("pair", "signatures"),
        ("cluster", "work/pair"),
        ("regroup", "work/cluster"),
        ("resolve", "work/regroup"),
    ):
        output, done = tmp_path / step, []

        def spoil(
            name: str, *_: Any, output: Path = output, done: list[str] = done, step: str = step, folder: str = folder
        ) -> None:
            done.append(name)
            before = {"pair": "sift", "cluster": "pair", "regroup": "cluster", "resolve": "regroup"}[step]
            if name == before and step not in done and len(list((output / folder).glob("*"))) and "spoilt" not in done:
                victim = sorted((output / folder).glob("*"))[0]
                whole = bytearray(victim.read_bytes())
                whole[len(whole) // 2] ^= 4
                victim.write_bytes(whole)
                done.append("spoilt")

        tamis.run(miniweb, output, recipe=recipe, executor="inline", progress=spoil)
        assert "spoilt" in done
        assert tree(output) == tree(tmp_path / "clean")
    assert sum("was damaged since it was written" in record.message for record in caplog.records) == 4


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _removed(folder: Path) -> int:
    return int(pq.read_metadata(folder / PROVENANCE_FILE).num_rows)


def test_a_run_against_another_keeps_what_both_at_once_would(miniweb: Path, tmp_path: Path) -> None:
    lists = {"a": miniweb.read_text().splitlines()[:2], "b": miniweb.read_text().splitlines()[2:]}
    lists["all"] = lists["a"] + lists["b"]
    kept: dict[str, set[str]] = {}
    for name, lines in lists.items():
        manifest = miniweb.parent / f"{name}.paths"
        manifest.write_text("\n".join(lines) + "\n")
        dedup: dict[str, Any] = {"against": [str(tmp_path / "a")]} if name == "b" else {"keep_sets": True}
        recipe = tmp_path / f"{name}.toml"
        recipe.write_text(f'name = "{name}"\n[dedup]\n' + "".join(f"{k} = {json.dumps(v)}\n" for k, v in dedup.items()))
        tamis.run(manifest, tmp_path / name, recipe=recipe, executor="inline")
        files = sorted((tmp_path / name / "documents").glob("*.parquet"))
        kept[name] = {row for file in files for row in pq.read_table(file, columns=["id"])["id"].to_pylist()}
    assert kept["a"] | kept["b"] == kept["all"]
    assert not kept["a"] & kept["b"]
    [against] = json.loads((tmp_path / "b/recipe.lock.json").read_text())["against"]
    assert len(against["digest"]) == 16
    # The old run counts by what it holds: elsewhere it is the same, and changed it is another.
    moved = tmp_path / "moved"
    (tmp_path / "a").rename(moved)
    again = {"overrides": {"dedup.against": [str(moved)]}, "recipe": tmp_path / "b.toml"}
    assert not any(step.missing for step in tamis.plan(miniweb.parent / "b.paths", tmp_path / "b", **again))
    tamis.run(miniweb.parent / "b.paths", moved, recipe=tmp_path / "a.toml", executor="inline")
    later = tamis.plan(miniweb.parent / "b.paths", tmp_path / "b", **again)
    assert {step.step for step in later if step.missing} >= {"pair", "verdict", "documents"}
    _, told = runs.prospect(miniweb, tmp_path / "all", recipe=tmp_path / "all.toml")
    assert told is not None
    assert told.counted == told.units
    assert told.documents == sum(len(rows) for rows in [kept["all"]]) + _removed(tmp_path / "all")


def test_the_dedup_command_goes_by_address_policy_and_earlier_runs(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from tamis.cli import app

    judge(tmp_path / "old", {"00000-000": [doc("o", words("known"))]}, keep_sets=True)
    rows = [
        doc("a", words("x"), url="https://example.org/1", quality=1.0),
        doc("b", words("x"), url="https://example.org/2", quality=2.0),
        doc("c", words("y"), url="https://example.org/2#end", quality=0.5),
        doc("d", words("known") + " more", url=None, quality=9.0),
    ]
    source, output = tmp_path / "in.jsonl", tmp_path / "out.parquet"
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    options = ["--urls", "--survivor", "score", "--score-column", "quality", "--against", str(tmp_path / "old")]
    result = CliRunner().invoke(app, ["dedup", str(source), str(output), *options])
    assert result.exit_code == 0, result.output
    assert pq.read_table(output).column("id").to_pylist() == ["b"]
