"""Fixtures shared by all tests: the data folder beside the repository, and small crawls made on the spot."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
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


@pytest.fixture(scope="module")
def s3() -> Iterator[None]:
    """An S3 server on this machine, found by the environment alone: by boto3, Arrow and worker processes alike.

    Arrow keeps one client for a bucket: no two modules may give a bucket the same name.
    """
    server = pytest.importorskip("moto.server")
    peer = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    peer.start()
    host, port = peer.get_host_and_port()
    given = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        yield
    peer.stop()
