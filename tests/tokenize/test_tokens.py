"""Reading datasets back: every document once over ranks, over a stop and over a pickle."""

from __future__ import annotations

import json
import pickle

import pytest

from tamis import tokens
from tamis.errors import ConfigError, InputError
from tamis.tokenize import load


@pytest.fixture
def folder(made):
    return made({"eng_Latn": [13, 0, 4], "fra_Latn": [7]})


def names(documents) -> list[str]:
    return [document.id for document in documents]


ALL = [f"w:{number}" for number in range(24)]


def test_random_access(folder):
    data, encoder = tokens.open(folder), load("default")
    assert len(data) == 24
    assert names(data) == names(data[:]) == ALL
    assert names(data) == ALL  # a second epoch
    assert data[-1].id == "w:23"
    assert data[13].language == "eng_Latn"
    assert encoder.decode(data[20].input_ids[:-1]).startswith("w:20 ")
    assert not data[0].input_ids.flags.writeable
    assert data.tokens == sum(len(document.input_ids) - 1 for document in data)
    assert names(tokens.open(folder / "fra_Latn")) == ALL[17:]
    with pytest.raises(IndexError):
        data[24]


@pytest.mark.parametrize("world", [1, 2, 3, 8, 30])
def test_ranks_share_the_documents_out(folder, world):
    parts = [tokens.open(folder, rank=rank, world=world) for rank in range(world)]
    assert sum(map(len, parts)) == 24
    assert sorted(name for part in parts for name in names(part)) == sorted(ALL)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("stop", [0, 1, 3])
def test_a_stop_in_mid_epoch_loses_and_repeats_nothing(folder, world, stop):
    seen = []
    for rank in range(world):
        data = tokens.open(folder, rank=rank, world=world)
        walk = iter(data)
        seen += [next(walk).id for _ in range(stop)]
        walk.close()
        state = json.loads(json.dumps(data.state_dict()))
        again = pickle.loads(pickle.dumps(tokens.open(folder, rank=rank, world=world)))
        again.load_state_dict(state)
        seen += names(again)
    assert sorted(seen) == sorted(ALL)


def test_a_state_of_another_rank_or_dataset_is_refused(folder):
    state = tokens.open(folder, rank=0, world=2).state_dict()
    with pytest.raises(ConfigError, match="not of this dataset"):
        tokens.open(folder, rank=1, world=2).load_state_dict(state)
    with pytest.raises(ConfigError, match="not of this dataset"):
        tokens.open(folder / "fra_Latn", rank=0, world=2).load_state_dict(state)
    with pytest.raises(ConfigError, match="rank 2 of world 2"):
        tokens.open(folder, rank=2, world=2)


def test_what_is_no_dataset_is_said(tmp_path, folder):
    with pytest.raises(InputError, match="no token dataset"):
        tokens.open(folder / "eng_Latn" / "nothing")
    (folder / "fra_Latn" / "00000.arrow").write_bytes(b"short")
    with pytest.raises(InputError, match="Cannot read the shard"):
        tokens.open(folder)[23]
    (folder / "fra_Latn" / "state.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be used"):
        tokens.open(folder)


def test_torch_takes_it_as_a_map_style_dataset(folder):
    torch_data = pytest.importorskip("torch.utils.data")
    loader = torch_data.DataLoader(tokens.open(folder), batch_size=5, collate_fn=names)
    assert [name for batch in loader for name in batch] == ALL


@pytest.mark.parametrize("workers", [0, 2, 3])
@pytest.mark.parametrize("world", [1, 2])
def test_torch_workers_share_an_iterable_out(folder, world, workers):
    torch_data = pytest.importorskip("torch.utils.data")
    seen = []
    for rank in range(world):
        data = tokens.open(folder, rank=rank, world=world)
        walk = iter(data)
        seen += [next(walk).id for _ in range(3)]  # a stop, and on with workers
        loader = torch_data.DataLoader(data.iterable(), batch_size=2, collate_fn=names, num_workers=workers)
        seen += [name for batch in loader for name in batch]
    assert sorted(seen) == sorted(ALL)


@pytest.mark.parametrize("world", [1, 2, 3, 8])
def test_blocks_are_shared_out_and_views(folder, world):
    found = []
    for rank in range(world):
        for block in tokens.open(folder, rank=rank, world=world).blocks():
            assert not block.input_ids.flags.owndata
            starts, ends = block.offsets[:-1].tolist(), block.offsets[1:].tolist()
            found += [block.input_ids[start:end].tolist() for start, end in zip(starts, ends, strict=True)]
    assert sorted(found) == sorted(document.input_ids.tolist() for document in tokens.open(folder))
