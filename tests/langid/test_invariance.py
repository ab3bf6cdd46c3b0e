"""Five hundred documents, each said to be the same whatever its line ends, edges, normal form or neighbours are."""

import json
import random
import unicodedata
from functools import cache
from pathlib import Path

import pytest

from tamis.langid import identify

PAGES = Path(__file__).resolve().parents[2] / "examples" / "miniweb" / "pages"


@cache
def documents() -> list[str]:
    """500: the main texts of the bundled web, pieces of them from one sentence up, and pieces in two languages."""
    texts = [
        text
        for path in sorted(PAGES.glob("*/*.json"))
        if (text := json.loads(path.read_text("utf-8")).get("main_text") or "")
    ]
    random_ = random.Random(3)
    found = texts[:200]
    while len(found) < 450:
        lines = random_.choice(texts).split("\n")
        start = random_.randrange(len(lines))
        found.append("\n".join(lines[start : start + random_.randint(1, 4)])[: random_.randint(10, 2000)])
    while len(found) < 500:
        found.append("\n".join([*random_.choice(texts).split("\n")[:3], *random_.choice(texts).split("\n")[:3]]))
    # Both forms of every letter are tried; what is in neither, such as singletons, only one of them keeps.
    return [unicodedata.normalize("NFC", text) for text in found]


VARIANTS = {
    "line feed at the end": lambda text: text + "\n",
    "carriage returns": lambda text: text.replace("\n", "\r\n"),
    "line separators": lambda text: text.replace("\n", "\u2028"),
    "paragraph separators": lambda text: text.replace("\n", "\u2029"),
    "next line": lambda text: text.replace("\n", "\x85"),
    "trailing spaces": lambda text: text + "   ",
    "trailing spaces of lines": lambda text: text.replace("\n", "  \n"),
    "byte order mark": lambda text: "\ufeff" + text,
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "empty lines": lambda text: text.replace("\n", "\n\n") + "\n\n",
}


@pytest.fixture(scope="module")
def expected() -> list[dict[str, object]]:
    found: list[dict[str, object]] = identify(documents()).to_pylist()
    return found


@pytest.mark.parametrize("name", VARIANTS)
def test_the_answer_is_the_same(name: str, expected: list[dict[str, object]]) -> None:
    assert len(documents()) == 500
    changed = identify([VARIANTS[name](text) for text in documents()]).to_pylist()
    assert [(n, a, b) for n, (a, b) in enumerate(zip(changed, expected, strict=True)) if a != b] == []


def test_neighbours_change_nothing(expected: list[dict[str, object]]) -> None:
    assert identify(documents()[::-1]).to_pylist() == expected[::-1]
    assert [identify([text]).to_pylist()[0] for text in documents()[::10]] == expected[::10]


@pytest.mark.parametrize("odd", ["", " ", "\n", "\0", "\ud800", "\r\n\r\n", "\ufeff", "\u2028", None])
def test_as_many_answers_as_texts_in_order(odd: str | None, expected: list[dict[str, object]]) -> None:
    texts: list[str | None] = list(documents()[:20])
    for place in (0, 7, 20):
        given = [*texts[:place], odd, *texts[place:]]
        said = identify(given).to_pylist()
        assert len(said) == 21
        assert said[place]["language"] == "und"
        assert said[:place] + said[place + 1 :] == expected[:20]
