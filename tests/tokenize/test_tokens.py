"""Reading datasets back: every document once over ranks, over a stop and over a pickle."""

from __future__ import annotations

import json
import pickle

import pyarrow as pa
import pytest

from tamis import tokens
from tamis.errors import ConfigError, InputError
from tamis.tokenize import dataset, dataset_files, load, write_shard


@pytest.fixture
def folder(tmp_path, samples, monkeypatch):
    monkeypatch.setattr(dataset, "BATCH_ROWS", 5)
    encoder, number = load("default"), 0
    for language, counts in {"eng_Latn": [13, 0, 4], "fra_Latn": [7]}.items():
        (tmp_path / language).mkdir()
        shards = []
        for place, count in enumerate(counts):
            names = [f"w:{number + row}" for row in range(count)]
            texts = [f"{name} {samples.TEXTS[row % 9]}" for row, name in enumerate(names)]
            columns = {"id": names, "language": [language] * count, "text": texts}
            batch = pa.record_batch({key: pa.array(values, pa.large_string()) for key, values in columns.items()})
            with (tmp_path / language / f"{place:05d}.arrow").open("wb") as sink:
                shards.append((f"{place:05d}.arrow", write_shard(sink, iter([batch]), encoder)))
            number += count
        for name, content in dataset_files(language, shards, encoder).items():
            (tmp_path / language / name).write_bytes(content)
    return tmp_path


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


@pytest.mark.parametrize("world", [1, 3])
@pytest.mark.parametrize("stop", [0, 1, 5, 8])
def test_a_stop_in_mid_epoch_loses_and_repeats_nothing(folder, world, stop):
    seen = []
    for rank in range(world):
        data = tokens.open(folder, rank=rank, world=world)
        walk = iter(data)
        seen += [next(walk).id for _ in range(stop)]
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
