"""Kernels beside short plain twins."""

from __future__ import annotations

import unicodedata
from collections import Counter
from html.entities import html5
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.extract.native import containers, layout, words
from tamis.extract.native import measure as m
from tamis.extract.native.align import labels_from_segments, matched_tokens
from tamis.extract.native.assemble import is_normal
from tamis.extract.native.blocks import scan_page
from tamis.extract.native.cut import choose
from tamis.extract.native.describe import describe_page, feature_matrix, token_weights
from tamis.extract.native.extractor import extract_bytes
from tamis.extract.native.features import FEATURES
from tamis.extract.native.folds import folds_of
from tamis.extract.native.model import stage_from_trees
from tamis.extract.native.names import read_rows
from tamis.extract.native.trees import check_forest, to_chances
from tamis.extract.normal import normal_form


def test_no_reference_is_longer_than_the_scanner_has_room_for() -> None:
    assert max(len(text.encode()) / (len(name) + 1) for name, text in html5.items()) <= 6 / 5
    for name in ("nGt;", "nLt;"):
        assert extract_bytes(f"<p>{f'&{name}' * 3000}".encode()).text in ("", html5[name] * 3000)


@pytest.mark.parametrize("name", ["p", "class", "datetime", "abcdefgh", "http-equiv", "abcdefghijklmnop"])
@pytest.mark.parametrize("rest", ["", " ", "=x yyyyyyyyyyyy", ">", "/>zzzzzzzzzzzzzz", "\n="])
def test_name_hash_twin(name: str, rest: str) -> None:
    raw = f"<{name.upper()}{rest}".encode()
    data = np.frombuffer(raw + bytes(words.PADDING), np.uint8)
    assert words.read_word(data, 1, len(raw), True) == (words.word_hash(name), 1 + len(name))


@given(st.binary(max_size=40), st.integers(0, 40), st.integers(1, 127))
@settings(deadline=None, max_examples=200)
def test_words_find_what_bytes_do(raw: bytes, at: int, byte: int) -> None:
    data = np.frombuffer(raw + bytes(words.PADDING), np.uint8)
    at = min(at, len(raw))
    found = raw.find(bytes([byte]), at)
    assert words.find(data, at, len(raw), byte) == (len(raw) if found < 0 else found)
    above = next((place for place in range(at, len(raw)) if raw[place] > 32), len(raw))
    assert words.skip_blank(data, at, len(raw)) == above


@given(st.text(st.sampled_from("ab \n\t\r\u3000\u2003\x1cé。”\0"), max_size=12))
@settings(deadline=None, max_examples=300)
def test_text_taken_for_normal_is(text: str) -> None:
    raw = np.frombuffer(text.encode(), np.uint8)
    if is_normal(raw, len(raw)):
        assert normal_form(text) == text


CHANCES = st.lists(st.tuples(st.integers(0, 16).map(lambda n: n / 16), st.integers(0, 50)), min_size=1, max_size=12)


def fscore(picked: list[tuple[float, int]], blocks: list[tuple[float, int]], beta: float) -> float:
    got = sum(chance * size for chance, size in picked)
    whole = sum(chance * size for chance, size in blocks)
    taken = sum(size for _, size in picked)
    return (1 + beta**2) * got / max(taken + beta**2 * whole, 1e-9)


@given(CHANCES, st.sampled_from([0.5, 1.0, 2.0]))
@settings(deadline=None, max_examples=100)
def test_no_choice_of_blocks_beats_the_cut(blocks: list[tuple[float, int]], beta: float) -> None:
    chances, sizes = (np.array(column, np.float32) for column in zip(*blocks, strict=True))
    chosen = np.empty(len(blocks), np.uint8)
    found = choose(chances, sizes, beta, 0.0, chosen)
    picked = [block for block, keep in zip(blocks, chosen, strict=True) if keep]
    assert fscore(picked, blocks, beta) == pytest.approx(found, abs=1e-6)
    best = max(
        fscore([block for at, block in enumerate(blocks) if mask >> at & 1], blocks, beta)
        for mask in range(1 << len(blocks))
    )
    assert found == pytest.approx(best, abs=1e-6)


TREES = st.recursive(
    st.floats(-4, 4, width=32).map(lambda value: {"leaf_value": value}),
    lambda below: st.fixed_dictionaries(
        {"split_feature": st.integers(0, 2), "threshold": st.floats(-2, 2), "left_child": below, "right_child": below}
    ),
    max_leaves=12,
)


def walk(node: dict[str, Any], row: Any) -> float:
    while "leaf_value" not in node:
        node = node["left_child" if float(row[node["split_feature"]]) <= node["threshold"] else "right_child"]
    return float(node["leaf_value"])


@given(st.lists(TREES, min_size=1, max_size=4), st.lists(st.floats(-3, 3, width=32), min_size=3, max_size=3))
@settings(deadline=None, max_examples=100)
def test_trees_twin(trees: list[dict[str, Any]], values: list[float]) -> None:
    stage = stage_from_trees([{"tree_structure": tree} for tree in trees])
    matrix = np.array([values, [value / 2 for value in values]], np.float32)
    assert check_forest(stage.columns, stage.starts, stage.thresholds, stage.trees, len(stage.leaves), 3)
    raw, chances = stage.log_odds(matrix), np.empty(2, np.float32)
    assert raw.tolist() == pytest.approx([sum(walk(tree, row) for tree in trees) for row in matrix], abs=1e-4)
    to_chances(raw, chances)
    assert chances.tolist() == pytest.approx((1 / (1 + np.exp(-raw.astype(float)))).tolist(), abs=1e-5)


