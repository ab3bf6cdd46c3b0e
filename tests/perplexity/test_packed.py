"""Bundles as one file: the same bytes every time, fetched from an address with a checksum, listed and verified."""

import functools
import http.server
import io
import tarfile
import threading

import pytest
from typer.testing import CliRunner

from tamis.cli import app
from tamis.errors import ModelError, OutputError
from tamis.perplexity import bundle
from tamis.perplexity.packed import pack, unpack
from tamis.perplexity.training import Training, train

pytest.importorskip("sentencepiece")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("lm") / "swh.lm"
    lines = [f"kato miren {n % 7} sol vé {n % 11} nu {'ka' * (n % 5)} ren{n % 3}" for n in range(400)]
    train(lines, path, "swh_Latn", training=Training(order=3, pieces=70), licence="CC0-1.0")
    return path


@pytest.fixture
def address(tmp_path):
    """The address of a server of the folder `served`."""
    (tmp_path / "served").mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path / "served"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_bundle_comes_back_from_one_file(folder, tmp_path):
    one, two = pack(folder, tmp_path / "a.lm.tar"), pack(folder, tmp_path / "b.lm.tar")
    assert one.read_bytes() == two.read_bytes()
    for _ in range(2):
        made = unpack(one, tmp_path / "a.lm")
        assert bundle.load(made).checksum == bundle.load(folder).checksum
    assert sorted(path.name for path in made.iterdir()) == sorted(path.name for path in folder.iterdir())
    with pytest.raises(OutputError, match="exists"):
        pack(folder, one)


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "manifest.json"])
def test_nothing_but_a_bundle_is_unpacked(folder, tmp_path, name):
    manifest = (folder / "manifest.json").read_bytes().replace(b"pieces.model", name.encode())
    with tarfile.open(tmp_path / "bad.lm.tar", "w") as tar:
        for member, data in {"manifest.json": manifest, name: b"x"}.items():
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    with pytest.raises(ModelError):
        unpack(tmp_path / "bad.lm.tar", tmp_path / "home/bad.lm")
    (tmp_path / "bad.lm.tar").write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match="not a packed bundle"):
        unpack(tmp_path / "bad.lm.tar", tmp_path / "home/bad.lm")
    assert not list((tmp_path / "home").iterdir()) and not (tmp_path / "outside").exists()


def test_a_bundle_is_fetched_listed_and_verified(folder, tmp_path, address, monkeypatch):
    monkeypatch.setenv("TAMIS_CACHE", str(tmp_path / "cache"))
    run = CliRunner()
    packed = run.invoke(app, ["models", "pack", str(folder), str(tmp_path / "served/swh.lm.tar")])
    digest = packed.output.split()[-1]
    wrong = run.invoke(app, ["models", "get", f"{address}/swh.lm.tar", "--sha256", "0" * 64])
    assert wrong.exit_code != 0
    fetched = run.invoke(app, ["models", "get", f"{address}/swh.lm.tar", "--sha256", digest])
    assert fetched.exit_code == 0, fetched.output
    home = tmp_path / "cache/models/swh.lm.tar"
    assert bundle.load(home / "swh.lm").language == "swh_Latn"
    listed = run.invoke(app, ["models", "list", str(home)])
    assert "swh_Latn" in listed.output and "CC0-1.0" in listed.output
    assert run.invoke(app, ["models", "verify", str(home / "swh.lm")]).exit_code == 0
    (home / "swh.lm/ngrams.bin").write_bytes(b"another")
    assert run.invoke(app, ["models", "verify", str(home / "swh.lm")]).exit_code != 0
