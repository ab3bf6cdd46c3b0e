"""Lines to model tokens: the normaliser's table, SentencePiece's own normaliser and its Viterbi search, as kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.text.kernel import proven_kernel

# U+2581, which SentencePiece writes for a space.
_LOWER_1, _LOWER_2, _LOWER_3 = 0xE2, 0x96, 0x81
_SPACE_KIND, _SLOW_KIND = 1, 2
_TABLE_END = 0x30000


@proven_kernel
def decode(data: Any, position: Any, end: Any) -> Any:
    """Return (code point, length) of the character at `position`, which is before `end`, itself within the data;
    (0xFFFD, 1) where it is not valid UTF-8. Nothing past `end` is read."""
    first = np.int64(data[position])
    if first < 0x80:
        return first, 1
    length = 2 if first < 0xE0 else (3 if first < 0xF0 else 4)
    if first < 0xC2 or first > 0xF4 or position + length > end:
        return np.int64(0xFFFD), 1
    code = first & (0x7F >> length)
    for ahead in range(1, length):
        byte = np.int64(data[position + ahead])
        if byte & 0xC0 != 0x80:
            return np.int64(0xFFFD), 1
        code = (code << 6) | (byte & 0x3F)
    return code, length


@proven_kernel
def _last_end(data: Any, start: Any, end: Any, kind: Any) -> Any:
    """Return where the last character of `data[start:end]` ends that is no space, `start` where all are."""
    while end > start:
        at = end - 1
        while at > start and data[at] & 0xC0 == 0x80 and end - at < 4:
            at -= 1
        code, length = decode(data, at, end)
        if at + length != end or code >= _TABLE_END or kind[code] != _SPACE_KIND:
            break
        end = at
    return end


@proven_kernel
def normalise(
    data: Any, start: Any, end: Any, starts: Any, table: Any, kind: Any, drop_selectors: Any, out: Any
) -> Any:
    """Write the line `data[start:end]` normalised into `out`; returns its length, or -1 where rules look at context.

    `out` must hold 18 bytes for each of the line's: no character becomes longer. `kind` goes on to _TABLE_END, `starts`
    one further, its entries within `table`.
    """
    while start < end:
        code, length = decode(data, start, end)
        if code >= _TABLE_END or kind[code] != _SPACE_KIND:
            break
        start += length
    stop = _last_end(data, start, end, kind)
    size = 0
    position = start
    while position < stop:
        first = np.int64(data[position])
        if first < 0x80 and starts[first + 1] - starts[first] == 1 and kind[first] != _SLOW_KIND:
            out[size] = table[starts[first]]
            size += 1
            position += 1
            continue
        code, length = decode(data, position, stop)
        if code < _TABLE_END:
            if kind[code] == _SLOW_KIND:
                return -1
            for index in range(starts[code], starts[code + 1]):
                out[size] = table[index]
                size += 1
        elif not (drop_selectors and 0xE0100 <= code < 0xE01F0):
            for index in range(position, position + length):
                out[size] = data[index]
                size += 1
        position += length
    return size


@proven_kernel
def escape(data: Any, size: Any, charsmap: Any, replacements: Any, alone: Any, out: Any) -> Any:
    """Write `data[:size]` as SentencePiece normalises it: replacements, single spaces as U+2581, one put in front.

    Returns the length; `out` must hold 3 bytes for each of the input's, the longest replacement, and 3 more. `alone` is
    `stands_alone(charsmap)`. That a
    replacement lies within `replacements`, which ends with a zero, is asked each time: it comes from a file.
    """
    known = len(replacements)
    written = 0
    position = 0
    was_space = True
    while position < size:
        byte = data[position]
        if byte < 0x80 and alone[byte] and (position + 1 == size or data[position + 1] < 0x80):
            match, value, length = 0, 0, 1
        else:
            match, value = _longest(data, position, size, charsmap)
            _, length = decode(data, position, size)
        if match > 0 and value < known:
            first = value
            while replacements[first] == 0x20 and was_space:
                first += 1
            empty = replacements[first] == 0
            if not empty and written == 0:
                out[0], out[1], out[2] = _LOWER_1, _LOWER_2, _LOWER_3
                written = 3
            while replacements[first] != 0:
                written = _put(out, written, replacements[first])
                first += 1
            if not empty:
                was_space = replacements[first - 1] == 0x20
            position += match
            continue
        if byte == 0x20:
            if not was_space:
                written = _put(out, written, np.uint8(0x20))
            was_space = True
        else:
            if written == 0:
                out[0], out[1], out[2] = _LOWER_1, _LOWER_2, _LOWER_3
                written = 3
            for index in range(position, position + length):
                out[written] = data[index]
                written += 1
            was_space = False
        position += length
    while (
        written >= 3 and out[written - 3] == _LOWER_1 and out[written - 2] == _LOWER_2 and out[written - 1] == _LOWER_3
    ):
        written -= 3
    return written


@proven_kernel
def _put(out: Any, written: Any, byte: Any) -> Any:
    if byte == 0x20:
        out[written], out[written + 1], out[written + 2] = _LOWER_1, _LOWER_2, _LOWER_3
        return written + 3
    out[written] = byte
    return written + 1


@proven_kernel
def stands_alone(charsmap: Any) -> Any:
    """Return for each ASCII byte whether no rule is about it alone or begins with it and another, shape (128,), bool.

    Most text is such bytes, and most rules that begin with one go on with a mark.
    """
    units = len(charsmap)
    alone = np.ones(128, np.bool_)
    if units == 0:
        return alone
    unit = np.int64(charsmap[0])
    root = (unit >> 10) << ((unit & 512) >> 6)
    for first in range(128):
        node = root ^ first
        if node >= units:
            continue
        unit = np.int64(charsmap[node])
        if unit & 0x800000FF != first:
            continue
        node ^= (unit >> 10) << ((unit & 512) >> 6)
        alone[first] = (unit >> 8) & 1 == 0
        for second in range(1, 128):
            if node ^ second < units and np.int64(charsmap[node ^ second]) & 0x800000FF == second:
                alone[first] = False
    return alone


@proven_kernel
def _longest(data: Any, position: Any, size: Any, charsmap: Any) -> Any:
    """Return (length, offset of its replacement) of the longest sequence of the map at `position`, (0, 0) for none.

    The walk through a Darts double array, as its `commonPrefixSearch` does it; every node is compared with its length.
    """
    units = len(charsmap)
    found: Any = 0
    value: Any = 0
    if units == 0:
        return found, value
    unit = np.int64(charsmap[0])
    node = (unit >> 10) << ((unit & 512) >> 6)
    for index in range(position, size):
        byte = np.int64(data[index])
        node ^= byte
        if node >= units:
            break
        unit = np.int64(charsmap[node])
        if unit & 0x800000FF != byte:
            break
        node ^= (unit >> 10) << ((unit & 512) >> 6)
        if (unit >> 8) & 1 and node < units:
            found = index - position + 1
            value = np.int64(charsmap[node]) & 0x7FFFFFFF
    return found, value


@proven_kernel
def segment(
    text: Any,
    size: Any,
    base: Any,
    check: Any,
    value: Any,
    scores: Any,
    unknown: Any,
    unknown_score: Any,
    best: Any,
    came: Any,
    piece: Any,
    ids: Any,
) -> Any:
    """Cut `text[:size]` into the pieces of greatest likelihood; returns how many, ids in `ids`, and how many characters
    no piece covers.

    `best`, `came` and `piece` are scratch of size + 1. A run of characters that no piece covers is one unknown piece.
    Longer than others because the search is one loop over the text and one back: calls cost more than the work. Every
    index is in bounds: scratch and ids hold size + 1, no character reaches past `size`, and a Unigram's double array
    goes on for 256 slots after every base.
    """
    for index in range(size + 1):
        came[index] = -1
    best[0] = np.float32(0.0)
    start = 0
    while start < size:
        here = best[start]
        _, length = decode(text, start, size)
        covered = False
        node: Any = np.int64(0)
        for index in range(start, size):
            step = np.int64(base[node]) + np.int64(text[index])
            if check[step] != node:
                break
            node = step
            number = value[node]
            if number < 0:
                continue
            target = index + 1
            candidate = np.float32(scores[number] + here)
            if came[target] < 0 or candidate > best[target]:
                best[target], came[target], piece[target] = candidate, start, number
            if target - start == length:
                covered = True
        if not covered:
            target = start + length
            candidate = np.float32(unknown_score + here)
            if came[target] < 0 or candidate > best[target]:
                best[target], came[target], piece[target] = candidate, start, unknown
        start += length
    count = 0
    uncovered = 0
    position = size
    while position > 0:
        number = piece[position]
        if number == unknown:
            uncovered += 1
        if not (number == unknown and count > 0 and ids[count - 1] == unknown):
            ids[count] = number
            count += 1
        position = came[position]
    for index in range(count // 2):
        ids[index], ids[count - 1 - index] = ids[count - 1 - index], ids[index]
    return count, uncovered
