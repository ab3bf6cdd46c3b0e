"""Which parts of a document a model sees: windows spread over its cleaned prose lines, and what its letters are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import text_array, text_buffers
from tamis.langid import script
from tamis.text.kernel import kernel, proven_kernel

# A line shorter than this (in letters) that does not end a sentence looks like a menu entry, a button or a heading.
SHORT_LINE = 40
# Lines that look like boilerplate are left out where at least this many letters of prose remain without them.
ENOUGH_PROSE = 150
# Beyond the window's end, how many letters to go on to the end of the word; scripts without spaces are cut there.
WORD_REACH = 24
_TAG_REACH = 300
_FIRST_MARK = 0x300

_PLAIN, _LETTER, _SPACE, _LINE_END, _DIGIT, _ANGLE, _COLON, _AT, _BEYOND = range(9)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of a batch.

    texts: large_string, the cleaned windows, document after document.
    document, letters: int64 of shape (windows,): whose each is and how many letters it has.
    marked: bool of shape (windows,): whether it has combining marks, and so may not be in NFC.
    counts: int32 of shape (windows, scripts): letters per script.
    totals: int32 of shape (documents, scripts), the same over whole documents.
    evidence: int32 of shape (documents, 5): characters by the bits of `script.Tables.evidence`, and bytes of markup.
    """

    texts: pa.LargeStringArray
    document: Ints
    letters: Ints
    marked: npt.NDArray[np.bool_]
    counts: npt.NDArray[np.int32]
    totals: npt.NDArray[np.int32]
    evidence: npt.NDArray[np.int32]


