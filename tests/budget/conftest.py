from __future__ import annotations

from collections.abc import Callable

import pytest

from tamis.budget.evidence import Evidence, LanguageEvidence, Sample
from tamis.budget.ledger import Amount, Ledger
from tamis.budget.page import Threshold, View
from tamis.budget.yields import yields

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
BIDI = "\u202egnp.exe\u202c \u2067abc"
REASONS = ("word_count", "stop_word_count", "repeated_line_share", "mean_word_letters", "policy_line")


def codes(count: int) -> list[str]:
    """Return `count` made-up language codes."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return [f"{letters[i // 26 % 26]}{letters[i % 26]}{letters[i // 7 % 26]}_Latn" for i in range(count)]


def ledger(languages: list[str]) -> Ledger:
    """Return balanced books: each language keeps less than it had, by five reasons and by deduplication."""
    books = Ledger(["read", "langid", "language", "quality", "dedup", "tokenize"])
    whole = Amount()
    for index, code in enumerate(languages):
        found = Amount(1, 500, 400, 100)
        found = Amount(*(n * (1000 + 900_000_000 // (index + 1) ** 2) for n in (1, 500, 400, 100)))
        lost = [Amount(*(n // (10 + place) for n in _numbers(found))) for place in range(len(REASONS))]
        good = found
        for each in lost:
            good -= each
        same = Amount(*(n // 5 for n in _numbers(good)))
        unique = good - same
        for step, taken, kept in (("language", found, found), ("quality", found, good), ("dedup", good, unique)):
            books.book(step, code, "in", taken)
            books.book(step, code, "kept", kept)
        for reason, each in zip(REASONS, lost, strict=True):
            books.book("quality", code, "dropped", each, reason)
        books.book("dedup", code, "dropped", same, "near_duplicate")
        books.book("tokenize", code, "in", unique)
        books.book("tokenize", code, "kept", unique)
        whole += found
    for step in ("read", "langid"):
        books.book(step, "und", "in", whole)
        books.book(step, "und", "kept", whole)
    books.check()
    return books


def _numbers(amount: Amount) -> tuple[int, int, int, int]:
    return amount.documents, amount.bytes, amount.chars, amount.tokens


def view(languages: int = 12, samples: int = 300, *, hostile: bool = False) -> View:
    """Return a view; with `hostile`, its texts, addresses and names try to break out of the page."""
    names = codes(languages) if not hostile else [*codes(languages - 1), EVIL]
    books = ledger(names)
    evidence = Evidence({
        code: LanguageEvidence(
            books.total("tokenize", "kept", language=code).documents,
            domains={f"site{n}.example": 1000 // (n + 1) ** (index % 4) for n in range(30)},
        )
        for index, code in enumerate(names)
    })  # fmt: skip
    if hostile:
        evidence.languages[EVIL].domains = {EVIL + BIDI: 10}
    found = [sample(index, names, hostile) for index in range(samples)]
    return View(
        books,
        yields(books, evidence),
        found,
        [(EVIL, "$summary & 'quotes'")] if hostile else [],
        [Threshold("quality", reason, "0.5", "") for reason in REASONS],
        [(2, 4000), (3, 900), (10, 40), (100, 2)],
        [(EVIL + BIDI, 31, EVIL + BIDI)] if hostile else [("w:1", 31, "cookie notice")],
    )


def sample(index: int, names: list[str], hostile: bool) -> Sample:
    """Return one sample; its text is hard to pack, as real text of many languages is."""
    words = " ".join(f"w{(index * 7919 + place * 104729) % 99991:05d}" for place in range(40))
    text = EVIL + BIDI + "</script><!--" if hostile else f"sample {index} {words}"
    step, reason = ("kept", "") if index % 6 == 5 else ("quality", REASONS[index % 6])
    url = f"https://site{index % 90}.example/{index}" + (BIDI + EVIL if hostile else "")
    return Sample(f"crawl.warc.gz:{index}", url, names[index % len(names)], step, reason, 0.4, 0.5, 60, text, "")


@pytest.fixture
def make_view() -> Callable[..., View]:
    """Return `view`."""
    return view


@pytest.fixture
def evil() -> str:
    """Return markup that renames the page if it runs."""
    return EVIL
