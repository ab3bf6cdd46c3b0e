"""Packed bundles: a bundle as one file that can be fetched, and back. A plain tar of its manifest and parts."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import IO, Any

from tamis.errors import ModelError, OutputError
from tamis.perplexity.bundle import MANIFEST, load, verify

SUFFIX = ".lm.tar"


def pack(folder: str | Path, file: str | Path) -> Path:
    """Write the bundle of a folder as one tar file, always the same bytes; returns its path.

    Raises ModelError where the bundle is damaged, OutputError where the file exists.
    """
    folder, file = Path(folder), Path(file)
    manifest = verify(folder)
    if file.exists():
        raise OutputError(f"{file} exists already.", "Name another file.")
    with tarfile.open(file, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name in [MANIFEST, *sorted(manifest["parts"])]:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = (folder / name).stat().st_size, 0o644
            with (folder / name).open("rb") as part:
                tar.addfile(entry, part)
    return file


def unpack(file: str | Path, folder: str | Path) -> Path:
    """Write the bundle of a tar file to a folder, verified, in place of what is there, and return it.

    Raises ModelError where the file is not a bundle's: only its manifest and the parts named there are ever written.
    """
    file, folder = Path(file), Path(folder)
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        with tarfile.open(file) as tar:
            manifest = json.loads(_open(tar, MANIFEST).read().decode("utf-8"))
            for name in [MANIFEST, *manifest["parts"]]:
                if name != Path(name).name:
                    raise ValueError(f"it has a part called {name!r}")
                with (part / name).open("wb") as target:
                    shutil.copyfileobj(_open(tar, name), target)
        verify(part)
        if not _is(folder, manifest):
            shutil.rmtree(folder, ignore_errors=True)
            part.rename(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, tarfile.TarError) as error:
        raise ModelError(f"{file} is not a packed bundle: {error}.", "Pack one with `tamis models pack`.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    load.cache_clear()
    return folder


def _is(folder: Path, manifest: dict[str, Any]) -> bool:
    try:
        return verify(folder) == manifest
    except ModelError:
        return False


def _open(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    found = tar.extractfile(tar.getmember(name))
    if found is None:
        raise ValueError(f"{name} is no file")
    return found
