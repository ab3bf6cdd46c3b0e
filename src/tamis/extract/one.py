"""One page of HTML into text, in one call."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field

from tamis.extract.extractor import Extracted, Failure
from tamis.extract.plain import Plain
from tamis.extract.sandbox import Sandbox

DEFAULT = "native"


@dataclass(frozen=True, slots=True)
class _Shared:
    sandbox: Sandbox
    lock: threading.Lock = field(default_factory=threading.Lock)


# One sandbox for each process and extractor; the process is part of the key because locks do not survive a fork.
_shared: dict[tuple[int, str], _Shared] = {}


def extract_html(html: bytes, *, url: str | None = None, extractor: str = DEFAULT) -> Extracted:
    """Return the main text of one page, with its `title`, `language` (the `lang` it states) and `confidence`.

    The charset is found as `tamis.text.encoding` does. A page over which the extractor dies, hangs or raises gives its
    visible text instead, with `confidence` 0 and the reason in `fallback`; empty text means that there is no main
    content. Safe to call from any thread. Raises UnknownNameError for an unknown extractor.
    """
    from tamis.text.encoding import decode

    text = decode(html, header_charset=None).text
    shared = _shared.get((os.getpid(), extractor))
    if shared is None:
        shared = _shared.setdefault((os.getpid(), extractor), _Shared(Sandbox(extractor)))
    with shared.lock:
        outcome = shared.sandbox.extract(text, url)
    if isinstance(outcome, Failure):
        plain = Plain().extract(text, url)
        return Extracted(plain.text, plain.title, plain.language, 0.0, extractor="plain", fallback=outcome.reason)
    return outcome
