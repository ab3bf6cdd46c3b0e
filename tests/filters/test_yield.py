"""Yield by language: the same pages in 24 languages give the same share of text, and a method that cannot is found out.

The method is what extractors and filters for English do: the density of stop words among what stands between spaces.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from html import escape
from pathlib import Path
from statistics import median

import pyarrow as pa
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from tamis.budget.ledger import Amount, Ledger
from tamis.extract.native.corpus import Lesson, read_lessons
from tamis.extract.native.extractor import extract_bytes
from tamis.pipeline.alarms import alarms
from tamis.runs import run
from tamis.text.stopwords import stop_words
from tamis.text.words import words

PAGES = Path(__file__).resolve().parents[2] / "examples/miniweb/pages"
SENTENCES = Path(__file__).resolve().parents[1] / "text/sentences.tsv"
UNSPACED = {"cmn_Hans", "jpn_Jpan", "tha_Thai"}
LEAST_DENSITY = 0.1
# Sentences in the main text of a page made here.
BODY = 8


@cache
def pages() -> list[Lesson]:
    """Return the pages made of templates: eight layouts, ten pages in each language."""
    found = read_lessons(PAGES)
    return [page for page in found if page.language != "und" and not page.name.startswith("special")]


@cache
def prose() -> dict[str, list[str]]:
    """Return 20 sentences by language, one language a script."""
    found: dict[str, list[str]] = defaultdict(list)
    with SENTENCES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            found[row["language"]].append(row["sentence"])
    return found


def template(number: int, sentences: list[str]) -> bytes:
    """Return a page of one of four layouts; its main text is the first sentences, the rest make links."""
    body = "".join(f"<p>{escape(each)}</p>" for each in sentences[:BODY])
    links = "".join(f"<li><a href=/{n}>{escape(words(each)[0])}</a></li>" for n, each in enumerate(sentences[BODY:]))
    main = [
        f"<main><article>{body}</article></main>",
        f"<div class=content><div class=post>{body}</div></div>",
        f"<table><tr><td><ul>{links}</ul></td><td>{body}</td></tr></table>",
        f"<section id=text>{body}</section><aside><ul>{links}</ul></aside>",
    ][number % 4]
    title = escape(" ".join(words(sentences[0])[:4]))
    page = f"<html><head><title>{title}</title></head><body><header><nav><ul>{links}</ul></nav></header>"
    return f"{page}<h1>{title}</h1>{main}<footer><ul>{links}</ul></footer></body></html>".encode()


def letters(text: str) -> int:
    return sum(not c.isspace() for c in text)


def dense(text: str, language: str) -> bool:
    """Say whether enough of what stands between spaces are stop words."""
    tokens = text.split()
    known = {*stop_words().get(language, ())}
    return sum(token.lower() in known for token in tokens) >= LEAST_DENSITY * max(len(tokens), 1)


def books(keeps: Callable[[str, str], bool]) -> Ledger:
    """Return the ledger of a step that keeps some of the paragraphs of the extracted pages."""
    ledger = Ledger(["language", "density"])
    for page in pages():
        for paragraph in filter(None, extract_bytes(page.html).text.split("\n")):
            for step in ledger.steps:
                ledger.book(step, page.language, "in", Amount(1))
            ledger.book("language", page.language, "kept", Amount(1))
            kept = keeps(paragraph, page.language)
            ledger.book("density", page.language, "kept" if kept else "dropped", Amount(1), "" if kept else "density")
    ledger.check()
    return ledger


def test_extraction_yields_alike_in_every_language() -> None:
    found, wanted = Counter[str](), Counter[str]()
    for page in pages():
        text = extract_bytes(page.html).text
        assert text, page.name
        found[page.language] += letters(text)
        wanted[page.language] += letters(page.gold or "")
    shares = {language: found[language] / wanted[language] for language in wanted}
    middle = median(shares.values())
    assert len(shares) == 24
    assert {language: share for language, share in shares.items() if abs(share / middle - 1) > 0.15} == {}


def test_pages_the_model_never_saw_yield_alike_in_thirty_scripts() -> None:
    shares = {}
    for language, sentences in prose().items():
        found = wanted = 0
        for number in range(20):
            turned = sentences[number:] + sentences[:number]
            text = extract_bytes(template(number, turned)).text
            assert text, (language, number)
            found += sum(letters(sentence) for sentence in turned[:BODY] if sentence in text)
            wanted += sum(map(letters, turned[:BODY]))
        shares[language] = found / wanted
    middle = median(shares.values())
    assert len(shares) >= 30
    assert {language: share for language, share in shares.items() if abs(share / middle - 1) > 0.15} == {}
    assert middle > 0.9


def test_what_is_extracted_is_found_in_the_gold_text() -> None:
    found, inside = Counter[str](), Counter[str]()
    for page in pages():
        gold = "".join((page.gold or "").split())
        for paragraph in extract_bytes(page.html).text.split("\n"):
            bare = "".join(paragraph.removeprefix("- ").split())
            found[page.language] += len(bare)
            inside[page.language] += len(bare) if bare in gold else 0
    shares = {language: inside[language] / found[language] for language in found}
    middle = median(shares.values())
    assert {language: share for language, share in shares.items() if abs(share / middle - 1) > 0.15} == {}
    assert middle > 0.8


def test_density_of_stop_words_between_spaces_raises_the_alarm() -> None:
    raised = {alarm.language: alarm for alarm in alarms(books(dense))}
    assert set(raised) >= UNSPACED
    assert all(alarm.step == "density" and alarm.share < alarm.median / 2 for alarm in raised.values())
    assert not {"eng_Latn", "fra_Latn", "deu_Latn", "rus_Cyrl", "spa_Latn"} & set(raised)
    assert "less than half" in str(raised["tha_Thai"])


def test_a_language_wiped_out_raises_the_alarm_and_no_other_does() -> None:
    for lost in ("tha_Thai", "amh_Ethi", "eng_Latn"):
        (alarm,) = alarms(books(lambda _, language, lost=lost: language != lost))
        assert (alarm.language, alarm.share, alarm.median) == (lost, 0, 1)
    assert alarms(books(lambda *_: True)) == []


def test_the_default_filters_raise_no_alarm() -> None:
    from tamis.filters import Chain, c4_quality, fineweb_quality, gopher_quality, gopher_repetition

    chain = Chain(gopher_repetition(), gopher_quality(), c4_quality(), fineweb_quality())
    texts = [extract_bytes(page.html).text for page in pages()]
    languages = [page.language for page in pages()]
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string()), "language": languages})
    taken, kept = Counter(languages), Counter(chain(batch).kept["language"].to_pylist())
    middle = median(kept[language] / taken[language] for language in taken)
    assert {language: kept[language] for language in taken if kept[language] < 0.5 * middle * taken[language]} == {}


JUSTEXT = '''
"""jusText, as NeMo Curator and others wire it: a stop list for the page's language, an empty one where it has none."""
import justext
from tamis.errors import TamisError
from tamis.extract.head import read_head
from tamis.langid.codes import resolve


