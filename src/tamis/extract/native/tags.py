"""What a start tag says: class, id and role tokens, its path, whether it is hidden, statements about the page."""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.extract.native import names as n
from tamis.extract.native.layout import (
    CLASS_TOKEN_COUNT,
    CLASSES,
    DIGITLESS,
    EVENT_CANONICAL,
    EVENT_LANGUAGE,
    EVENT_LICENCE,
    EVENT_TIME,
    EVENTS,
    FIRST_TOKEN,
    FROM,
    KIND,
    TO,
)  # fmt: skip
from tamis.extract.native.markup import is_letter, is_space, look_up, value_hash
from tamis.extract.native.words import span_hash
from tamis.text.inline import inlined
from tamis.text.kernel import kernel, proven_kernel

# Tokens of one element that are read, and class attributes of one page that are remembered.
MOST_TOKENS, MOST_CLASSES = 24, 1024
# Salts that keep tokens of attributes apart.
SALT_TAG, SALT_ID, SALT_ROLE, SALT_ITEM, SALT_CLASS, SALT_PART = 11, 12, 13, 14, 15, 16


# Bounds: `start` to `end` lie in the data; a token is written below `most`, which is at most the room there is.
@proven_kernel
def add_tokens(  # long: one loop, hot
    data: Any,
    start: Any,
    end: Any,
    salt: Any,
    tokens: Any,
    count: Any,
    most: Any,
) -> Any:
    """Append the hashes of the words of an attribute and of their parts; return the new count, at most `most`.

    Digits count as `0`, so that `post-123` is one token on all pages; parts end at punctuation and at capitals.
    """
    at = start
    while at < end and count + 1 < most:
        while at < end and is_space(data[at]):
            at += 1
        whole = np.int64(FNV_START_SALTED + salt)
        part = np.int64(FNV_START_SALTED + SALT_PART)
        parts = 0
        length = 0
        part_length = 0
        before = np.int64(0)
        while at < end and not is_space(data[at]):
            raw = np.int64(data[at])
            byte = raw
            if 65 <= raw <= 90:
                byte = raw + 32
            elif 48 <= raw <= 57:
                byte = np.int64(48)
            if byte != 48 or before != 48:
                whole = ((whole ^ byte) * n.FNV_PRIME) & n.HASH_MASK
                length += 1
            letter = is_letter(byte) or byte >= 128
            if part_length and (not letter or (raw != byte and before != 65 and byte != 48)):
                if part_length > 1 and count + 2 < most:
                    tokens[count] = part
                    count += 1
                parts += 1
                part = np.int64(FNV_START_SALTED + SALT_PART)
                part_length = 0
            if letter:
                part = ((part ^ byte) * n.FNV_PRIME) & n.HASH_MASK
                part_length += 1
            before = np.int64(65) if raw != byte and byte != 48 else byte
            at += 1
        if part_length > 1 and count + 2 < most:
            tokens[count] = part
            count += 1
        if length:
            tokens[count] = whole
            count += 1
    return count


FNV_START_SALTED = n.FNV_START - 64


@inlined
def path_hash(above: Any, step: Any) -> Any:
    """Return the hash of a path: the one above, and one more name."""
    return ((above ^ (step & n.HASH_MASK)) * n.FNV_PRIME + 1) & n.HASH_MASK


@proven_kernel
def digitless_hash(data: Any, start: Any, end: Any) -> Any:
    """Return the hash of the bytes of an attribute without digits; `start` to `end` lie in the data."""
    found = np.int64(n.FNV_START)
    for at in range(start, end):
        byte = np.int64(data[at])
        if not 48 <= byte <= 57:
            found = ((found ^ byte) * n.FNV_PRIME) & n.HASH_MASK
    return found


# Bounds: places are masked, and `seen` has twice MOST_CLASSES rows; the other tables are compared with their length.
@proven_kernel
def number_class(data: Any, start: Any, end: Any, seen: Any, classes: Any, class_tokens: Any, counts: Any) -> Any:
    """Return the number of a class attribute, which is taken apart when it is first seen on the page; 0 if too many."""
    found = span_hash(data, start, end)
    place = found & (2 * MOST_CLASSES - 1)
    while seen[place, 0] != 0 and seen[place, 0] != found:
        place = (place + 1) & (2 * MOST_CLASSES - 1)
    if seen[place, 0] != 0:
        return seen[place, 1]
    number = counts[CLASSES]
    if number >= len(classes):
        return np.int64(0)
    count = counts[CLASS_TOKEN_COUNT]
    classes[number, FIRST_TOKEN] = count
    classes[number, DIGITLESS] = digitless_hash(data, start, end)
    most = min(count + MOST_TOKENS, len(class_tokens))
    counts[CLASS_TOKEN_COUNT] = add_tokens(data, start, end, SALT_CLASS, class_tokens, count, most)
    counts[CLASSES] = number + 1
    if number < MOST_CLASSES:
        seen[place, 0] = found
        seen[place, 1] = number
    return number


