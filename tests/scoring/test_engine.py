"""The engine: packed equals padded, neighbours do not matter, memory that runs out is lived with, order is kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

torch = pytest.importorskip("torch", reason="neural scorers need torch")
pytest.importorskip("transformers", reason="neural scorers need transformers")

from tamis.errors import ConfigError, TamisError  # noqa: E402
from tamis.scoring import ScoringOptions, attention, load  # noqa: E402
from tamis.scoring.body import Batch  # noqa: E402
from tamis.scoring.engine import Engine, ahead  # noqa: E402
from tamis.scoring.texts import PIECE_CHARS, Vocabulary, split  # noqa: E402

Zoo = Callable[[str], Path]
PACKED = ("bert", "roberta", "modernbert", "modernbert-cls", "llama", "llama-classifier")


def padded(engine: Engine) -> Engine:
    """Return the engine, its model run with padding and transformers' own attention."""
    net: Any = engine.net
    net.body.model.set_attn_implementation("sdpa")
    net.packs = False
    return engine


@pytest.mark.parametrize("name", PACKED)
def test_packed_scores_equal_padded_ones(zoo: Zoo, lengths: pa.LargeStringArray, name: str) -> None:
    options = ScoringOptions(str(zoo(name)), batch_tokens=700)
    engine: Any = load(options)
    assert engine.net.packs
    found = engine.score(lengths)
    assert engine.tally.cost == engine.tally.tokens
    expected = padded(engine).score(lengths)
    assert np.isnan(found.scores).tolist() == np.isnan(expected.scores).tolist()
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
    assert np.nanstd(found.scores) > 0.01
    assert found.windows.tolist() == expected.windows.tolist()


@pytest.mark.parametrize("name", [*PACKED, "distilbert", "labels"])
def test_bodies_in_bf16_score_nearly_as_in_fp32(zoo: Zoo, lengths: pa.LargeStringArray, name: str) -> None:
    label = {"label": "LABEL_1"} if name == "labels" else {}
    fine, coarse = (
        load(ScoringOptions(str(zoo(name)), dtype=dtype, **label)).score(lengths).scores  # type: ignore[attr-defined]
        for dtype in ("fp32", "bf16")
    )
    assert np.isnan(fine).tolist() == np.isnan(coarse).tolist()
    np.testing.assert_allclose(coarse, fine, atol=0.15)


