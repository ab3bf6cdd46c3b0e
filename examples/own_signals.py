"""What 05_import.py's recipe imports: a signal over a batch, a slow-lane function and a chain of one's own."""

import pyarrow.compute as pc

from tamis import Chain, keep, per_document, signal
from tamis.filters.registry import add_chain


@signal
def exclamation_count(text):
    """Exclamation marks."""
    return pc.count_substring(text, "!")


@per_document
def first_line_chars(text):
    """Code points of the first line."""
    return len(text.partition("\n")[0])


def calm(most: float = 3.0) -> Chain:
    """Keep documents that do not shout."""
    return Chain(keep(exclamation_count, at_most=most), name="calm")


add_chain("calm", calm)
