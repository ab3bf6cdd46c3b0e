"""From bytes to text: which charset a page is in, by what evidence, decoded without ever failing.

Precedence: byte order mark, valid UTF-8, HTTP header, meta or XML declaration, detector, windows-1252. Labels mean what
the WHATWG Encoding Standard (encoding.spec.whatwg.org) says: gb2312 is gb18030, iso-8859-1 is windows-1252. We differ
from browsers in trusting valid UTF-8 above any label, and in not believing a label that the bytes contradict.
"""

from __future__ import annotations

import functools
import re
import struct
from dataclasses import dataclass
from importlib import resources

from tamis.text import plausible

# The standard looks at 1 kB; pages with long scripts before their meta are common enough.
_PRESCAN = 4096
_SAMPLE = 16 << 10
# Bad bytes that valid text may contain, as a share of all bytes.
_TOLERANCE = 0.001
# A label whose text scores below this is contradicted by the bytes: -1 is two bad bytes in ten, or rare signs only.
_CONTRADICTED = -0.75
# How much better another reading must score before a label that decodes cleanly is overruled.
_CLEARLY = 0.25
_WEAK_SCORE, _WEAK_MARGIN = 0.3, 0.1
# Fewer non-ASCII bytes than this say nothing about a language: the commonest charset that fits is the better guess.
_ENOUGH = 16
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16le"), (b"\xfe\xff", "utf-16be"))
# Charsets tried where nothing is declared, the likelier first: of equal scores the first wins.
_CANDIDATES = (
    "utf-8",
    "windows-1252",
    "windows-1251",
    "gb18030",
    "shift_jis",
    "euc-jp",
    "euc-kr",
    "big5",
    "koi8-r",
    "windows-1256",
    "windows-874",
    "windows-1250",
    "iso-8859-2",
    "windows-1253",
    "windows-1255",
    "windows-1254",
    "windows-1257",
)

