"""User-made extractors: an object in an importable module or in a Python file."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tamis import errors
from tamis.extract.extractor import Extracted, Extractor
from tamis.extract.head import read_head
from tamis.extract.normal import normal_form


@dataclass(frozen=True, slots=True)
class UserMade:
    """A user's object behind the Extractor interface; a `str` it returns is taken as the text.

    `version` carries a hash of the source file, so that an edited extractor is another step. Isolated unless the
    object says `isolated = False`.
    """

    name: str
    version: str
    isolated: bool
    target: Any

    def extract(self, html: str, url: str | None) -> Extracted:
        """Return what the user's `extract(html, url)` returns; raises TypeError if that is no text."""
        answer = self.target.extract(html, url)
        if isinstance(answer, Extracted):
            return answer
        if not isinstance(answer, str):
            raise TypeError(f"{self.name}: extract() returned {type(answer).__name__}, not Extracted or str")
        text = normal_form(answer)
        head = read_head(html)
        return Extracted(text, head.title, head.language, float(bool(text)))


def load_plugin(spec: str, options: Mapping[str, object]) -> Extractor:
    """Return the extractor named `module:Object` or `./file.py:Object`; a class is called with the options.

    Raises ConfigError, saying which file, attribute or method is missing.
    """
    place, _, attribute = spec.rpartition(":")
    module = _module(spec, place)
    target = getattr(module, attribute, None)
    if target is None:
        raise errors.ConfigError(f"{place} has no {attribute!r}.", errors.nearest(attribute, _public(module)))
    if isinstance(target, type):
        try:
            target = target(**options)
        except TypeError as error:
            raise errors.ConfigError(f"Extractor {spec!r} does not take these options: {error}.") from error
    elif options:
        raise errors.ConfigError(f"Extractor {spec!r} is not a class, so it takes no options.", "Name its class.")
    if not callable(getattr(target, "extract", None)):
        raise errors.ConfigError(
            f"{spec!r} is no extractor.", "It needs a method extract(html: str, url: str | None) -> Extracted or str."
        )
    version = f"{getattr(target, 'version', '0')}+{_source_hash(module)}"
    return UserMade(spec, version, bool(getattr(target, "isolated", True)), target)


def _module(spec: str, place: str) -> ModuleType:
    try:
        return _from_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except Exception as error:
        raise errors.ConfigError(
            f"Extractor {spec!r} cannot be loaded: {type(error).__name__}: {error}.",
            "Write module:Object, or ./file.py:Object.",
        ) from error


def _from_file(path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise FileNotFoundError(str(path))
    # A name of its own for each path, so that two files of the same name can serve in one process.
    name = f"tamis_plugin_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    made = importlib.util.spec_from_file_location(name, path)
    if made is None or made.loader is None:
        raise ImportError(f"no loader for {path}")
    module = importlib.util.module_from_spec(made)
    sys.modules[name] = module
    try:
        made.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _public(module: ModuleType) -> list[str]:
    return [name for name in dir(module) if not name.startswith("_")]


def _source_hash(module: ModuleType) -> str:
    source = getattr(module, "__file__", None)
    return hashlib.sha256(Path(source).read_bytes()).hexdigest()[:12] if source else "unknown"
