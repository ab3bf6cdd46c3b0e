from __future__ import annotations

from pathlib import Path

import pytest

from tamis.errors import ConfigError, UnknownNameError
from tamis.extract import Extracted, Failure, Sandbox, load
from tamis.extract.head import read_head
from tamis.extract.nesting import nesting
from tamis.extract.normal import normal_form

HOSTILE = str(Path(__file__).with_name("hostile.py"))
ARTICLE = (
    "<html lang='en'><head><title>The harbour</title></head><body><nav><a href='/'>Home</a></nav>"
    "<article><h1>The harbour</h1>"
    + "".join(f"<p>Paragraph {n} says that the boats went out early, and that the sea was calm.</p>" for n in range(8))
    + "</article><footer>All rights reserved</footer></body></html>"
)


@pytest.mark.parametrize("name", ["trafilatura", "resiliparse", "plain"])
def test_built_in(name: str) -> None:
    extractor = load(name)
    assert extractor.name == name
    assert extractor.version
    found = extractor.extract(ARTICLE, "http://example.org/harbour")
    assert "Paragraph 7 says" in found.text
    assert (found.title, found.language, found.extractor) == ("The harbour", "en", name)
    assert ("All rights reserved" in found.text) == (name == "plain")


def test_isolation() -> None:
    assert {name: load(name).isolated for name in ("plain", "resiliparse", "trafilatura")} == {
        "plain": False,
        "resiliparse": True,
        "trafilatura": True,
    }


def test_empty_page_has_no_confidence() -> None:
    for name in ("trafilatura", "resiliparse", "plain"):
        found = load(name).extract("", None)
        assert (found.text, found.confidence) == ("", 0.0)


@pytest.mark.parametrize("name", ["trafilatura", "resiliparse"])
def test_lone_surrogates(name: str) -> None:
    found = load(name).extract(ARTICLE.replace("Paragraph 7", "Paragraph \ud800 7"), "http://x/\udfff")
    assert "\ufffd 7 says" in found.text
    found.text.encode()


def test_trafilatura_metadata() -> None:
    head = "<meta name='author' content='Ana Lima'><meta property='article:published_time' content='2024-05-06'><title>"
    found = load("trafilatura", {"metadata": True}).extract(ARTICLE.replace("<title>", head), None)
    assert (found.author, found.date) == ("Ana Lima", "2024-05-06")


def test_what_was_extracted_before_does_not_matter() -> None:
    extractor = load("trafilatura")
    assert len({extractor.extract(ARTICLE, None).text for _ in range(6)}) == 1


def test_options_are_passed_on() -> None:
    page = ARTICLE.replace("</article>", "<table><tr><td>a cell with words</td><td>two</td></tr></table></article>")
    assert "a cell with words" in load("trafilatura").extract(page, None).text
    assert "a cell with words" not in load("trafilatura", {"include_tables": False}).extract(page, None).text


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'trafilatura'"):
        load("trafilatra")
    with pytest.raises(UnknownNameError, match="Did you mean 'favor_precision'"):
        load("trafilatura", {"favour_precision": True})
    with pytest.raises(ConfigError, match="Give it a bool"):
        load("trafilatura", {"favor_precision": "yes"})


def test_user_made() -> None:
    made = load(f"{HOSTILE}:Hostile", {"prefix": ">"})
    assert made.isolated
    assert made.version.startswith("7+")
    assert made.extract("a  \n\n\n\nb", None).text == ">a\n\n\n\nb|None".replace("\n\n\n\n", "\n\n")
    assert load(f"{HOSTILE}:not_a_class").extract("x", "u").text == "ready:x|u"
    assert not load(f"{HOSTILE}:NotIsolated").isolated


def test_user_made_in_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "someones_extractor.py").write_text(
        "class Own:\n    def extract(self, html, url):\n        return 'own'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load("someones_extractor:Own").extract("x", None).text == "own"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (f"{HOSTILE}:Hostil", "Did you mean 'Hostile'"),
        (f"{HOSTILE}:NoExtractor", "needs a method extract"),
        ("./no_such_file.py:X", "cannot be loaded: FileNotFoundError"),
        ("no_such_module:X", "cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_user_made_that_is_wrong(spec: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(spec)


def test_user_made_with_wrong_options() -> None:
    with pytest.raises(ConfigError, match="does not take these options"):
        load(f"{HOSTILE}:Hostile", {"no_such": 1})
    with pytest.raises(ConfigError, match="takes no options"):
        load(f"{HOSTILE}:not_a_class", {"prefix": "x"})
    with pytest.raises(TypeError, match="returned int"):
        load(f"{HOSTILE}:BadAnswer").extract("x", None)


@pytest.mark.parametrize(
    ("page", "title", "language"),
    [
        ("", None, None),
        ("<title></title><html lang=''>", None, None),
        ("<HTML LANG=pt-BR><TITLE>A &amp; B\n C</TITLE>", "A & B C", "pt-BR"),
        ("<html xml:lang='ja' dir=x><title lang=en>日本", "日本", "ja"),
        ('<html data-lang="xx" lang = "de">', None, "de"),
        ("<html lang='" + "x" * 50 + "'><title>a<b>b</b></title>", "ab", None),
        ("<html lang='é'><title>" + "t" * 5000, "t" * 1000, None),
        ("<htmlx lang=fr><titles>x", None, None),
        ("<title>a\0\ud800b</title>", "a?b", None),
    ],
)
def test_head(page: str, title: str | None, language: str | None) -> None:
    head = read_head(page)
    assert (head.title, head.language) == (title, language)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a \r\nb\rc\t\n", "a\nb\nc"),
        ("\n\na\n \n\n\nb\n", "a\n\nb"),
        ("  indented", "  indented"),
        ("e\u0301\0", "e\u0301"),
        ("\ud83d\ude00\ud800", "😀\ufffd"),
    ],
)
def test_normal_form(text: str, expected: str) -> None:
    assert normal_form(text) == expected


def test_nesting() -> None:
    assert nesting("<div><p><p><span></span></div><DIV class=x><ul><li></ul>") == 2
    assert nesting("<div>" * 300 + "<divx>" + "</div>" * 300) == 300


def test_deep_page_is_refused_and_read_by_the_fallback() -> None:
    page = "<div>" * 20_000 + "<p>The one paragraph that must survive all of this nesting.</p>" + "</div>" * 20_000
    with Sandbox("trafilatura") as strict, Sandbox("trafilatura", fallback="plain") as kind:
        refused, found = strict.extract(page), kind.extract(page)
    assert isinstance(refused, Failure) and refused.reason == "extract:too_deep"
    assert isinstance(found, Extracted)
    assert found.text == "The one paragraph that must survive all of this nesting."
    assert (found.extractor, found.fallback) == ("plain", "extract:too_deep")
