"""The columns of the tables that the scanner fills: elements, blocks, events and counts, all int64."""

from __future__ import annotations

# Columns of an element: its parent, tag, context bits, first token, hash of its tag path, hash of its tag and class
# path, nearest block-level and nearest sectioning element (itself included), depth.
PARENT, TAG, CONTEXT, TOKENS, TAG_PATH, CLASS_PATH, BLOCK, SECTION, DEPTH = range(9)
ELEMENT_COLUMNS = 9
# Columns of a block: its span of the text, innermost element at its beginning, bytes inside links, links, and place
# in the source.
START, END, ELEMENT, LINK_BYTES, LINKS, SOURCE = range(6)
BLOCK_COLUMNS = 6
# Columns of an event; its kinds are the statements', then these.
KIND, FROM, TO = range(3)
EVENT_TITLE, EVENT_LANGUAGE, EVENT_LICENCE, EVENT_CANONICAL, EVENT_TIME, EVENT_JSON = range(100, 106)
# What was counted.
ELEMENTS, TOKEN_COUNT, BLOCKS, EVENTS, TEXT_BYTES = range(5)
