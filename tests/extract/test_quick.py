"""The quick look: prose before menus, everything where there is no prose, and never more than it takes."""

from __future__ import annotations

from tamis.extract.quick import quick_text

SENTENCE = "The ferry to the island leaves twice a day, and in winter the harbour master decides. "


def test_prose_without_menus() -> None:
    menu = "".join(f"<li><a href=/{n}>Menu {n}</a>" for n in range(9))
    text = quick_text(f"<ul>{menu}</ul><p>{SENTENCE * 4}</p><script>var x</script>".encode())
    assert text == (SENTENCE * 4).strip()


def test_a_page_of_links_is_taken_whole() -> None:
    assert quick_text(b"<a href=/x>One</a><p><a href=/y>Two</a>") == "One\nTwo"
    assert quick_text(b"<p></p>") == ""


def test_a_long_page_is_not_read_to_its_end() -> None:
    page = f"<p>{SENTENCE}</p>" * 2000
    assert 20_000 <= len(quick_text(page.encode())) <= 20_000 + len(SENTENCE) + 300
