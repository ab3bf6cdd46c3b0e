"""One streaming pass over the bytes of a page, no tree: elements, blocks of text and the page's own statements.

The tokenizer follows the WHATWG HTML Standard (13.2.5); of tree construction (13.2.6) it keeps what decides which
text stands in which element: implied end tags, void, raw and foreign elements, scopes. How we differ: nothing is
moved (no adoption agency, no foster parenting), `<noscript>` is read, elements below `MAX_DEPTH` are not entered
(their text counts to the deepest one that is), and a page of very many blocks has its later ones joined.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.extract.native import layout
from tamis.extract.native import names as n
from tamis.extract.native.markup import (
    bogus_end,
    comment_end,
    is_letter,
    is_space,
    look_up,
    raw_end,
    read_attributes,
    read_reference,
)
from tamis.extract.native.tags import (
    MOST_CLASSES,
    MOST_TOKENS,
    SALT_ID,
    SALT_ITEM,
    SALT_ROLE,
    add_tokens,
    is_hidden,
    is_json,
    note,
    number_class,
    path_hash,
    read_statement,
)
from tamis.extract.native.words import (
    ONES,
    PADDING,
    first,
    is_blank,
    is_byte,
    load,
    read_word,
    skip_blank,
    store,
)
from tamis.text.kernel import proven_kernel

# Elements open at once; Chrome's parser has the same bound.
MAX_DEPTH = 512
# An end tag, stated or implied, is looked for in so many open elements: a page of nothing else costs seconds otherwise.
FARTHEST = 96
# From so many blocks on, one ends only when it has so many bytes: a page of 16 million `<p>` costs seconds otherwise.
BLOCK_STEPS = ((8_192, 0), (16_384, 512), (1 << 62, 16_384))
MAX_ELEMENTS = 1 << 20
MAX_TOKENS = 1 << 22
MAX_EVENTS = 64
_AMPERSANDS, _LESS_THANS = 0x26 * ONES, 0x3C * ONES
# 0xC2 begins the no-break space and the soft hyphen.
_C2S = -0x3D3D3D3D3D3D3D3E


# Bounds: a source byte is read after a comparison with `end`, the end of the page, or as a word; `depth` is compared
# with MAX_DEPTH before it grows; rows of elements, classes, tokens and blocks are compared with their tables before
# they are written; no reference is longer than 6/5 of its name, a separator stands for a byte at least, and `text` has
# 6/5 of the bytes and 64.
@proven_kernel
def scan(  # long: one state machine; split, its twenty variables travel in arrays and it runs at half the speed
    data: Any,
    table: Any,
    numbers: Any,
    attributes: Any,
    statements: Any,
    places: Any,
    references: Any,
    windows: Any,
    text: Any,
    elements: Any,
    tokens: Any,
    classes: Any,
    class_tokens: Any,
    blocks: Any,
    events: Any,
    counts: Any,
) -> Any:
    """Scan `data` (UTF-8, uint8) into `text` and the tables described above; `counts` says how much of each is used.

    After the page, `data` has PADDING zeros. `text` needs 6/5 of its bytes and 64, `elements` a row per `<` and one
    more, up to MAX_ELEMENTS. Element 0 is the page, class 0 that of elements without.
    """
    end = len(data) - PADDING
    tags = np.empty(MAX_DEPTH, np.int64)
    hashes = np.empty(MAX_DEPTH, np.int64)
    rows = np.empty(MAX_DEPTH, np.int64)
    contexts = np.empty(MAX_DEPTH, np.int64)
    opened = np.zeros(len(table), np.int64)
    spans = np.empty((n.ATTRIBUTE_COUNT, 2), np.int64)
    scratch = np.empty(64, np.uint8)
    seen = np.zeros((2 * MOST_CLASSES, 2), np.int64)
    counts[:] = 0
    classes[0] = 0
    counts[layout.CLASSES] = 1
    elements[0] = 0
    elements[0, layout.PARENT] = -1
    elements[0, layout.TAG_PATH] = elements[0, layout.CLASS_PATH] = n.FNV_START
    tags[0] = hashes[0] = rows[0] = contexts[0] = 0
    element_count, token_count, block_count = 1, 0, 0
    depth = overflow = 0
    skip_tag = skip_depth = 0
    at = out = 0
    pending = True
    separator = 0
    links = counted_links = 0
    titled = False
    while at < end:
        context = contexts[depth]
        pre = context & n.IN_PRE != 0
        begun = out
        while at < end and skip_tag == 0:
            byte = data[at]
            if byte == 60 and at + 1 < end:
                following = data[at + 1]
                if is_letter(following) or following == 47 or following == 33 or following == 63:
                    break
            if byte <= 32:
                at += 1
                if not is_space(byte):
                    continue
                if pre and not pending and block_count > 0:
                    if byte != 13:
                        text[out] = byte
                        out += 1
                else:
                    if separator == 0:
                        separator = 1
                    if not pre and at < end and data[at] <= 32:
                        at = skip_blank(data, at, end)
                continue
            length = 0
            after = at + 1
            if byte == 38:
                after, length = read_reference(data, at, end, places, references, windows, scratch)
                byte = scratch[0]
                follows = scratch[1]
            elif byte == 0xC2 and at + 1 < end:
                follows = data[at + 1]
                if follows == 0xA0 or follows == 0xAD:
                    scratch[0] = byte
                    scratch[1] = follows
                    length = 2
                    after = at + 2
            if length and byte == 0xC2 and (follows == 0xA0 or follows == 0xAD):
                if follows == 0xA0 and separator == 0:
                    separator = 1
                at = after
                continue
            if length == 1 and byte <= 32 and (not pre or not is_space(byte)):
                if separator == 0 and is_space(byte):
                    separator = 1
                at = after
                continue
            if pending:
                least = 0
                for step in range(len(BLOCK_STEPS)):
                    least = BLOCK_STEPS[step][1]
                    if block_count < BLOCK_STEPS[step][0]:
                        break
                full = block_count >= len(blocks)
                if block_count > 0 and (full or out - blocks[block_count - 1, layout.START] < least):
                    separator = 2
                else:
                    if block_count > 0:
                        close = out
                        while close > blocks[block_count - 1, layout.START] and text[close - 1] <= 32:
                            close -= 1
                        blocks[block_count - 1, layout.END] = close
                    blocks[block_count, layout.START] = begun = out
                    blocks[block_count, layout.ELEMENT] = rows[depth]
                    blocks[block_count, layout.LINK_BYTES] = 0
                    blocks[block_count, layout.LINKS] = 0
                    blocks[block_count, layout.SOURCE] = at
                    block_count += 1
                    separator = 0
                pending = False
            if separator:
                text[out] = 32 if separator == 1 else 10
                out += 1
                separator = 0
            if length:
                for step in range(length):
                    text[out + step] = scratch[step]
                out += length
                at = after
                continue
            text[out] = byte
            out += 1
            at += 1
            while at < end:
                word = load(data, at)
                store(text, out, word)
                marks = is_blank(word) | is_byte(word, _LESS_THANS) | is_byte(word, _AMPERSANDS) | is_byte(word, _C2S)
                if marks:
                    length = first(marks)
                    out += length
                    at += length
                    break
                out += 8
                at += 8
        if out > begun and context & n.IN_LINK:
            blocks[block_count - 1, layout.LINK_BYTES] += out - begun
            if links != counted_links:
                blocks[block_count - 1, layout.LINKS] += 1
                counted_links = links
        if at >= end:
            break
        if data[at] != 60 or at + 1 >= end:
            at += 1
            continue
        following = data[at + 1]
        if following == 33:
            if at + 3 < end and data[at + 2] == 45 and data[at + 3] == 45:
                at = comment_end(data, at + 4, end)
            else:
                at = bogus_end(data, at + 2, end)
            continue
        if following == 63:
            at = bogus_end(data, at + 2, end)
            continue
        if following == 47:
            if at + 2 >= end or not is_letter(data[at + 2]):
                at = bogus_end(data, at + 2, end)
                continue
            name, at = read_word(data, at + 2, end, False)
            if at < end and data[at] == 62:
                at += 1
            else:
                at, closing = read_attributes(data, at, end, attributes, spans)
            tag = max(look_up(numbers, name), 0)
            kind = table[tag, n.KIND]
            if skip_tag:
                if tag == skip_tag:
                    skip_depth -= 1
                    if skip_depth == 0:
                        skip_tag = 0
                continue
            if kind == n.BLOCK or tag == n.TAG_BR:
                pending = True
            if overflow:
                overflow -= 1
                continue
            if tag and opened[tag] == 0:
                continue
            if tag == n.TAG_HTML or tag == n.TAG_BODY or tag == n.TAG_BR:
                continue
            stop = n.GROUP_BLOCK
            if kind == n.BLOCK:
                stop = n.GROUP_TABLE if table[tag, n.GROUP] & n.GROUP_TABLES else n.GROUP_SCOPE
            place = depth
            least = max(depth - FARTHEST, 0)
            while place > least and hashes[place] != name and not table[tags[place], n.GROUP] & stop:
                place -= 1
            if place > least and hashes[place] == name:
                while depth >= place:
                    opened[tags[depth]] -= 1
                    if table[tags[depth], n.KIND] == n.BLOCK:
                        pending = True
                    depth -= 1
            elif tag == n.TAG_A:
                for place in range(least + 1, depth + 1):
                    contexts[place] &= ~n.IN_LINK
            continue
        if not is_letter(following):
            at += 1
            continue
        name, after = read_word(data, at + 1, end, False)
        at, closing = read_attributes(data, after, end, attributes, spans)
        tag = max(look_up(numbers, name), 0)
        kind = table[tag, n.KIND]
        if skip_tag:
            if tag == skip_tag:
                skip_depth += 0 if closing else 1
                continue
            if kind == n.BLOCK and table[skip_tag, n.KIND] == n.SKIP_BREAKOUT and tag != n.TAG_HEAD:
                skip_tag = 0
            else:
                if kind == n.RAW and not closing:
                    at = raw_end(data, at, end, name, tag == n.TAG_SCRIPT)
                continue
        read_statement(data, tag, spans, statements, events, counts)
        if kind == n.RAW:
            after = raw_end(data, at, end, name, tag == n.TAG_SCRIPT)
            if tag == n.TAG_TITLE and not titled:
                note(events, counts, layout.EVENT_TITLE, at, after)
                titled = True
            elif tag == n.TAG_SCRIPT and is_json(data, spans):
                note(events, counts, layout.EVENT_JSON, at, after)
            at = after
            continue
        closes = table[tag, n.CLOSES]
        if closes and not overflow:
            until = table[tag, n.UNTIL]
            place = depth
            least = max(depth - FARTHEST, 0)
            found = 0
            while place > least:
                group = table[tags[place], n.GROUP]
                if group & closes:
                    found = place
                elif group & until:
                    break
                if group & n.GROUP_BLOCK and closes & ~n.GROUP_TABLES == n.GROUP_P | (closes & n.GROUP_HEADING):
                    break
                place -= 1
            if found:
                while depth >= found:
                    opened[tags[depth]] -= 1
                    if table[tags[depth], n.KIND] == n.BLOCK:
                        pending = True
                    depth -= 1
        if kind == n.VOID:
            if tag == n.TAG_BR:
                if separator == 2:
                    pending = True
                separator = 2
            continue
        if kind == n.VOID_BLOCK:
            pending = True
            continue
        if kind == n.SKIP or kind == n.SKIP_BREAKOUT:
            if not (closing and (tag == n.TAG_SVG or tag == n.TAG_MATH)):
                skip_tag = tag
                skip_depth = 1
            continue
        if kind == n.BLOCK:
            pending = True
        if (tag == n.TAG_HTML or tag == n.TAG_BODY or tag == n.TAG_HEAD) and opened[tag]:
            continue
        if depth + 1 >= MAX_DEPTH:
            overflow += 1
            continue
        above = rows[depth]
        row = above
        context = contexts[depth] | table[tag, n.CONTEXT]
        if is_hidden(data, spans):
            context |= n.IN_HIDDEN
        if tag == n.TAG_A:
            links += 1
        if element_count < len(elements):
            row = element_count
            element_count += 1
            elements[row, layout.PARENT] = above
            elements[row, layout.TAG] = tag
            elements[row, layout.CONTEXT] = context
            elements[row, layout.TOKENS] = token_count
            elements[row, layout.DEPTH] = depth + 1
            elements[row, layout.BLOCK] = row if kind == n.BLOCK else elements[above, layout.BLOCK]
            elements[row, layout.SECTION] = (
                row if table[tag, n.CONTEXT] & n.SECTIONING else elements[above, layout.SECTION]
            )
            number = 0
            start, stop = spans[n.CLASS, 0], spans[n.CLASS, 1]
            if 0 <= start < stop:
                number = number_class(data, start, stop, seen, classes, class_tokens, counts)
            elements[row, layout.CLASS] = number
            most = min(token_count + MOST_TOKENS, len(tokens))
            if spans[n.ID, 0] >= 0:
                token_count = add_tokens(data, spans[n.ID, 0], spans[n.ID, 1], SALT_ID, tokens, token_count, most)
            if spans[n.ROLE, 0] >= 0:
                token_count = add_tokens(data, spans[n.ROLE, 0], spans[n.ROLE, 1], SALT_ROLE, tokens, token_count, most)
            if spans[n.ITEMPROP, 0] >= 0:
                place = spans[n.ITEMPROP, 0]
                token_count = add_tokens(data, place, spans[n.ITEMPROP, 1], SALT_ITEM, tokens, token_count, most)
            elements[row, layout.TAG_PATH] = path_hash(elements[above, layout.TAG_PATH], name)
            path = path_hash(elements[above, layout.CLASS_PATH], name)
            elements[row, layout.CLASS_PATH] = path_hash(path, classes[number, layout.DIGITLESS]) if number else path
        depth += 1
        tags[depth] = tag
        hashes[depth] = name
        rows[depth] = row
        contexts[depth] = context
        opened[tag] += 1
    if block_count > 0:
        while out > blocks[block_count - 1, layout.START] and text[out - 1] <= 32:
            out -= 1
        blocks[block_count - 1, layout.END] = out
    counts[layout.ELEMENTS] = element_count
    counts[layout.TOKEN_COUNT] = token_count
    counts[layout.BLOCKS] = block_count
    counts[layout.TEXT_BYTES] = out
