"""Models by name: fetched from a local server with checksums, gone on with after a cut, never fetched by surprise."""

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from tamis import assets, cli
from tamis.errors import ConfigError, ModelError, UnknownNameError

BODY = bytes(range(256)) * 5000
DIGEST = hashlib.sha256(BODY).hexdigest()
SHARED = Path(__file__).resolve().parents[1] / "../shared/data"

run = CliRunner()


@pytest.fixture
def server() -> Iterator[SimpleNamespace]:
    """A web server that knows ranges, and is told how to misbehave: `cut` bytes at a time, `tag`, `ranges`, `body`."""
    state = SimpleNamespace(body=BODY, cut=0, tag='"one"', ranges=True, asked=[], served={})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(dict(self.headers))
            body = state.served.get(self.path, state.body)
            if self.path.startswith("/gone"):
                self.send_error(404)
                return
            start = 0
            if state.ranges and self.headers.get("If-Range", state.tag) == state.tag and "Range" in self.headers:
                start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            if state.tag:
                self.send_header("ETag", state.tag)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            end = start + state.cut if state.cut else len(body)
            self.wfile.write(body[start:end])

        def log_message(self, *_: object) -> None:
            return

    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{found.server_address[1]}"
    yield state
    found.shutdown()
    found.server_close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TAMIS_CACHE", str(tmp_path))
    monkeypatch.delenv("TAMIS_OFFLINE", raising=False)
    return tmp_path / "models"


