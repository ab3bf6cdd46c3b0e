"""Charsets: 13 encodings, each with a true header, a true meta, a lying header, and no hint."""

from __future__ import annotations

import codecs
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.text.encoding import Decoded, as_utf8, charset_of, declared, decode, is_utf8

PROSE = dict(
    line.split("\t") for line in (Path(__file__).parent / "charset_prose.tsv").read_text("utf-8").splitlines()[1:]
)
ENCODINGS = [*PROSE, "utf-8 with a bad byte", "utf-16"]
CODECS = {"shift_jis": "cp932", "euc-kr": "cp949", "tis-620": "cp874", "gbk": "gbk", "utf-16": "utf-16"}
# What each lying header claims: the most usual wrong default, and for it another.
LIES = ("iso-8859-1", "utf-8")


def page(encoding: str, *, meta: bool) -> tuple[str, bytes]:
    """Return (text, bytes) of a page in an encoding, declaring it or not."""
    name = encoding.removesuffix(" with a bad byte")
    prose = PROSE.get(name, PROSE["utf-8"])
    tag = f'<meta http-equiv="Content-Type" content="text/html; charset={name}">' if meta else ""
    body = "\n".join(f"<p>{prose}</p>" for _ in range(3))
    text = f"<html><head>{tag}<title>Page</title></head><body>\n{body}\n</body></html>"
    data = text.encode(CODECS.get(name, name))
    if encoding != name:
        data = data.replace(b"</html>", b"\xe9</html>")
        text = text.replace("</html>", "\ufffd</html>")
    return text, data


def label_of(encoding: str) -> str:
    return encoding.removesuffix(" with a bad byte")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_one_true_hint_decodes_exactly(encoding: str) -> None:
    text, data = page(encoding, meta=False)
    assert decode(data, header_charset=label_of(encoding)).text == text
    text, data = page(encoding, meta=True)
    assert decode(data).text == text


@pytest.mark.parametrize("lie", LIES)
def test_true_meta_beats_lying_header(lie: str) -> None:
    right = 0
    for encoding in ENCODINGS:
        text, data = page(encoding, meta=True)
        right += decode(data, header_charset=lie).text == text
    assert right == len(ENCODINGS)


def test_every_single_byte_lie_is_seen_through_or_flagged() -> None:
    lies = [name for name in ENCODINGS if name not in ("utf-16", "utf-8", "utf-8 with a bad byte")]
    wrong = []
    for encoding in ENCODINGS:
        for lie in lies:
            text, data = page(encoding, meta=True)
            if decode(data, header_charset=lie).text != text:
                wrong.append((encoding, lie))
    assert len(wrong) <= 5, wrong


def test_no_hint_is_detected_or_flagged() -> None:
    wrong = []
    for encoding in ENCODINGS:
        text, data = page(encoding, meta=False)
        decoded = decode(data)
        if decoded.text != text:
            wrong.append(encoding)
            assert decoded.rule in ("weak", "fallback"), (encoding, decoded.charset)
    assert len(wrong) <= 1, wrong


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_nothing_is_decoded_twice(encoding: str) -> None:
    for meta in (True, False):
        _, data = page(encoding, meta=meta)
        text = decode(data, header_charset="iso-8859-1" if meta else None).text
        assert not any(digram in text for digram in ("Ã©", "Ã¨", "â€", "Ð°", "Ñ€", "ï¿½"))


def test_labels_follow_the_standard() -> None:
    expected = {
        "gb2312": "gb18030",
        "GBK": "gb18030",
        "iso-8859-1": "windows-1252",
        "us-ascii": "windows-1252",
        "ks_c_5601-1987": "euc-kr",
        "x-sjis": "shift_jis",
        "TIS-620": "windows-874",
        " 'UTF8' ": "utf-8",
        "latin5": "windows-1254",
        "no-such": None,
        None: None,
    }
    assert {label: charset_of(label) for label in expected} == expected


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"<meta charset=gbk>", "gb18030"),
        (b"<META content='text/html; charset = \"big5\"' http-equiv=content-type>", "big5"),
        (b'<?xml version="1.0" encoding="koi8-r"?><html>', "koi8-r"),
        (b"<!-- <meta charset=gbk> --><meta charset='euc-jp'/>", "euc-jp"),
        (b"<meta charset=utf-16le>", "utf-8"),
        (b"<meta name=author content=me>", None),
        (b" " * 5000 + b"<meta charset=gbk>", None),
    ],
)
def test_declarations(head: bytes, name: str | None) -> None:
    assert declared(head) == name


def test_cut_last_character_is_still_utf8() -> None:
    data = "Des élèves écrivaient à l’été".encode()
    assert decode(data[:-1]) == Decoded("Des élèves écrivaient à l’ét", "utf-8", "utf-8")


def test_few_accents_are_not_utf8_with_bad_bytes() -> None:
    text = "A plain English page about a café. " + "It goes on and on in plain words. " * 200
    decoded = decode(text.encode("cp1252"))
    assert (decoded.text, decoded.charset) == (text, "windows-1252")
    assert decode("voilà un café".encode("cp1252")).text == "voilà un café"


def test_utf16_without_a_mark_and_iso_2022_jp() -> None:
    text = "<html><body>Plain words, and a few more of them.</body></html>"
    assert decode(text.encode("utf-16-le")).text == text
    assert decode(text.encode("utf-16-be")).text == text
    japanese = PROSE["shift_jis"]
    assert decode(japanese.encode("iso2022_jp")).text == japanese


def test_utf8_costs_little() -> None:
    data = (PROSE["utf-8"] * 400).encode()[:100_000]
    plain = min(_seconds(lambda: data.decode("utf-8", "ignore")) for _ in range(20))
    ours = min(_seconds(lambda: decode(data)) for _ in range(20))
    assert ours - plain < 0.001


def _seconds(work: object) -> float:
    start = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - start


@settings(deadline=None, max_examples=150)
@given(
    st.binary(max_size=300), st.sampled_from([None, "utf-8", "gbk", "iso-2022-jp", "utf-16", "x", "big5", "tis-620"])
)
def test_never_raises_and_text_is_clean(data: bytes, header: str | None) -> None:
    decoded = decode(data, header_charset=header)
    assert "\x00" not in decoded.text
    decoded.text.encode("utf-8")
    assert charset_of(decoded.charset) == decoded.charset
    assert codecs.lookup(decoded.charset if decoded.charset != "windows-874" else "cp874")


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=200))
def test_utf8_round_trips(text: str) -> None:
    clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "")
    if clean.startswith("\ufeff") or "\x1b" in clean:
        return
    assert decode(clean.encode()).text == clean


@settings(deadline=None, max_examples=200)
@given(st.one_of(st.binary(max_size=60), st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_validity_is_told_as_the_decoder_tells_it(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError:
        assert not is_utf8(data)
    else:
        assert is_utf8(data)
    assert as_utf8(data) == decode(data).text.encode()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_page_as_utf8_is_its_text(encoding: str) -> None:
    _, data = page(encoding, meta=True)
    assert as_utf8(data, header_charset="utf-8") == decode(data, header_charset="utf-8").text.encode()
    assert (as_utf8(data) is data) == (encoding == "utf-8")
