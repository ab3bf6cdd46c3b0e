"""The columns of the tables that the scanner fills: elements, blocks, events and counts, all int64."""

from __future__ import annotations

# Columns of an element: its parent, tag, context bits, first token but those of its class, hash of its tag path, hash
# of its tag and class path, nearest block-level and nearest sectioning element (itself included), depth, class.
PARENT, TAG, CONTEXT, TOKENS, TAG_PATH, CLASS_PATH, BLOCK, SECTION, DEPTH, CLASS = range(10)
ELEMENT_COLUMNS = 10
# Columns of a class attribute: its first token, the hash of its bytes without digits.
FIRST_TOKEN, DIGITLESS = range(2)
CLASS_COLUMNS = 2
# Columns of a block: its span of the text, innermost element at its beginning, bytes inside links, links, and place
# in the source.
START, END, ELEMENT, LINK_BYTES, LINKS, SOURCE = range(6)
BLOCK_COLUMNS = 6
# Columns of an event; its kinds are the statements', then these.
KIND, FROM, TO = range(3)
EVENT_TITLE, EVENT_LANGUAGE, EVENT_LICENCE, EVENT_CANONICAL, EVENT_TIME, EVENT_JSON = range(100, 106)
# What was counted.
ELEMENTS, TOKEN_COUNT, BLOCKS, EVENTS, TEXT_BYTES, CLASSES, CLASS_TOKEN_COUNT = range(7)
COUNTS = 7
