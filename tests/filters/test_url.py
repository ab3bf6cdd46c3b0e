"""URL rules: domains, addresses, words and substrings, from files and UT1 folders."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.errors import ConfigError
from tamis.filters import url_rules
from tamis.filters.matching import Automaton
from tamis.filters.url import host, reduced


def reasons(chain, *urls: str | None) -> list[str]:
    rows = {"row": pa.array(range(len(urls))), "url": pa.array(urls, pa.large_string())}
    sifted = chain(pa.record_batch(rows))
    found = dict(zip(sifted.dropped["row"].to_pylist(), sifted.dropped["reason"].to_pylist(), strict=True))
    return [found.get(row, "") for row in range(len(urls))]


def test_domains_block_what_lies_under_them(tmp_path: Path) -> None:
    (tmp_path / "adult").mkdir()
    (tmp_path / "adult" / "domains").write_text("# a comment\nBad.example\n\nco.uk.evil.test\n")
    (tmp_path / "adult" / "urls").write_text("good.example/bad/part\n")
    chain = url_rules(domains=tmp_path, urls=tmp_path)
    assert reasons(
        chain,
        "https://bad.example/",
        "http://user@WWW.bad.example:8080/x?y#z",
        "bad.example/x",
        "https://notbad.example/",
        "https://example/bad.example",
        "https://good.example/bad/part/deeper",
        "http://www.good.example/bad/part",
        "https://good.example/bad",
        "http://[broken",
        "",
        None,
    ) == ["blocked_domain"] * 3 + ["", "", "blocked_url", "blocked_url", "", "", "", ""]


def test_words_soft_words_and_substrings(tmp_path: Path) -> None:
    for name, text in (("hard", "casino\n"), ("soft", "free\nwin\n"), ("sub", "x-rated\n")):
        (tmp_path / name).write_text(text)
    chain = url_rules(words=tmp_path / "hard", soft_words=tmp_path / "soft", substrings=tmp_path / "sub")
    assert reasons(
        chain, "http://a.b/my-casino", "http://a.b/mycasino", "http://a.b/free", "http://a.b/free/win",
        "http://a.b/fooxratedbar", "http://a.b/free/free",
    ) == ["url_blocked_word_count", "", "", "url_soft_word_count", "url_blocked_substring_count", ""]  # fmt: skip


def test_text_is_not_needed_and_lists_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("a.example\n")
    before = url_rules(domains=path).fingerprint
    path.write_text("b.example\n")
    assert url_rules(domains=path).fingerprint != before
    assert url_rules().steps == ()


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no-such-list"):
        url_rules(domains=tmp_path / "no-such-list")
    with pytest.raises(ConfigError, match="domains"):
        url_rules(domains=tmp_path)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text("ab", max_size=4), max_size=8), st.text("abc", max_size=30))
def test_the_automaton_finds_what_a_plain_search_finds(patterns: list[str], text: str) -> None:
    assert Automaton(patterns).found(text) == {pattern for pattern in patterns if pattern and pattern in text}


def test_hosts() -> None:
    assert host("HTTPS://Ex.Ample.:443/") == "ex.ample"
    assert reduced("Ex-Ample.com/Ünï") == "examplecomn"
