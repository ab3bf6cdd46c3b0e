"""The pieces of HTML's grammar: attributes, character references, comments and the ends of raw text (WHATWG 13.2.5)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.extract.native.names import FNV_PRIME, FNV_START, HASH_MASK
from tamis.extract.native.words import find, read_word, skip_blank
from tamis.text.inline import inlined
from tamis.text.kernel import kernel, proven_kernel

# The longest name of a character reference is `CounterClockwiseContourIntegral;`, 32 bytes.
_MAX_REFERENCE = 32
# References that need no semicolon (`&amp`, `&frac34`) have 2 to 6 letters.
_MIN_BARE, _MAX_BARE = 2, 6
_REPLACEMENT = 0xFFFD


@inlined
def is_space(byte: Any) -> Any:
    """Return whether a byte is HTML's ASCII whitespace."""
    return byte == 32 or byte == 10 or byte == 9 or byte == 13 or byte == 12


@inlined
def is_letter(byte: Any) -> Any:
    """Return whether a byte is an ASCII letter."""
    return 97 <= (byte | 32) <= 122


# Bounds: a place is at most the mask, the last of the table.
@proven_kernel
def look_up(table: Any, found: Any) -> Any:
    """Return the value of a hash in an open-addressed table, or -1."""
    mask = len(table) - 1
    place = found & mask
    while table[place, 0] != 0:
        if table[place, 0] == found + 1:
            return table[place, 1]
        place = (place + 1) & mask
    return np.int64(-1)


@kernel
def value_hash(data: Any, start: Any, end: Any) -> Any:
    """Return the name hash of data[start:end], whitespace at its ends left out."""
    while start < end and is_space(data[start]):
        start += 1
    while end > start and is_space(data[end - 1]):
        end -= 1
    found = np.int64(FNV_START)
    for at in range(start, end):
        byte = np.int64(data[at])
        if 65 <= byte <= 90:
            byte += 32
        found = ((found ^ byte) * FNV_PRIME) & HASH_MASK
    return found


# Bounds of the readers up to `raw_end`: every read follows a comparison with `end`, the end of the page, or
# is made by `words`; `spans` has a row for each number in the table.
@proven_kernel
def read_attributes(data: Any, at: Any, end: Any, numbers: Any, spans: Any) -> Any:  # long: one hot loop
    """Return (position after `>`, whether the tag closes itself), reading attributes from `at` on.

    `spans` (attributes, 2) gets where the value of each known attribute begins and ends, the first where one is
    repeated; -1 for those that are absent. A tag that never ends reaches to the end of the page.
    """
    for number in range(len(spans)):
        spans[number, 0] = -1
    closing = False
    while at < end:
        byte = np.int64(data[at])
        if byte == 62:
            return at + 1, closing
        if byte == 47:
            closing = at + 1 < end and data[at + 1] == 62
            at += 1
            continue
        if byte <= 32:
            at += 1
            if at < end and data[at] <= 32:
                at = skip_blank(data, at, end)
            continue
        found = np.int64(0)
        if byte == 61:
            # A name may begin with it; no known one does.
            _, at = read_word(data, at + 1, end, True)
        else:
            found, at = read_word(data, at, end, True)
        while at < end and data[at] <= 32:
            at += 1
        start = stop = at
        if at < end and data[at] == 61:
            at += 1
            while at < end and data[at] <= 32:
                at += 1
            start = stop = at
            if at < end and (data[at] == 34 or data[at] == 39):
                start = at + 1
                stop = find(data, start, end, np.int64(data[at]))
                at = min(stop + 1, end)
            else:
                while at < end and data[at] != 62 and data[at] > 32:
                    at += 1
                stop = at
        number = look_up(numbers, found)
        if number >= 0 and spans[number, 0] < 0:
            spans[number, 0] = start
            spans[number, 1] = stop
    return end, closing


@proven_kernel
def comment_end(data: Any, at: Any, end: Any) -> Any:
    """Return the position after the comment whose `<!--` ends at `at`."""
    if at < end and data[at] == 62:
        return at + 1
    if at + 1 < end and data[at] == 45 and data[at + 1] == 62:
        return at + 2
    begun = at
    while True:
        at = find(data, at, end, 62)
        if at >= end:
            return end
        if at >= begun + 2 and data[at - 1] == 45 and data[at - 2] == 45:
            return at + 1
        if at >= begun + 3 and data[at - 1] == 33 and data[at - 2] == 45 and data[at - 3] == 45:
            return at + 1
        at += 1


