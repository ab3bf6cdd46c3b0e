"""The demo's input: the bundled mini web, packed into WARC files."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

from tamis.errors import InputError


def folder() -> Path:
    """Return the folder of the mini web: inside an installed package, or beside the sources."""
    installed = Path(__file__).parent / "miniweb"
    found = installed if installed.is_dir() else Path(__file__).parents[2] / "examples" / "miniweb"
    if not (found / "packing.py").is_file():
        raise InputError("The mini web is not bundled with this installation.", "Run the demo from a clone.")
    return found


def pack(output: Path) -> Path:
    """Write the mini web's pages into WARC files in `output`; returns the path of the manifest that names them."""
    home = folder()
    spec = importlib.util.spec_from_file_location("tamis_miniweb_packing", home / "packing.py")
    assert spec is not None
    assert spec.loader is not None
    packing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(packing)
    packing.pack(home / "pages", output)
    return output / "warc.paths"


def blocklist() -> Path:
    """Return the list of hosts the demo blocks."""
    return folder().absolute() / "blocked_domains.txt"


def compile_kernels() -> None:
    """Run the default recipe over the mini web in a scratch folder, so that every kernel is compiled and cached."""
    from tamis.runs import run

    with tempfile.TemporaryDirectory(prefix="tamis-compile-") as scratch:
        manifest = pack(Path(scratch) / "crawl")
        overrides = {"url.domains": str(blocklist())}
        run(manifest, Path(scratch) / "corpus", executor="inline", overrides=overrides)
