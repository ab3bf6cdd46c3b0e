"""Models for tests: a stub that always says the same, and a tiny one trained on the spot."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tamis.langid import Identifier, identifier
from tamis.langid import model as models
from tamis.langid.model import Model

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"


class _Native:
    """What a native fastText object looks like, with one opinion on everything."""

    def __init__(self, opinion: list[tuple[float, str]]) -> None:
        self.opinion = opinion

    def getLabels(self, _errors: str) -> tuple[list[str], list[int]]:  # noqa: N802 - fastText's name
        return [label for _, label in self.opinion], [1] * len(self.opinion)

    def predict(self, _line: str, k: int, _threshold: float, _errors: str) -> list[tuple[float, str]]:
        return self.opinion if k < 0 else self.opinion[:k]


class _Stub(Model):
    quantized = None  # type: ignore[assignment]


@pytest.fixture
def stubborn(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[list[tuple[float, str]]], Identifier]]:
    """Return a function that makes an identifier whose model has one opinion on every text."""

    def make(opinion: list[tuple[float, str]]) -> Identifier:
        stub = _Stub("stub", "0", _Native(opinion))
        monkeypatch.setattr(identifier.models, "load", lambda _file: stub)
        return Identifier("default")

    yield make


@pytest.fixture(scope="session")
def shipped() -> Identifier:
    return Identifier()


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("../shared/data is not there")
    return SHARED


@pytest.fixture(scope="session")
def lid176(shared: Path) -> Model:
    return models.load(shared / "models" / "lid.176.ftz")