@proven_kernel
def bogus_end(data: Any, at: Any, end: Any) -> Any:
    """Return the position after the next `>`."""
    return min(find(data, at, end, 62) + 1, end)


@proven_kernel
def raw_end(data: Any, at: Any, end: Any, name: Any, script: Any) -> Any:
    """Return where the end tag of a raw text element named `name` begins, from `at` on; `end` where there is none.

    In a script, `<!-- <script>` hides one `</script>`, as in browsers.
    """
    state = 0
    while at < end:
        # Half of all bytes of the web are scripts, and hardly any of theirs is a `<`.
        if state == 0:
            at = find(data, at, end, 60)
        if at >= end:
            break
        byte = data[at]
        if byte == 45 and state and at + 2 < end and data[at + 1] == 45 and data[at + 2] == 62:
            state = 0
        if byte != 60 or at + 2 >= end:
            at += 1
            continue
        if script and data[at + 1] == 33 and at + 3 < end and data[at + 2] == 45 and data[at + 3] == 45:
            state = max(state, 1)
            at += 2
        elif data[at + 1] == 47 and is_letter(data[at + 2]):
            found, _ = read_word(data, at + 2, end, False)
            if found == name:
                if state < 2:
                    return at
                state = 1
            at += 2
        elif state == 1 and is_letter(data[at + 1]):
            found, _ = read_word(data, at + 1, end, False)
            if found == name:
                state = 2
            at += 1
        else:
            at += 1
    return end


@kernel
def put_point(out: Any, point: Any) -> Any:
    """Write a code point to the front of `out` as UTF-8; return its length. What is no character is U+FFFD."""
    if point <= 0 or point > 0x10FFFF or 0xD800 <= point < 0xE000:
        point = np.int64(_REPLACEMENT)
    if point < 0x80:
        out[0] = point
        return 1
    if point < 0x800:
        out[0] = 0xC0 | (point >> 6)
        out[1] = 0x80 | (point & 63)
        return 2
    if point < 0x10000:
        out[0] = 0xE0 | (point >> 12)
        out[1] = 0x80 | ((point >> 6) & 63)
        out[2] = 0x80 | (point & 63)
        return 3
    out[0] = 0xF0 | (point >> 18)
    out[1] = 0x80 | ((point >> 12) & 63)
    out[2] = 0x80 | ((point >> 6) & 63)
    out[3] = 0x80 | (point & 63)
    return 4


@kernel
def read_number(data: Any, at: Any, end: Any, windows: Any, out: Any) -> Any:
    """Read the reference `&#…` at `at` into `out`; return (position after it, bytes written), 0 bytes for no digits."""
    at += 2
    base = 10
    if at < end and (data[at] | 32) == 120:
        base = 16
        at += 1
    point = np.int64(0)
    begun = at
    while at < end:
        byte = np.int64(data[at])
        digit = byte - 48
        if base == 16 and 97 <= (byte | 32) <= 102:
            digit = (byte | 32) - 87
        elif not 48 <= byte <= 57:
            break
        point = min(point * base + digit, np.int64(0x110000))
        at += 1
    if at == begun:
        return at, 0
    if at < end and data[at] == 59:
        at += 1
    if 0x80 <= point < 0xA0:
        point = windows[point - 0x80]
    return at, put_point(out, point)


@kernel
def read_reference(data: Any, at: Any, end: Any, places: Any, references: Any, windows: Any, out: Any) -> Any:
    """Read the character reference whose `&` is at `at` into `out`; return (position after it, bytes written).

    The longest name wins, as in browsers; what is no reference is an `&` and goes on after it.
    """
    if at + 1 < end and data[at + 1] == 35:
        after, length = read_number(data, at, end, windows, out)
        if length:
            return after, length
    found = np.int64(FNV_START)
    best = np.int64(-1)
    after = at + 1
    for step in range(1, _MAX_REFERENCE + 1):
        if at + step >= end:
            break
        byte = np.int64(data[at + step])
        found = ((found ^ byte) * FNV_PRIME) & HASH_MASK
        if byte == 59:
            place = look_up(places, found)
            if place >= 0:
                best = place
                after = at + step + 1
            break
        if not (is_letter(byte) or 48 <= byte <= 57):
            break
        if _MIN_BARE <= step <= _MAX_BARE:
            place = look_up(places, found)
            if place >= 0:
                best = place
                after = at + step + 1
    if best < 0:
        out[0] = 38
        return at + 1, 1
    length = np.int64(references[best])
    for step in range(length):
        out[step] = references[best + 1 + step]
    return after, length
