"""A run that ends before it has begun leaves nothing in its own way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tamis
from tamis.errors import OutputError
from tamis.pipeline.storage import Storage


@pytest.mark.parametrize("after", range(6))
def test_a_write_that_fails_before_the_first_unit_is_no_obstacle(
    after: int, plain_recipe: Path, tmp_path: Path
) -> None:
    source, left = tmp_path / "in.jsonl", [after]
    source.write_text(json.dumps({"id": "a", "text": "a few words of text"}) + "\n")
    write = Storage.write

    def failing(storage: Storage, path: str, data: bytes) -> object:
        left[0] -= 1
        if left[0] < 0:
            # As if killed: the part stays.
            Path(storage.where(f"{path}.part-0123")).parent.mkdir(parents=True, exist_ok=True)
            Path(storage.where(f"{path}.part-0123")).write_bytes(data)
            raise OutputError("full", "")
        return write(storage, path, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Storage, "write", failing)
        with pytest.raises(OutputError, match="full"):
            tamis.run(source, tmp_path / "out", recipe=plain_recipe, executor="inline")
    tamis.run(source, tmp_path / "out", recipe=plain_recipe, executor="inline")
    assert (tmp_path / "out" / "documents").is_dir()