def by_language():
    found = {}
    for name in sorted(justext.get_stoplists()):
        try:
            found.setdefault(resolve(name.split("_")[0]), name)
        except TamisError:
            pass
    return found


LISTS = by_language()


class JusText:
    isolated = False

    def extract(self, html, url):
        stated = read_head(html).language
        name = LISTS.get(resolve(stated)) if stated else None
        found = justext.justext(html, justext.get_stoplist(name) if name else frozenset())
        return "\\n".join(each.text for each in found if not each.is_boilerplate)
'''


def test_justext_wired_into_a_run_raises_the_alarm(tmp_path: Path) -> None:
    pytest.importorskip("justext")
    (tmp_path / "mine.py").write_text(JUSTEXT)
    with (tmp_path / "pages.warc.gz").open("wb") as file:
        writer = WARCWriter(file, gzip=True)
        for number, page in enumerate([*pages(), *pages()]):
            http = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
            url = f"http://{page.language}.example/{number}"
            writer.write_record(
                writer.create_warc_record(url, "response", payload=io.BytesIO(page.html), http_headers=http)
            )
    overrides = {"extract.extractor": f"{tmp_path}/mine.py:JusText"}
    report = run(tmp_path / "pages.warc.gz", tmp_path / "out", overrides=overrides, executor="inline")
    raised = {alarm.language: alarm for alarm in alarms(report.ledger) if alarm.step == "extract"}
    assert set(raised) >= {*UNSPACED, "amh_Ethi", "kor_Hang"}
    assert raised["tha_Thai"].share == 0
    assert raised["tha_Thai"].documents == 20
    assert not {"eng_Latn", "fra_Latn", "deu_Latn", "rus_Cyrl", "hin_Deva"} & set(raised)
    page = (tmp_path / "out" / "report" / "index.html").read_text("utf-8")
    assert "extract keeps 0% of 20 documents in tha_Thai" in page
