"""Real crawl files, many of them broken on purpose: no exception, every record once, books that balance."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tamis
from tamis.warc.manifest import LocalFiles, resolve
from tamis.warc.reader import Reader


@pytest.fixture(scope="module")
def real(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty real pages of five languages as one WARC."""
    folder = tmp_path_factory.mktemp("real")
    tool = shared_data.parent / "tools" / "make_warc.py"
    if not tool.exists():
        pytest.skip("the shared tools are absent")
    subprocess.run([sys.executable, tool, folder / "real.warc.gz", "daniel"], check=True, capture_output=True)
    return folder / "real.warc.gz"


def test_every_shared_warc_runs_and_every_record_is_counted_once(shared_data: Path, tmp_path: Path) -> None:
    report = tamis.run(shared_data / "warc", tmp_path / "out", executor="local", workers=2)
    records = 0
    for source in resolve(str(shared_data / "warc"), LocalFiles()):
        if not source.problem:
            with Path(source.uri).open("rb") as stream:
                records += sum(1 for _ in Reader(stream))
    assert report.ledger.total("read", "in").documents == records > 2000
    dropped = pa.concat_tables([pq.read_table(path) for path in sorted((tmp_path / "out" / "dropped").iterdir())])
    ids = dropped["id"].to_pylist() + [
        ident
        for path in sorted((tmp_path / "out" / "documents").iterdir())
        for ident in pq.read_table(path, columns=["id"])["id"].to_pylist()
    ]
    assert len(ids) == len(set(ids))


def test_real_pages_of_five_languages_survive(real: Path, tmp_path: Path) -> None:
    report = tamis.run(real, tmp_path / "out", executor="local", workers=2)
    assert report.complete
    kept = {
        code: report.ledger.total("tokenize", "kept", language=code).documents
        for code in ("eng_Latn", "ell_Grek", "pol_Latn", "rus_Cyrl", "cmn_Hans")
    }
    found = {code: report.ledger.total("language", "in", language=code).documents for code in kept}
    assert all(kept[code] >= 0.4 * found[code] for code in kept), (kept, found)


def test_units_of_any_size_give_the_same_ledger(real: Path, plain_recipe: Path, tmp_path: Path) -> None:
    ledgers = []
    for unit_bytes in (100_000_000, 1_500_000):
        overrides = {"read.unit_bytes": unit_bytes}
        output = tmp_path / str(unit_bytes)
        tamis.run(real, output, recipe=plain_recipe, executor="local", workers=2, overrides=overrides)
        ledgers.append((output / "ledger.csv").read_bytes())
    assert ledgers[0] == ledgers[1]