def windows(texts: pa.LargeStringArray, count: int, letters: int, *, words_only: bool = False) -> Windows:
    """Return up to `count` windows of about `letters` letters of each text; a text without letters has none.

    A letter counts for as many letters of an alphabet as it is worth in its script. Everything is measured in letters,
    so the windows of a text are the same in NFC and NFD, with any line ends, and whatever its neighbours are. With
    `words_only`, signs that stand alone between spaces are left out: lists are full of them, and they tell nothing.
    """
    offsets, data = text_buffers(texts)
    tables = script.tables()
    rows, scripts = len(texts), len(tables.names)
    longest = int(np.diff(offsets).max()) if rows else 0
    out = np.empty(int(offsets[-1] - offsets[0]) + rows * 4 + 64, np.uint8)
    ends = np.zeros(rows * count + 1, np.int64)
    document = np.zeros(rows * count, np.int64)
    sizes = np.zeros(rows * count, np.int64)
    marked = np.zeros(rows * count, np.bool_)
    counts = np.zeros((rows * count, scripts), np.int32)
    totals = np.zeros((rows, scripts), np.int32)
    evidence = np.zeros((rows, 5), np.int32)
    scratch = np.empty(longest + 16, np.uint8)
    lines = np.empty((longest // 2 + 2, 3), np.int64)
    found = _all_windows(
        offsets, data, _ascii_kinds(), tables.letters, tables.evidence, tables.weight, count, letters, words_only,
        scratch, lines, out, ends, document, sizes, marked, counts, totals, evidence,
    )  # fmt: skip
    texts = text_array(ends[: found + 1], out[: ends[found]])
    return Windows(texts, document[:found], sizes[:found], marked[:found], counts[:found], totals, evidence)


def _ascii_kinds() -> npt.NDArray[np.uint8]:
    kinds = np.full(256, _BEYOND, np.uint8)
    for byte in range(128):
        character = chr(byte)
        kinds[byte] = _LETTER if character.isalpha() else _DIGIT if character.isdigit() else _PLAIN
    kinds[:0x21] = _SPACE
    kinds[0x0A:0x0E] = _LINE_END
    kinds[ord("<")], kinds[ord(":")], kinds[ord("@")] = _ANGLE, _COLON, _AT
    return kinds


@proven_kernel
def _decode(data: Any, at: int, end: int) -> tuple[int, int]:
    """The code point at `at` and its length; a byte that starts none counts as one of its own."""
    first = data[at]
    if first < 0x80:
        return int(first), 1
    if first >= 0xF0 and at + 3 < end:
        return ((first & 7) << 18) | ((data[at + 1] & 63) << 12) | ((data[at + 2] & 63) << 6) | (data[at + 3] & 63), 4
    if first >= 0xE0 and at + 2 < end:
        return ((first & 15) << 12) | ((data[at + 1] & 63) << 6) | (data[at + 2] & 63), 3
    if first >= 0xC0 and at + 1 < end:
        return ((first & 31) << 6) | (data[at + 1] & 63), 2
    return 0xFFFD, 1


@proven_kernel
def _is_space(code: int) -> bool:
    return (
        code <= 0x20 or code == 0x85 or code == 0xA0 or code == 0x1680 or 0x2000 <= code <= 0x200B
        or code == 0x2028 or code == 0x2029 or code == 0x202F or code == 0x3000 or code == 0xFEFF
    )  # fmt: skip


@proven_kernel
def _is_line_end(code: int) -> bool:
    return 0x0A <= code <= 0x0D or code == 0x85 or code == 0x2028 or code == 0x2029


@proven_kernel
def _ends_sentence(code: int) -> bool:
    return (
        code == 0x2E or code == 0x21 or code == 0x3F or code == 0x3A or code == 0x2026 or code == 0x3002
        or code == 0xFF01 or code == 0xFF1F or code == 0x0964 or code == 0x061F or code == 0x06D4 or code == 0x1362
        or code == 0x104B or code == 0x17D4 or code == 0x0589 or code == 0x037E
    )  # fmt: skip


@proven_kernel
def _starts_url(data: Any, at: int, end: int) -> bool:
    """Whether a token that starts at `at` is http(s):// or www. (ASCII, either case)."""
    if at + 4 < end and data[at + 3] == 0x2E:
        return bool((data[at] | 32) == 119 and (data[at + 1] | 32) == 119 and (data[at + 2] | 32) == 119)
    if at + 7 < end and (data[at] | 32) == 104 and (data[at + 1] | 32) == 116 and (data[at + 2] | 32) == 116:
        return bool(data[at + 4] == 0x3A or data[at + 5] == 0x3A)
    return False


@proven_kernel
def _tag_end(data: Any, at: int, end: int) -> int:
    """The byte after the markup tag that starts at `at`, or `at` where none does."""
    if at + 1 >= end:
        return at
    second = data[at + 1]
    if not (97 <= (second | 32) <= 122 or second == 0x2F or second == 0x21):
        return at
    stop = min(end, at + _TAG_REACH)
    for index in range(at + 1, stop):
        if data[index] == 0x3E:
            return index + 1
        if data[index] == 0x0A or data[index] == 0x3C:
            return at
    return at


@proven_kernel
def _skip_token(data: Any, at: int, end: int) -> int:
    while at < end:
        code, length = _decode(data, at, end)
        if _is_space(code):
            return at
        at += length
    return at


@proven_kernel
def _clean(
    data: Any, at: int, end: int, ascii_kinds: Any, letters: Any, evidence: Any, weight: Any, out: Any, lines: Any,
    total: Any, seen: Any, words_only: bool,
) -> int:  # fmt: skip
    """Copy one text without URLs, addresses, digits and tags, runs of space as one; return its number of lines.

    Writes (end in `out`, letters, prose or not) of each line that has letters. Long, because one loop walks every byte
    of every document, and with ASCII apart from the rest it takes a third of the time. Unchecked, because `at` stays
    below `end`, no more is written than was read, every line but the last has a letter and an end, so that two bytes
    for each are enough, and tables have a place for every byte or code point that is looked up.
    """
    size = line_letters = last = count = latin = 0
    token_size = token_letters = token_latin = 0
    fresh = True  # at the start of a token
    while at < end:
        first = data[at]
        kind = ascii_kinds[first]
        length = 1
        code = int(first)
        if kind == _BEYOND:
            code, length = _decode(data, at, end)
            if _is_space(code):
                kind = _LINE_END if _is_line_end(code) else _SPACE
        if kind == _LETTER:
            if fresh:
                token_size, token_letters, token_latin = size, line_letters, latin
                fresh = False
                if (first | 32 == 0x68 or first | 32 == 0x77) and _starts_url(data, at, end):
                    at = _skip_token(data, at, end)
                    fresh = True
                    continue
            start = at
            while at < end and ascii_kinds[data[at]] == _LETTER:
                out[size] = data[at]
                size += 1
                at += 1
            line_letters += at - start
            latin += at - start
            last = int(data[at - 1])
            continue
        if kind in (_SPACE, _LINE_END) and words_only and not fresh and line_letters == token_letters:
            size = token_size
            fresh = True
        if kind == _SPACE:
            if not fresh:
                out[size] = 0x20
                size += 1
                fresh = True
            at += length
            continue
        if kind == _LINE_END:
            if line_letters:
                if out[size - 1] == 0x20:
                    size -= 1
                lines[count, 0], lines[count, 1] = size, line_letters
                lines[count, 2] = 1 if line_letters >= SHORT_LINE or _ends_sentence(last) else 0
                count += 1
            else:
                size = lines[count - 1, 0] if count else 0
            line_letters = last = 0
            fresh = True
            at += length
            continue
        if fresh:
            token_size, token_letters, token_latin = size, line_letters, latin
            fresh = False
        if kind == _PLAIN:
            out[size] = first
            size += 1
            at += 1
            last = code
            continue
        if kind == _DIGIT:
            at += 1
            continue
        if kind == _ANGLE:
            after = _tag_end(data, at, end)
            if after > at:
                seen[4] += after - at
                at = after
                out[size] = 0x20
                size += 1
                fresh = True
                continue
        if kind == _AT or (kind == _COLON and at + 2 < end and data[at + 1] == 0x2F and data[at + 2] == 0x2F):
            size, line_letters, latin = token_size, token_letters, token_latin
            at = _skip_token(data, at, end)
            fresh = True
            continue
        if kind == _BEYOND and code < 0x110000:
            sort = letters[code]
            if sort and sort != script.MARK:
                total[sort - 1] += weight[sort]
                line_letters += weight[sort]
                if code < 0x10000 and evidence[code]:
                    for bit in range(4):
                        seen[bit] += (evidence[code] >> bit) & 1
            if sort != script.MARK:
                last = code
        else:
            last = code
        for index in range(length):
            out[size + index] = data[at + index]
        size += length
        at += length
    if line_letters:
        if out[size - 1] == 0x20:
            size -= 1
        lines[count, 0], lines[count, 1] = size, line_letters
        lines[count, 2] = 1 if line_letters >= SHORT_LINE or _ends_sentence(last) else 0
        count += 1
    total[letters[0x61] - 1] += latin
    return count


@kernel
def _all_windows(
    offsets: Any, data: Any, ascii_kinds: Any, letters: Any, evidence: Any, weight: Any, most: int, width: int,
    words_only: bool, clean: Any, lines: Any,
    out: Any, ends: Any, document: Any, sizes: Any, marked: Any, counts: Any, totals: Any, seen: Any,
) -> int:  # fmt: skip
    """Clean each text, choose its lines, and copy its windows; return their number."""
    found = 0
    for row in range(len(offsets) - 1):
        count = _clean(
            data, offsets[row], offsets[row + 1], ascii_kinds, letters, evidence, weight, clean, lines, totals[row],
            seen[row], words_only,
        )  # fmt: skip
        prose = every = 0
        for line in range(count):
            every += lines[line, 1]
            prose += lines[line, 1] * lines[line, 2]
        only_prose = prose >= ENOUGH_PROSE
        units = prose if only_prose else every
        if units == 0:
            continue
        number = 1 if 2 * units <= 3 * width else min(most, (units + width - 1) // width)
        size = min(units, (units + number - 1) // number if units <= most * width else width)
        if number == 1:
            size = min(units, 2 * width)
        found = _cut(
            number, size, units, count, only_prose, clean, lines, letters, weight, found, row,
            out, ends, document, sizes, marked, counts,
        )  # fmt: skip
    return found


@proven_kernel
def _cut(
    number: int, size: int, units: int, count: int, only_prose: bool, clean: Any, lines: Any, letters: Any, weight: Any,
    found: int, row: int, out: Any, ends: Any, document: Any, sizes: Any, marked: Any, counts: Any,
) -> int:  # fmt: skip
    """Copy the windows of one cleaned text, spread evenly over its chosen lines; return the number of windows so far.

    Long for the same reason as `_clean`: its state would have to travel through every part it could be split into.
    Unchecked, because windows do not overlap: no letter is written twice, one space at most stands for each line end,
    and `windows` has made room for that and for `number` windows of each text.
    """
    # Hostile text can put any amount of punctuation between two letters.
    byte_limit = 16 * size + 64
    line = at = passed = 0
    line_start = True
    while line < count and only_prose and not lines[line, 2]:
        at = lines[line, 0]
        line += 1
    for window in range(number):
        target = 0 if number == 1 else (units - size) * window // (number - 1)
        written = ends[found]
        taken = waited = 0
        inside = False
        while line < count:
            if line_start and not inside and passed + lines[line, 1] <= target:
                passed += lines[line, 1]
                at = lines[line, 0]
            if at >= lines[line, 0]:
                if inside and written > ends[found]:
                    out[written] = 0x20
                    written += 1
                line += 1
                line_start = True
                while line < count and only_prose and not lines[line, 2]:
                    at = lines[line, 0]
                    line += 1
                if taken >= size:
                    break
                if not inside and passed >= target:
                    inside = True
                continue
            starts, line_start = line_start, False
            code, length = _decode(clean, at, lines[line, 0])
            space = code == 0x20
            kind = letters[code] if code < 0x110000 else 0
            # A mark goes with its letter, or a text in NFD would lose what it has in NFC.
            mark = kind == script.MARK
            full = taken >= size and (space or (taken >= size + WORD_REACH and not mark))
            if inside and (full or written - ends[found] >= byte_limit):
                break
            # A window starts at a word, unless none begins for long: then the script has no spaces.
            begins = space or starts or window == 0 or (waited >= WORD_REACH and not mark)
            if not inside and passed >= target and begins:
                inside = True
            step = 0
            if kind and not mark:
                step = weight[kind]
                passed += step
                if not inside and passed > target:
                    waited += step
            if inside and not (space and written == ends[found]):
                for index in range(length):
                    out[written + index] = clean[at + index]
                written += length
                taken += step
                if step:
                    counts[found, kind - 1] += step
                elif mark and code >= _FIRST_MARK:
                    marked[found] = True
            at += length
        if taken:
            ends[found + 1] = written
            document[found] = row
            sizes[found] = taken
            found += 1
        else:
            counts[found, :] = 0
            marked[found] = False
    return found