@kernel
def is_hidden(data: Any, spans: Any) -> Any:
    """Return whether attributes hide an element: `hidden`, `aria-hidden=true`, `display:none`, `visibility:hidden`."""
    if spans[n.HIDDEN, 0] >= 0:
        return True
    start = spans[n.ARIA_HIDDEN, 0]
    if start >= 0 and spans[n.ARIA_HIDDEN, 1] - start >= 4 and (data[start] | 32) == 116:
        return True
    at = spans[n.STYLE, 0]
    if at < 0:
        return False
    # `y:` ends both properties; the first letter of the value tells the two values that hide from all others.
    end = spans[n.STYLE, 1]
    for place in range(at + 6, end):
        if data[place] == 58 and (data[place - 1] | 32) == 121 and place + 1 < end:
            after = place + 1
            while after + 1 < end and data[after] == 32:
                after += 1
            head = data[after] | 32
            if head == 110 and (data[place - 2] | 32) == 97 and (data[place - 7 + 1] | 32) == 105:
                return True
            if head == 104 and (data[place - 2] | 32) == 116:
                return True
    return False


@kernel
def note(events: Any, counts: Any, kind: Any, start: Any, end: Any) -> Any:
    """Record one statement of the page, as far as there is room."""
    at = counts[EVENTS]
    if at < len(events) and start >= 0 and end > start:
        events[at, KIND] = kind
        events[at, FROM] = start
        events[at, TO] = end
        counts[EVENTS] = at + 1


@kernel
def read_statement(data: Any, tag: Any, spans: Any, numbers: Any, events: Any, counts: Any) -> Any:
    """Record what a meta, link, a, time or html tag says about the page."""
    if tag == n.TAG_META:
        for attribute in (n.PROPERTY, n.NAME, n.ITEMPROP, n.HTTP_EQUIV):
            if spans[attribute, 0] >= 0:
                kind = look_up(numbers, value_hash(data, spans[attribute, 0], spans[attribute, 1]))
                if kind >= 0:
                    note(events, counts, kind, spans[n.CONTENT, 0], spans[n.CONTENT, 1])
                    return
    elif tag == n.TAG_HTML:
        attribute = n.LANG if spans[n.LANG, 0] >= 0 else n.XML_LANG
        note(events, counts, EVENT_LANGUAGE, spans[attribute, 0], spans[attribute, 1])
    elif tag == n.TAG_TIME:
        note(events, counts, EVENT_TIME, spans[n.DATETIME, 0], spans[n.DATETIME, 1])
    elif (tag == n.TAG_LINK or tag == n.TAG_A) and spans[n.HREF, 0] >= 0:
        found = np.int64(0)
        if spans[n.REL, 0] >= 0:
            found = value_hash(data, spans[n.REL, 0], spans[n.REL, 1])
        if found == REL_LICENCE or is_commons(data, spans[n.HREF, 0], spans[n.HREF, 1]):
            note(events, counts, EVENT_LICENCE, spans[n.HREF, 0], spans[n.HREF, 1])
        elif found == REL_CANONICAL and tag == n.TAG_LINK:
            note(events, counts, EVENT_CANONICAL, spans[n.HREF, 0], spans[n.HREF, 1])


JSON_LD = n.name_hash("application/ld+json")


@kernel
def is_json(data: Any, spans: Any) -> Any:
    """Return whether a script holds JSON-LD."""
    return spans[n.TYPE, 0] >= 0 and value_hash(data, spans[n.TYPE, 0], spans[n.TYPE, 1]) == JSON_LD


REL_LICENCE, REL_CANONICAL = n.name_hash("license"), n.name_hash("canonical")


@kernel
def is_commons(data: Any, start: Any, end: Any) -> Any:
    """Return whether an address is one of a Creative Commons licence: `//creativecommons.org/l…` or `/p…`."""
    at = start
    while at + 1 < end and at < start + 8 and not (data[at] == 47 and data[at + 1] == 47):
        at += 1
    at += 2
    if at + 4 < end and data[at] == 119 and data[at + 3] == 46:
        at += 4
    if at + 21 >= end or data[at] != 99 or data[at + 1] != 114 or data[at + 8] != 99 or data[at + 15] != 46:
        return False
    return data[at + 16] == 111 and data[at + 19] == 47 and (data[at + 20] == 108 or data[at + 20] == 112)