@pytest.fixture
def listed(server: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that puts one model of the server into the registry."""

    def put(sha256: str = DIGEST, size: int = 0) -> None:
        asset = assets.Asset("lid.test", "langid", "test.ftz", f"{server.url}/test.ftz", sha256, size, "CC0-1.0")
        monkeypatch.setattr(assets, "registry", lambda: {"lid.test": (asset,)})

    put()
    return put


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", connect)


def test_a_model_is_fetched_once_with_its_checksum(home: Path, server: SimpleNamespace, listed: object) -> None:
    (found,) = assets.get("lid.test")
    assert found.path == home / "lid.test" / "test.ftz"
    assert (found.path.read_bytes(), found.sha256, found.bytes) == (BODY, DIGEST, len(BODY))
    assert assets.locate("lid.test") == [found.path]
    assets.get("lid.test")
    assert len(server.asked) == 1
    assert sorted(path.name for path in found.path.parent.iterdir()) == [".lock", "pins.json", "test.ftz"]


def test_a_wrong_checksum_is_thrown_away(home: Path, server: SimpleNamespace, listed: object) -> None:
    server.body = BODY[:-1] + b"x"
    with pytest.raises(ModelError, match=DIGEST):
        assets.get("lid.test")
    assert not list(home.rglob("*.ftz*"))
    with pytest.raises(ModelError, match=r"tamis models get lid\.test"):
        assets.locate("lid.test")
    server.body = BODY
    assets.get("lid.test")
    assert assets.verify("lid.test")[0].sha256 == DIGEST


def test_a_cut_body_is_no_model_and_is_gone_on_with(home: Path, server: SimpleNamespace, listed: object) -> None:
    server.cut = 100_000
    with pytest.raises(ModelError, match="cut after 300,000 of 1,280,000 bytes"):
        assets.get("lid.test")
    part = home / "lid.test" / "test.ftz.part"
    assert part.read_bytes() == BODY[:300_000]
    assert [head.get("Range") for head in server.asked] == [None, "bytes=100000-", "bytes=200000-"]
    with pytest.raises(ModelError, match="not on this machine"):
        assets.locate("lid.test")
    server.cut = 0
    assert assets.get("lid.test")[0].path.read_bytes() == BODY
    assert server.asked[-1]["Range"] == "bytes=300000-"
    assert not part.exists()


@pytest.mark.parametrize("change", ["another file", "no ranges", "no mark"])
def test_what_cannot_be_gone_on_with_begins_anew(
    home: Path, server: SimpleNamespace, listed: object, change: str
) -> None:
    server.body, server.cut, server.tag = BODY[::-1], 100_000, "" if change == "no mark" else '"old"'
    server.ranges = change != "no ranges"
    with pytest.raises(ModelError, match="cut after"):
        assets.get("lid.test")
    server.body, server.cut, server.tag = BODY, 0, '"new"' if change == "another file" else server.tag
    assert assets.get("lid.test")[0].path.read_bytes() == BODY


def test_a_part_longer_than_the_file_begins_anew(home: Path, server: SimpleNamespace, listed: object) -> None:
    server.cut = 100_000
    with pytest.raises(ModelError):
        assets.get("lid.test")
    part = home / "lid.test" / "test.ftz.part"
    part.write_bytes(b"x" * 400_000)
    server.cut = 0
    # The part's start is not the file's: the checksum finds it, and the next attempt starts from nothing.
    with pytest.raises(ModelError, match="thrown away"):
        assets.get("lid.test")
    assert assets.get("lid.test")[0].path.read_bytes() == BODY


def test_a_file_damaged_later_is_found_and_fetched_again(home: Path, server: SimpleNamespace, listed: object) -> None:
    (found,) = assets.get("lid.test")
    found.path.write_bytes(BODY[:-1] + b"x")
    with pytest.raises(ModelError, match=r"tamis models get lid\.test"):
        assets.verify("lid.test")
    assert assets.get("lid.test")[0].path.read_bytes() == BODY
    found.path.write_bytes(BODY[:-1])
    with pytest.raises(ModelError, match="not on this machine"):
        assets.locate("lid.test")


def test_an_unknown_checksum_is_recorded_at_first_and_holds_from_then_on(
    home: Path, server: SimpleNamespace, listed: Callable[..., None]
) -> None:
    listed(sha256="")
    (found,) = assets.get("lid.test")
    assert json.loads((home / "lid.test" / "pins.json").read_text())["test.ftz"]["sha256"] == found.sha256 == DIGEST
    found.path.unlink()
    server.body = BODY[::-1]
    with pytest.raises(ModelError, match=DIGEST):
        assets.get("lid.test")


def test_offline_never_touches_the_network(
    home: Path, server: SimpleNamespace, listed: object, monkeypatch: pytest.MonkeyPatch, blocked: None
) -> None:
    for forbid in ("argument", "environment"):
        if forbid == "environment":
            monkeypatch.setenv("TAMIS_OFFLINE", "1")
        with pytest.raises(ModelError, match=DIGEST) as caught:
            assets.get("lid.test", no_network=forbid == "argument")
        assert "test.ftz" in str(caught.value)
        assert "tamis models get lid.test" in str(caught.value)
    assert server.asked == []


def test_what_is_here_needs_no_network(
    home: Path, server: SimpleNamespace, listed: object, request: pytest.FixtureRequest
) -> None:
    assets.get("lid.test")
    request.getfixturevalue("blocked")
    assert assets.get("lid.test", no_network=True) == assets.get("lid.test") == assets.verify("lid.test")


def test_a_file_from_an_address(home: Path, server: SimpleNamespace) -> None:
    (found,) = assets.get(f"{server.url}/some/mine.ftz?download=true", sha256=DIGEST.upper())
    assert (found.name, found.path) == ("mine.ftz", home / "mine.ftz" / "mine.ftz")
    assert "mine.ftz" in assets.names()
    assert assets.locate("mine.ftz") == [found.path]
    with pytest.raises(ConfigError, match="was fetched from"):
        assets.get(f"{server.url}/other/mine.ftz")
    assets.get(f"{server.url}/other/mine.ftz", name="other")
    assert assets.locate("other")[0].name == "mine.ftz"
    with pytest.raises(ModelError, match="404"):
        assets.get(f"{server.url}/gone.ftz")
    with pytest.raises(ModelError, match=DIGEST):
        assets.get(f"{server.url}/third.ftz", sha256="0" * 64)


def test_addresses_and_names_that_will_not_do(home: Path) -> None:
    for url in ("http://127.0.0.1/", "http://127.0.0.1/..%2f..%2fetc", "http://127.0.0.1/a b"):
        with pytest.raises(ConfigError, match="plain file name"):
            assets.get(url)
    with pytest.raises(ConfigError, match="another model"):
        assets.get("http://127.0.0.1/x.ftz", name="lid.176")
    with pytest.raises(ConfigError, match="no SHA-256"):
        assets.get("http://127.0.0.1/x.ftz", sha256="12")
    with pytest.raises(UnknownNameError, match=r"lid\.176"):
        assets.get("lid.17")
    with pytest.raises(UnknownNameError):
        assets.locate("../etc")


def test_a_server_that_is_not_there_is_one_clear_error(home: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ModelError, match="could not be fetched"):
        assets.get(f"http://127.0.0.1:{port}/x.ftz")


def test_the_registry_says_where_what_and_under_which_licence() -> None:
    listed = [asset for found in assets.registry().values() for asset in found]
    assert {"lid.176", "lid.176.bin", "glotlid-v3", "openlid"} <= set(assets.registry())
    for asset in listed:
        assert asset.url.startswith("https://"), asset
        assert asset.licence and asset.file, asset
        assert len(asset.sha256) in (0, 64), asset


def test_lid176_by_name(home: Path, server: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real lid.176.ftz by the registry's checksum, from here; then used by name, with no network."""
    given = SHARED / "models" / "lid.176.ftz"
    if not given.is_file():
        pytest.skip("../shared/data is not there")
    server.served["/lid.176.ftz"] = given.read_bytes()
    (asset,) = assets.registry()["lid.176"]
    monkeypatch.setattr(assets, "download", _from(server.url, assets.download))
    with pytest.raises(ModelError, match=asset.sha256):
        _identifier("lid.176")
    shown = run.invoke(cli.app, ["models", "get", "lid.176"])
    assert shown.exit_code == 0, shown.output
    assert asset.sha256 in shown.output
    assert run.invoke(cli.app, ["models", "get", "lid.176.ftz", "--offline"]).exit_code == 0
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was touched"))
    for name in ("lid.176", "lid.176.ftz", str(asset.path)):
        said = _identifier(name).identify(__import__("pyarrow").array(["Das Boot liegt seit gestern am Ufer."]))
        assert said.field("language").to_pylist() == ["deu_Latn"]
    assert "yes" in run.invoke(cli.app, ["models", "list"]).output
    assert asset.sha256 in run.invoke(cli.app, ["models", "verify"]).output
    asset.path.write_bytes(given.read_bytes()[:-1] + b"x")
    assert isinstance(run.invoke(cli.app, ["models", "verify", "lid.176"]).exception, ModelError)
    with pytest.raises(ModelError, match=r"tamis models get lid\.176"):
        _identifier("lid.176")


def _from(url: str, real: Callable[..., None]) -> Callable[..., None]:
    return lambda where, part, tell=None: real(f"{url}/{where.rpartition('/')[2]}", part, tell=tell)


def _identifier(name: str):  # type: ignore[no-untyped-def]
    from tamis.langid import Identifier

    return Identifier(name)


def test_a_model_that_is_not_here_stops_a_run_before_its_input(home: Path, tmp_path: Path, blocked: None) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text('[langid]\nmodel = "lid.176"\n', "utf-8")
    shown = run.invoke(cli.app, ["run", str(tmp_path / "no-such-input"), str(tmp_path / "out"), "-r", str(recipe)])
    assert isinstance(shown.exception, ModelError), shown.output
    assert "tamis models get lid.176" in str(shown.exception)
    assert not (tmp_path / "out").exists()
