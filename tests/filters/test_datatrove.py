"""The variants "datatrove" against the installed datatrove: verdict and reason of every document."""

from __future__ import annotations

import gzip
import json
import random
import re
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest

from tamis.filters import Chain, c4_quality, fineweb_quality, gopher_quality, gopher_repetition

pytest.importorskip("datatrove")
from datatrove.data import Document
from datatrove.pipeline.filters import (
    c4_filters,
    fineweb_quality_filter,
    gopher_quality_filter,
    gopher_repetition_filter,
)

EXTRACTION = Path(__file__).resolve().parents[2] / "../shared/data/extraction"


def words(text: str) -> list[str]:
    return re.findall(r"\w+(?:['’]\w+)?|[^\w\s]+", text)


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.?!])\s+", text) if part]


@cache
def generated() -> tuple[str, ...]:
    """Texts near every bound: prose with lines, runs, symbols and bullets repeated more and more often."""
    pick = random.Random(7)
    lexicon = [
        "the",
        "of",
        "be",
        "and",
        "to",
        "house",
        "river",
        "#tag",
        "…",
        "wait...",
        "42",
        "*",
        "ñandú",
        "दिन",
        "。",
    ]
    texts = ["", " ", "\n\n", "#", "a\x85b\u2028c\x1cd", "{", "lorem ipsum dolor sit amet now."]
    for _ in range(150):
        vocabulary = pick.sample(lexicon, pick.randint(3, len(lexicon)))
        lines = []
        for _ in range(pick.randint(1, 25)):
            end = pick.choice([".", ".", "...", "…", "!", "", '"', " [1]", ". [edit]", " "])
            bullet = pick.choice(["", "", "• ", "- ", "  -"])
            lines.append(bullet + " ".join(pick.choices(vocabulary, k=pick.randint(1, 15))) + end)
        lines += pick.choices(lines, k=pick.choice([0, 0, 1, 3, 8]))
        odd = ["use cookies to see it all.", "javascript must be on, please.", "a { b of c.", "Lorem ipsum is it."]
        lines += [pick.choice(odd)] * (pick.random() < 0.3)
        texts.append(pick.choice(["\n", "\n\n", "\r\n"]).join(lines))
    return tuple(texts)