_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.S)
_META = re.compile(rb"<meta\b[^>]{0,2000}?\bcharset\s{0,20}=\s{0,20}[\"']?\s{0,20}([\w.:+-]{1,40})", re.I)
_XML = re.compile(rb"\s{0,20}<\?xml\b[^>]{0,200}?\bencoding\s{0,20}=\s{0,20}[\"']([\w.:+-]{1,40})", re.I)
_NON_ASCII = re.compile(rb"[\x80-\xff]")
_WIDE = re.compile(r"[^\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A page as text.

    charset: the WHATWG name of the charset it was decoded with.
    rule: what decided: `bom`, `utf-8`, `header`, `meta`, `detector`; `weak` where the detector was not sure, and
        `fallback` where nothing fitted and windows-1252 was assumed.
    """

    text: str
    charset: str
    rule: str


@functools.cache
def _table() -> dict[str, tuple[str, str]]:
    """Return label -> (WHATWG name, Python codec)."""
    text = (resources.files("tamis.text") / "data" / "charsets.tsv").read_text("ascii")
    rows = (line.split("\t") for line in text.splitlines()[1:])
    return {label: (name, codec) for label, name, codec in rows}


def charset_of(label: str | None) -> str | None:
    """Return the WHATWG name a charset label stands for, or None where it is no known label."""
    known = _table().get((label or "").strip(" \t\r\n\f\"'").lower())
    return known[0] if known else None


def declared(data: bytes) -> str | None:
    """Return the charset that a page's first 4 kB declare in a meta tag or XML declaration, or None.

    A declaration in readable ASCII cannot be true of UTF-16: as in browsers it then means UTF-8.
    """
    head = data[:_PRESCAN]
    if b"<!--" in head:
        head = _COMMENT.sub(b"", head)
    found = _META.search(head) or _XML.match(head)
    name = charset_of(found[1].decode("ascii")) if found else None
    return "utf-8" if name in ("utf-16le", "utf-16be") else name


def decode(data: bytes, *, header_charset: str | None = None) -> Decoded:
    """Return a page's text, its charset and the rule that decided it; `header_charset` is the HTTP header's label.

    Never raises. The text holds neither NUL nor lone surrogates; bytes that do not decode become U+FFFD.
    """
    for bom, name in _BOMS:
        if data.startswith(bom):
            return _decoded(data[len(bom) :], name, "bom")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _almost_utf8(data, error.start) or _by_evidence(data, header_charset)
    if b"\x00" in data or b"\x1b" in data:
        return _seven_bit(data, text, header_charset)
    return Decoded(text, "utf-8", "utf-8")


def as_utf8(data: bytes, *, header_charset: str | None = None) -> bytes:
    """Return what `decode` makes of a page, as UTF-8: `data` itself where it is that already, as most pages are."""
    return to_utf8(data, header_charset=header_charset)[0]


def to_utf8(data: bytes, *, header_charset: str | None = None) -> tuple[bytes, str]:
    """Return `as_utf8` of a page and the rule that decided it (see `Decoded`)."""
    plain = b"\x00" not in data and b"\x1b" not in data and not data.startswith(_BOMS[0][0])
    if plain and is_utf8(data):
        return data, "utf-8"
    found = decode(data, header_charset=header_charset)
    return found.text.encode(), found.rule


def is_utf8(data: bytes) -> bool:
    """Return whether the bytes are valid UTF-8, without decoding them."""
    import pyarrow as pa

    whole = pa.py_buffer(struct.pack("<qq", 0, len(data)))
    column = pa.LargeStringArray.from_buffers(1, whole, pa.py_buffer(data))
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _decoded(data: bytes, name: str, rule: str) -> Decoded:
    text = data.decode(_table()[name][1], "replace")
    return Decoded(text.replace("\x00", "") if "\x00" in text else text, name, rule)


def _seven_bit(data: bytes, text: str, header_charset: str | None) -> Decoded:
    """Decide on bytes that are valid UTF-8 but hold NUL or ESC: UTF-16 without a mark, ISO-2022-JP, or just dirt."""
    zeros = data.count(0)
    if zeros * 3 > len(data):
        return _decoded(data, "utf-16be" if data[0::2].count(0) > data[1::2].count(0) else "utf-16le", "detector")
    for label, rule in ((charset_of(header_charset), "header"), (declared(data), "meta")):
        if label == "iso-2022-jp" and b"\x1b" in data:
            return _decoded(data, label, rule)
    if b"\x1b$" in data and b"\x1b(" in data:
        return _decoded(data, "iso-2022-jp", "detector")
    return Decoded(text.replace("\x00", ""), "utf-8", "utf-8")


def _almost_utf8(data: bytes, first_error: int) -> Decoded | None:
    """Return UTF-8 text with a cut last character or under 0.1 % bad bytes, or None where it is something else.

    Few bad bytes alone prove nothing (an English page in windows-1252 has few accents), so four good multi-byte
    characters are asked for each bad one.
    """
    if first_error >= len(data) - 3 and not (first_error == 0 or _is_lone(data, first_error)):
        return _decoded(data[:first_error], "utf-8", "utf-8")
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    if bad > max(1, len(data) * _TOLERANCE):
        return None
    wide = len(_WIDE.findall(text)) - bad
    return _decoded(data, "utf-8", "utf-8") if wide >= 4 * bad else None


def _is_lone(data: bytes, position: int) -> bool:
    """Return whether the byte at `position` cannot start a UTF-8 character that the end of the data cuts."""
    missing = {0xC0: 2, 0xD0: 2, 0xE0: 3, 0xF0: 4}.get(data[position] & 0xF0, 0)
    tail = data[position + 1 :]
    cut = len(tail) + 1 < missing and all(byte & 0xC0 == 0x80 for byte in tail)
    # Without any earlier wide character, a last byte such as 0xE9 is more likely an accented letter.
    return not (cut and _NON_ASCII.search(data, 0, position))


def _by_evidence(data: bytes, header_charset: str | None) -> Decoded:
    """Decide by header, then meta, unless the bytes contradict them, then by the detector."""
    sample = _sample(data)
    labels = [(charset_of(header_charset), "header"), (declared(data), "meta")]
    scored = [(_score(sample, name), name, rule) for name, rule in labels if name]
    if scored:
        # The header comes first; a meta tag must read clearly better to beat it.
        best = scored[0]
        for rival in scored[1:]:
            if rival[0] > best[0] + _CLEARLY:
                best = rival
        if best[0] > _CONTRADICTED:
            return _decoded(data, best[1], best[2])
    return _detect(data, sample)


def _sample(data: bytes) -> bytes:
    """Return at most 16 kB of the data, from its first non-ASCII byte's surroundings on."""
    found = _NON_ASCII.search(data)
    start = max(found.start() - 64, 0) if found else 0
    if len(data) - start <= _SAMPLE:
        return data[start:]
    # Cut where a character cannot be cut: after an ASCII byte.
    piece = data[start : start + _SAMPLE]
    for back in range(1, 200):
        if piece[-back] < 0x30:
            return piece[: len(piece) - back + 1]
    return piece


def _score(sample: bytes, name: str) -> float:
    return plausible.score(sample.decode(_table()[name][1], "replace"))


def _detect(data: bytes, sample: bytes) -> Decoded:
    scores = sorted(((-_score(sample, name), order, name) for order, name in enumerate(_CANDIDATES)))
    best, second = scores[0], scores[1]
    if -best[0] <= -2.0:
        return _decoded(data, "windows-1252", "fallback")
    if -best[0] >= _WEAK_SCORE and second[0] - best[0] >= _WEAK_MARGIN:
        return _decoded(data, best[2], "detector")
    # Close calls are between Latin charsets, which differ in letters that only a language model can tell apart.
    close = {name for value, _, name in scores if value - best[0] < _WEAK_MARGIN}
    opinion = _second_opinion(sample) if len(_NON_ASCII.findall(sample)) >= _ENOUGH else None
    return _decoded(data, opinion if opinion in close else best[2], "weak")


def _second_opinion(sample: bytes) -> str | None:
    import charset_normalizer

    found = charset_normalizer.from_bytes(sample[: 4 << 10]).best()
    return charset_of(found.encoding.replace("_", "-").replace("cp125", "windows-125")) if found else None
