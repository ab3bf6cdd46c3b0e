"""The doctor: what is installed, what is missing, and the one line that adds it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import tomllib
from importlib.resources import files

from rich.console import Console
from rich.table import Table


def show(console: Console) -> bool:
    """Print every library Tamis uses with its version; returns whether all of the base install is there."""
    table = Table("Needed for", "Library", "Version", "To add it")
    healthy = True
    for purpose, extra, modules in _libraries():
        for module, distributions in modules.items():
            version = _version(module, distributions)
            healthy &= version is not None or bool(extra)
            add = "" if version else f"pip install 'tamis[{extra}]'" if extra else "pip install --force-reinstall tamis"
            table.add_row(purpose, module, version or "missing", add)
    console.print(table)
    console.print("Healthy: the base install is complete." if healthy else "The base install is incomplete.")
    return healthy


def _libraries() -> list[tuple[str, str, dict[str, list[str]]]]:
    table = tomllib.loads((files("tamis") / "libraries.toml").read_text("utf-8"))
    return [(group["purpose"], group.get("extra", ""), group["modules"]) for group in table["groups"]]


def _version(module: str, distributions: list[str]) -> str | None:
    """Return the version of the first distribution that provides the module, without importing it."""
    if importlib.util.find_spec(module) is None:
        return None
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "?"