@given(st.lists(st.integers(0, 5), max_size=30))
@settings(deadline=None, max_examples=100)
def test_numbering_twin(hashes: list[int]) -> None:
    numbers = np.empty(len(hashes), np.int64)
    count = containers.number(np.array(hashes, np.int64), numbers)
    assert numbers.tolist() == [list(dict.fromkeys(hashes)).index(found) for found in hashes]
    assert count == len(set(hashes))


@given(st.text(st.sampled_from("abcXYZ éßЖщ 019.,;!?-€\n"), max_size=60))
@settings(deadline=None, max_examples=150)
def test_measures_twin(text: str) -> None:
    page = scan_page(b"<pre>x" + text.encode() + b"x")
    read = page.text.tobytes().decode()
    found = describe_page(page).measures[0]
    letters = [sign for sign in read if unicodedata.category(sign)[0] == "L"]
    runs = "".join(sign if unicodedata.category(sign)[0] in "LN" else " " for sign in read).split()
    assert found[m.UNITS] == m.UNIT * len(runs)
    assert found[m.LETTERS] == len(letters)
    assert found[m.UPPER] == sum(sign.isupper() for sign in letters)
    assert found[m.DIGITS] == sum(sign.isdigit() for sign in read)
    assert found[m.TERMINALS] == sum(sign in ".!?" for sign in read)
    assert found[m.LINES] == read.count("\n")


def test_units_of_unspaced_scripts_are_no_whitespace_words() -> None:
    for text, least in (
        ("这是一个没有空格的中文句子", 4),
        ("ที่นี่มีข้อความภาษาไทยยาวพอสมควร", 4),
        ("これは日本語の文章です", 3),
    ):
        assert describe_page(scan_page(text.encode())).units[0] >= least


def test_title_and_copies() -> None:
    page = scan_page(b"<title>Big red dogs</title><h1>red DOGS bark</h1><p>same<p>same<p>other")
    described = describe_page(page)
    assert described.measures[0, m.TITLE] == 2 * m.UNIT
    assert described.shares[:, containers.COPIES].tolist() == [1, 2, 2, 1]


def test_totals_add_up() -> None:
    page = scan_page(b"<div><p>One two. <a>three four</a></p><div><p>five</div></div>six")
    described = describe_page(page)
    assert described.totals[0, containers.UNITS] == 6
    assert described.totals[0, containers.BLOCKS] == 3
    outer = int(np.flatnonzero(page.elements[:, layout.DEPTH] == 1)[0])
    assert described.totals[outer, containers.UNITS] == 5


def test_token_log_odds_add_up_along_the_path() -> None:
    page = scan_page(b'<div class="content"><p class="teaser-box">x</p></div>')
    known = dict.fromkeys([*page.tokens.tolist(), *page.class_tokens.tolist()], 1.0)
    learned = token_weights(np.array(sorted(known), np.int64), np.ones(len(known), np.float32))
    row = feature_matrix(describe_page(page), learned)[0]
    # `content` is one token whole and one as a part; `teaser-box` one whole and two parts.
    assert row[[33, 35, 36, 37, 38]].tolist() == [5, 3, 0, 3, 2]


def test_every_feature_is_described_and_finite() -> None:
    assert [int(row["number"]) for row in read_rows("features.tsv")] == list(range(FEATURES))
    nothing = token_weights(np.empty(0, np.int64), np.empty(0, np.float32))
    matrix = np.full((1, 1), np.nan)
    for source in (b"x", b"<p>1<p>.<h1>t</h1>" * 9, "<table><tr><td>ж<li>中文。".encode()):
        matrix = feature_matrix(describe_page(scan_page(source)), nothing)
        assert matrix.shape[1] == FEATURES
        assert np.isfinite(matrix).all()


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abcd"), max_size=12))
@settings(deadline=None, max_examples=100)
def test_alignment_is_an_ordered_choice(page: list[str], gold: list[str]) -> None:
    matched = matched_tokens(page, gold)
    picked = [token for token, keep in zip(page, matched, strict=True) if keep]
    rest = iter(gold)
    assert all(token in rest for token in picked)
    assert not Counter(picked) - Counter(gold)


def test_alignment_prefers_runs() -> None:
    page = ["the", "of", "one", "two", "three", "four", "the"]
    assert matched_tokens(page, ["one", "two", "the", "three", "four"]).tolist() == [0, 0, 1, 1, 1, 1, 0]


def test_segments() -> None:
    labels, known = labels_from_segments(["Good text here.", "Buy now!", "unknown"], ["good text"], ["Buy now"])
    assert (labels.tolist(), known.tolist()) == ([1, 0, 0], [1, 1, 0])


def test_folds_keep_groups_together() -> None:
    groups = np.array([0, 0, 0, 1, 2, 2, 3, 4, 5, 5])
    folds = folds_of(groups, 3, 0)
    assert all(len(set(folds[groups == group].tolist())) == 1 for group in range(6))
    assert set(folds.tolist()) == {0, 1, 2}