@pytest.mark.parametrize("fails", [False, True])
def test_a_model_that_does_not_compile_runs_as_it_is(
    zoo: Zoo, lengths: pa.LargeStringArray, fails: bool, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def compiled(body: Any, **_: Any) -> Any:
        def run(**given: Any) -> Any:
            if fails:
                raise RuntimeError("no C compiler")
            return body(**given)

        return run

    monkeypatch.setattr(torch, "compile", compiled)
    options = ScoringOptions(str(zoo("bert")))
    found, wanted = (load(each).score(lengths).scores for each in (replace(options, compile=True), options))  # type: ignore[attr-defined]
    np.testing.assert_array_equal(found, wanted)
    assert ["no C compiler" in message for message in caplog.messages] == [True] * fails


def test_attention_that_raises_is_no_attention(
    zoo: Zoo, lengths: pa.LargeStringArray, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    wanted = load(ScoringOptions(str(zoo("bert")))).score(lengths).scores  # type: ignore[attr-defined]

    def broken(*_: Any) -> Any:
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr(attention, "_one_by_one", broken)
    engine: Any = load(ScoringOptions(str(zoo("bert"))))
    assert not engine.net.packs and "no kernel image" in caplog.text
    np.testing.assert_allclose(engine.score(lengths).scores, wanted, atol=1e-4)


@pytest.mark.parametrize("name", ["bert", "llama", "modernbert", "distilbert"])
def test_scores_are_those_of_the_library_on_one_text(zoo: Zoo, name: str) -> None:
    import transformers

    text = "the quick brown fox jumps over the lazy dog"
    (score,) = load(ScoringOptions(str(zoo(name)))).score(pa.array([text], pa.large_string())).scores  # type: ignore[attr-defined]
    kind = "AutoModelForCausalLM" if name == "llama" else "AutoModelForSequenceClassification"
    model = getattr(transformers, kind).from_pretrained(str(zoo(name))).eval()
    vocabulary = Vocabulary(zoo(name))
    marks = ([1], []) if name == "llama" else (vocabulary.before, vocabulary.after)
    ids = torch.tensor(
        [[*marks[0], *vocabulary.encode(pa.array([text], pa.large_string())).values.tolist(), *marks[1]]]
    )
    with torch.no_grad():
        logits = model(ids).logits[0]
    if name == "llama":
        chances = logits.log_softmax(-1)[:-1].gather(1, ids[0, 1:, None])
        assert score == pytest.approx(-float(chances.sum()) / math.log(2) / len(text.encode()), abs=1e-4)
    else:
        assert score == pytest.approx(float(logits[0]), abs=1e-4)


def test_a_type_that_cannot_be_packed_is_padded(zoo: Zoo, lengths: pa.LargeStringArray) -> None:
    engine: Any = load(ScoringOptions(str(zoo("distilbert")), batch_tokens=500))
    assert not engine.net.packs
    assert np.isfinite(engine.score(lengths).scores).sum() == 78
    assert 1 - engine.tally.tokens / engine.tally.cost < 0.10


@pytest.mark.parametrize("name", ["bert", "llama", "distilbert"])
def test_neighbours_do_not_change_a_score(zoo: Zoo, lengths: pa.LargeStringArray, name: str) -> None:
    engine: Any = load(ScoringOptions(str(zoo(name))))
    together = engine.score(lengths).scores
    alone = np.concatenate([engine.score(lengths.slice(row, 1)).scores for row in range(0, 80, 7)])
    np.testing.assert_allclose(together[:80:7], alone, atol=1e-4)


def test_batches_come_back_as_they_went_in(zoo: Zoo, lengths: pa.LargeStringArray) -> None:
    engine: Any = load(ScoringOptions(str(zoo("bert")), batch_tokens=64))
    parts = [lengths.slice(0, 3), lengths.slice(0, 0), lengths.slice(3, 50), lengths.slice(53), lengths.slice(0, 0)]
    found = list(engine.stream(iter(parts)))
    assert [len(each.scores) for each in found] == [len(part) for part in parts]
    whole = engine.score(lengths)
    np.testing.assert_allclose(np.concatenate([each.scores for each in found]), whole.scores, atol=1e-4)


class Cramped:
    """A net on a device that holds `most` tokens; it counts what it is asked, and scores a window by its length."""

    per_byte = False
    window = 64

    def __init__(self, vocabulary: Vocabulary, most: int, packs: bool) -> None:
        self.vocabulary, self.most, self.packs = vocabulary, most, packs
        self.refused = 0
        self.scored = 0

    def __call__(self, given: Batch) -> Any:
        cells = int(given.sizes.sum()) if self.packs else given.grid[0] * given.grid[1]
        if cells > self.most:
            self.refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.scored += len(given.sizes)
        return given.sizes.float()


@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize("most", [64, 200, 1000])
def test_memory_that_runs_out_is_halved_away(zoo: Zoo, lengths: pa.LargeStringArray, most: int, packs: bool) -> None:
    net = Cramped(Vocabulary(zoo("bert")), most, packs)
    engine = Engine(net, ScoringOptions("x", batch_tokens=32_768, aggregate="max"))
    found = engine.score(lengths)
    counts = net.vocabulary.encode(lengths).counts
    expected = np.where(counts > 0, np.minimum(counts + 2, 64), np.nan)
    np.testing.assert_array_equal(found.scores, expected)
    assert net.scored == engine.tally.windows == int(found.windows.sum())
    assert net.refused == engine.tally.retries <= math.ceil(math.log2(32_768 / most))
    # What was learned holds: the next texts are not tried at sizes that did not fit.
    before = net.refused
    engine.score(lengths)
    assert net.refused == before


def test_a_window_that_never_fits_is_a_plain_error(zoo: Zoo) -> None:
    engine = Engine(Cramped(Vocabulary(zoo("bert")), 10, True), ScoringOptions("x"))
    with pytest.raises(TamisError, match="does not fit"):
        engine.score(pa.array(["the quick brown fox " * 20], pa.large_string()))


@pytest.mark.parametrize("window", [65, 2])
def test_windows_a_model_cannot_take_are_refused(zoo: Zoo, window: int) -> None:
    with pytest.raises(ConfigError, match=r"scoring\.window"):
        load(ScoringOptions(str(zoo("bert")), window=window))


def test_few_windows_are_spread_and_coverage_says_so(zoo: Zoo) -> None:
    texts = pa.array(["the quick brown fox jumps " * 200, "short"], pa.large_string())
    engine: Any = load(ScoringOptions(str(zoo("bert")), max_windows=3))
    found = engine.score(texts)
    assert found.windows.tolist() == [3, 1] and 0 < found.coverage[0] < 0.5 and found.coverage[1] == 1


def test_long_texts_are_tokenized_in_pieces_that_lose_nothing(zoo: Zoo) -> None:
    text = "the quick brown fox " * 8000 + "x" * (2 * PIECE_CHARS)
    pieces = list(split(text))
    assert "".join(pieces) == text and max(map(len, pieces)) <= PIECE_CHARS
    assert all(piece[0] == " " for piece in pieces[1:3])
    ids = Vocabulary(zoo("bert")).encode(pa.array([text, None, "fox"], pa.large_string()))
    assert ids.counts[1] == 0 and ids.offsets[-1] == len(ids.values)


def test_what_a_thread_prepares_comes_in_order_with_its_errors() -> None:
    def broken() -> Any:
        yield from range(5)
        raise ValueError("here")

    seen = []
    with pytest.raises(ValueError, match="here"):
        for each in ahead(broken(), 2):
            seen.append(each)
    assert seen == list(range(5))
    endless = ahead(iter(int, 1), 1)
    assert next(endless) == 0
    endless.close()
