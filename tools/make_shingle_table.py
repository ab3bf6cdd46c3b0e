"""Make src/tamis/dedup/shingle_table.npz: what the shingle walker knows of each Unicode code point.

    python tools/make_shingle_table.py

The file is reproducible for one Unicode version (`unicodedata.unidata_version`), which it records.
"""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

import numpy as np

TARGET = Path(__file__).resolve().parents[1] / "src/tamis/dedup/shingle_table.npz"

# Classes, as tamis/dedup/shingle.py reads them.
SEPARATOR, WORD, UNIT, MARK, IGNORED = range(5)
CLASS_SHIFT, COMPOSING_BIT, RANK_SHIFT = 21, 24, 25

# Scripts written without spaces between words, by the first words of their characters' Unicode names. Tibetan is
# not one of them: its tsheg, a punctuation mark, parts the syllables.
UNSPACED = (
    "CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "CJK RADICAL", "KANGXI", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA",
    "HENTAIGANA", "HALFWIDTH KATAKANA", "KATAKANA-HIRAGANA", "BOPOMOFO", "THAI", "LAO", "KHMER", "MYANMAR", "TAI LE",
    "NEW TAI LUE", "TAI THAM", "TAI VIET", "AHOM", "BALINESE", "JAVANESE", "YI", "NUSHU", "TANGUT", "KHITAN",
)  # fmt: skip


def composing() -> set[int]:
    """Return the code points whose NFC quick check is not Yes: they change in NFC, or may join what stands before."""
    found: set[int] = set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    for point in range(sys.maxunicode + 1):
        char = chr(point)
        if 0xD800 <= point <= 0xDFFF:
            continue
        if not unicodedata.is_normalized("NFC", char):
            found.add(point)
        parts = unicodedata.normalize("NFD", char)
        pair = unicodedata.decomposition(char)
        if len(parts) > 1 and not pair.startswith("<") and len(pair.split()) == 2:
            first, second = (chr(int(part, 16)) for part in pair.split())
            if unicodedata.normalize("NFC", first + second) == char:
                found.add(ord(second))
    return found


def folded(char: str) -> str:
    """Return the character under simple case folding, full-width forms narrowed and every decimal digit as 0."""
    if unicodedata.category(char) == "Nd":
        return "0"
    if 0xFF00 <= ord(char) <= 0xFFEF and len(narrow := unicodedata.normalize("NFKC", char)) == 1:
        char = narrow
    for candidate in (char.casefold(), char.lower()):
        if len(candidate) == 1:
            return candidate
    return char


def class_of(char: str) -> int:
    category = unicodedata.category(char)
    if category == "Cf" or 0xFE00 <= ord(char) <= 0xFE0F or 0xE0100 <= ord(char) <= 0xE01EF:
        return IGNORED  # joiners, soft hyphens and variation selectors differ between copies of one page
    if category[0] == "M":
        return MARK
    if category[0] not in "LN":
        return SEPARATOR
    if category == "Nd":
        return WORD
    name = unicodedata.name(char, "")
    return UNIT if name.startswith(UNSPACED) else WORD


def main() -> None:
    ranks = {value: rank for rank, value in enumerate(sorted({unicodedata.combining(chr(p)) for p in range(0x110000)}))}
    suspects = composing()
    words = np.zeros(0x110000, np.uint32)
    for point in range(0x110000):
        char = chr(point)
        words[point] = (
            (point ^ ord(folded(char)))
            | class_of(char) << CLASS_SHIFT
            | (point in suspects) << COMPOSING_BIT
            | ranks[unicodedata.combining(char)] << RANK_SHIFT
        )
    blocks, index = np.unique(words.reshape(-1, 256), axis=0, return_inverse=True)
    version = np.array([int(part) for part in unicodedata.unidata_version.split(".")], np.int64)
    np.savez_compressed(TARGET, blocks=blocks.ravel(), index=index.ravel().astype(np.int64), unicode=version)
    print(f"{TARGET.name}: {len(blocks)} blocks, {TARGET.stat().st_size} bytes, Unicode {unicodedata.unidata_version}")


if __name__ == "__main__":
    main()
