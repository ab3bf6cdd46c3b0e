"""Fixtures shared by all tests: the data folder beside the repository, and small crawls made on the spot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tamis.demo import folder, pack

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real WARCs, pages and texts; tests that need it are skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared test data is not at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def miniweb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of the whole mini web, packed into three WARC files."""
    return pack(tmp_path_factory.mktemp("miniweb"))


@pytest.fixture(scope="session")
def sidecars() -> dict[str, dict]:
    """What must become of each mini web page, by URL."""
    pages = (json.loads(path.read_text("utf-8")) for path in sorted((folder() / "pages").rglob("*.json")))
    return {page["url"]: page for page in pages}


@pytest.fixture(scope="session")
def plain_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe without filters, so that runs test the pipeline and not the rules."""
    path = tmp_path_factory.mktemp("recipe") / "plain.toml"
    path.write_text('name = "plain"\n\n[dedup]\n\n[tokenize]\nshard_tokens = 20_000\n')
    return path
