"""ARC, the format before WARC: one header line a record (archive.org/web/researcher/ArcFileFormat.php)."""

from __future__ import annotations

import re

from tamis.warc.header import MAX_HEADER, Format, Header

# URL, IP address, date, type, …, length. URLs of old crawlers hold blanks; versions 1 and 2 differ in the middle.
_LINE = re.compile(
    rb"([a-zA-Z][a-zA-Z0-9+.-]{1,20}:[^\r\n]{1,4096}?) ([0-9a-fA-F.:]{2,45}) "
    rb"(\d{8,18}) ([^\r\n]{0,1024} )?(\d{1,18})\r?\n"
)


def parse(data: bytes) -> Header | None:
    """Return the header of the ARC record that `data` starts with, or None where there is no sane one.

    Records of http(s) URLs are responses, `filedesc:` records are warcinfo, others (dns: …) resources.
    """
    line = _LINE.match(data, 0, MAX_HEADER)
    if line is None:
        return None
    url = line[1].decode("utf-8", "replace")
    http = url[:5].lower().startswith("http")
    kind = "response" if http else "warcinfo" if url.startswith("filedesc:") else "resource"
    return Header(line.end(), kind, url, _date(line[3].decode()), int(line[5]), http, "")


def _date(digits: str) -> str | None:
    """Return a date of 14 digits as WARC writes it."""
    if len(digits) != 14:
        return None
    day = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"
    return f"{day}T{digits[8:10]}:{digits[10:12]}:{digits[12:]}Z"


ARC = Format("arc", parse, re.compile(rb"(?:filedesc|https?|dns):"), re.compile(rb"(?<=\n)(?:https?|dns|filedesc):"))
