"""Derives `data/unicode.npz` from `regex` and `unicodedata`; run by hand when Unicode moves on.

    python -m tamis.text.derive_unicode

Needs the extra `compat`: the two punctuation sets of datatrove are facts its variants must reproduce.
"""

from __future__ import annotations

import importlib
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.text import unicode as tables

CODE_POINTS = 0x110000
PAGE = 256

# Later lines overrule earlier ones.
CLASSES = (
    (r"\p{L}", tables.LETTER),
    # The vowels and finals of a decomposed Hangul syllable count as its marks: it is one letter, as when composed.
    (r"[\p{M}\u1160-\u11ff\ud7b0-\ud7ff]", tables.MARK),
    (r"\p{N}", tables.NUMBER),
    (r"\p{Nd}", tables.DIGIT),
    (r"\p{P}", tables.PUNCTUATION),
    (r"\p{S}", tables.SYMBOL),
    (r"\p{Cc}", tables.CONTROL),
    (r"\p{Cf}", tables.FORMAT),
    (r"[\p{Z}\t\x1c-\x1f]", tables.SPACE),
    (r"[\n\v\f\r\x85\u2028\u2029]", tables.BREAK),
    (r"\u200b", tables.ZERO_WIDTH_SPACE),
)

FLAGS = (
    # Unicode's sentence ends, and those it leaves out: the ellipsis and the Thai, Lao, Tibetan and Greek closers.
    (r"[\p{Sentence_Terminal}…⋯๚๛།༎༏༐༑༔;\u037e؛·]", tables.TERMINAL),
    # What may stand between a sentence end and the end of its line.
    (r"[\p{Pe}\p{Pf}\p{Pi}\"'»”’›]", tables.CLOSER),
    # UAX #29 MidLetter, MidNumLet, Single_Quote and the underscore: these join two letters.
    (r"[_'’‘.․:·՟״‧︓﹕：﹒＇．]", tables.MID_LETTER),
    # UAX #29 MidNum, MidNumLet and the underscore: these join two digits.
    (r"[_'’‘.․,،;٫٬﹐﹔，；﹒＇．]", tables.MID_NUMBER),
    # Cherokee and Coptic letters of the capital kind are how whole texts are written, and shout nothing.
    (r"[\p{Lu}--[\p{Script=Cherokee}\p{Script=Coptic}]]", tables.UPPER),
    (r"[\s\x1c-\x1f\x85]", tables.PYTHON_SPACE),
    (r"[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]", tables.PYTHON_BREAK),
)
# A semicolon closes no sentence in most languages; Greek's own question mark (U+037E) does.
NOT_TERMINAL = ";؛·"


def main() -> None:
    """Write the table."""
    every = "".join(map(chr, range(CODE_POINTS)))
    values = np.zeros(CODE_POINTS, np.uint32)
    for pattern, number in CLASSES:
        _assign(values, every, pattern, number, tables.CLASS_MASK)
    for pattern, flag in FLAGS:
        _assign(values, every, pattern, flag, flag)
    for character in NOT_TERMINAL:
        values[ord(character)] &= ~np.uint32(tables.TERMINAL)
    names = _assign_scripts(values, every)
    _assign_datatrove(values)
    folded, expansions = _folded()
    index, pages = _two_stage(values)
    fold_index, fold_pages = _two_stage(folded)
    np.savez_compressed(
        Path(__file__).parent / "data" / "unicode.npz",
        index=index,
        pages=pages,
        fold_index=fold_index,
        fold_pages=fold_pages,
        expansions=expansions,
        scripts=np.array(names),
    )


def _assign(values: npt.NDArray[np.uint32], every: str, pattern: str, bits: int, mask: int) -> None:
    regex: Any = importlib.import_module("regex")
    for run in regex.finditer(f"(?V1)(?:{pattern})+", every):
        part = values[run.start() : run.end()]
        part &= ~np.uint32(mask)
        part |= np.uint32(bits)


def _assign_scripts(values: npt.NDArray[np.uint32], every: str) -> list[str]:
    """Set each code point's script id; returns the ISO 15924 codes by id, Zyyy (common) first."""
    properties = importlib.import_module("regex._regex_core").PROPERTIES["SCRIPT"][1]
    codes = {name.title() for name in properties if len(name) == 4} - {"Zzzz", "Qaac", "Qaai", "Zyyy", "Zinh"}
    names = ["Zyyy", "Zinh", *sorted(code for code in codes if code.upper() in properties)]
    for number, name in enumerate(names):
        _assign(values, every, rf"\p{{Script={name}}}", number << tables.SCRIPT_SHIFT, 0xFF << tables.SCRIPT_SHIFT)
    return names


def _assign_datatrove(values: npt.NDArray[np.uint32]) -> None:
    text: Any = importlib.import_module("datatrove.utils.text")
    for characters, flag in (
        (text.PUNCTUATION_SET, tables.DT_PUNCTUATION),
        (text.TERMINAL_PUNCTUATION, tables.DT_STOP),
    ):
        for character in characters:
            values[ord(character)] |= np.uint32(flag)


def _folded() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Return what turns each code point into its canonical decomposition, case folded, and the longer expansions.

    An entry is the difference (exclusive or) to the single code point it becomes, or `EXPANDED | place`; an expansion
    is its length and then its code points. Hangul syllables stand for themselves: kernels take them apart.
    """
    folded = np.zeros(CODE_POINTS, np.uint32)
    expansions: list[int] = []
    for code in range(CODE_POINTS):
        if 0xD800 <= code <= 0xDFFF or 0xAC00 <= code <= 0xD7A3:
            continue
        points = [
            ord(each) for each in unicodedata.normalize("NFD", unicodedata.normalize("NFD", chr(code)).casefold())
        ]
        if len(points) == 1:
            folded[code] = points[0] ^ code
        else:
            folded[code] = tables.EXPANDED | len(expansions)
            expansions += [len(points), *points]
    return folded, np.array(expansions, np.uint32)


def _two_stage(values: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    """Return (start of each block's page, pages): value of c = pages[index[c >> 8] + (c & 255)]; page 0 is ASCII's."""
    blocks = values.reshape(-1, PAGE)
    pages, inverse = np.unique(blocks, axis=0, return_inverse=True)
    order = np.argsort(pages[:, 0] * 0 + np.arange(len(pages)) + (np.arange(len(pages)) != inverse[0]) * len(pages))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place[inverse.ravel()] * PAGE, pages[order].ravel()


if __name__ == "__main__":
    main()