@cache
def gold() -> tuple[str, ...]:
    if not EXTRACTION.is_dir():
        pytest.skip(f"no real pages at {EXTRACTION}")
    texts = []
    for path in sorted(EXTRACTION.glob("*/gold.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as rows:
            texts += [_text(json.loads(row)["gold"]) for row in rows]
    return tuple(texts)


def _text(value: object) -> str:
    if isinstance(value, dict):
        known = [value[key] for key in ("main_content", "articleBody", "with", "text") if key in value]
        return _text(known[0]) if known else ""
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value or "")


@cache
def extracted() -> tuple[str, ...]:
    """What Resiliparse makes of a share of the real pages, boilerplate included."""
    gold()
    from resiliparse.extract.html2text import extract_plain_text

    pages = sorted(EXTRACTION.glob("*/html/*.gz"))[::6]
    return tuple(extract_plain_text(gzip.decompress(page.read_bytes()).decode("utf-8", "replace")) for page in pages)


# Our rule (and which of its bounds was missed) -> datatrove's reason.
REASONS = {
    ("word_count", "low"): "gopher_short_doc",
    ("word_count", "high"): "gopher_long_doc",
    ("mean_word_letters", "low"): "gopher_below_avg_threshold",
    ("mean_word_letters", "high"): "gopher_above_avg_threshold",
    ("hash_word_ratio", "high"): "gopher_too_many_hashes",
    ("ellipsis_word_ratio", "high"): "gopher_too_many_ellipsis",
    ("bullet_line_share", "high"): "gopher_too_many_bullets",
    ("ellipsis_line_share", "high"): "gopher_too_many_end_ellipsis",
    ("lettered_word_share", "low"): "gopher_below_alpha_threshold",
    ("stop_word_count", "low"): "gopher_enough_stop_words",
    ("char_count", "low"): "empty",
    ("repeated_paragraph_share", "high"): "dup_para_frac",
    ("repeated_paragraph_char_share", "high"): "dup_para_char_frac",
    ("repeated_line_share", "high"): "dup_line_frac",
    ("repeated_line_char_share", "high"): "dup_line_char_frac",
    **{(f"top_{n}_gram_char_share", "high"): f"top_{n}_gram" for n in (2, 3, 4)},
    **{(f"repeated_{n}_gram_char_share", "high"): f"duplicated_{n}_n_grams" for n in range(5, 11)},
    ("line_count", "low"): "empty",
    ("ended_line_share", "low"): "line_punct_ratio",
    ("short_line_share", "high"): "short_line_ratio",
    ("line_break_word_ratio", "high"): "list_ratio",
    ("lorem_ipsum", "high"): "lorem_ipsum",
    ("curly_bracket", "high"): "curly_bracket",
    ("sentence_count", "low"): "too_few_sentences",
}


def ours(chain: Chain, texts: tuple[str, ...]) -> tuple[list[str], dict[int, str]]:
    """Return the reason for each text ("" for kept), in datatrove's words, and the kept texts by row."""
    rows = pa.array(range(len(texts)))
    sifted = chain(pa.record_batch({"row": rows, "text": pa.array(texts, pa.large_string())}))
    reasons = [""] * len(texts)
    for row in sifted.dropped.select(["row", "reason", "value", "threshold"]).to_pylist():
        side = "low" if row["value"] < row["threshold"] else "high"
        reasons[row["row"]] = REASONS[row["reason"], side]
    if chain.name == "fineweb_quality":
        reasons = [{"dup_line_char_frac": "char_dup_ratio"}.get(reason, reason) for reason in reasons]
    kept = sifted.kept
    return reasons, dict(zip(kept["row"].to_pylist(), kept["text"].to_pylist(), strict=True))


def theirs(block: object, texts: tuple[str, ...]) -> tuple[list[str], dict[int, str]]:
    reasons, kept = [], {}
    for row, text in enumerate(texts):
        document = Document(text=text, id=str(row))
        result = block.filter(document)
        reasons.append("" if result is True else result[1])
        if result is True:
            kept[row] = document.text
    return reasons, kept


CASES = {
    "quality": (
        gopher_quality_filter,
        "GopherQualityFilter",
        {},
        lambda: gopher_quality(variant="datatrove", words=words),
    ),
    "repetition": (
        gopher_repetition_filter,
        "GopherRepetitionFilter",
        {},
        lambda: gopher_repetition(variant="datatrove", words=words),
    ),
    "fineweb": (
        fineweb_quality_filter,
        "FineWebQualityFilter",
        {},
        lambda: fineweb_quality(variant="datatrove", words=words),
    ),
    "c4": (c4_filters, "C4QualityFilter", {}, lambda: c4_quality(variant="datatrove", sentences=sentences)),
    "c4 as in FineWeb": (
        c4_filters,
        "C4QualityFilter",
        {"filter_no_terminal_punct": False},
        lambda: c4_quality(variant="datatrove", sentences=sentences, ended_lines=False),
    ),
}


@pytest.mark.parametrize("source", [generated, gold, extracted], ids=lambda source: source.__name__)
@pytest.mark.parametrize("case", CASES)
def test_agrees_with_the_installed_datatrove(case: str, source, monkeypatch: pytest.MonkeyPatch) -> None:
    _compare(case, source() if source is generated else source()[:: 15 if source is gold else 10], monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("source", [gold, extracted], ids=lambda source: source.__name__)
@pytest.mark.parametrize("case", CASES)
def test_agrees_on_every_real_page(case: str, source, monkeypatch: pytest.MonkeyPatch) -> None:
    _compare(case, source(), monkeypatch)


def _compare(case: str, texts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    module, block, options, make = CASES[case]
    for name, function in (("split_into_words", words), ("split_into_sentences", sentences)):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, lambda text, language, function=function: function(text))
    expected, expected_texts = theirs(getattr(module, block)(**options), texts)
    found, found_texts = ours(make(), texts)
    assert found == expected
    assert found_texts == expected_texts
    assert "" in found and len(set(found)) > 1, "a comparison that never differs compares nothing"
