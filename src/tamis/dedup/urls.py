"""URL duplicates: pages that are one page by their address, whatever their text."""

from __future__ import annotations

from urllib.parse import urlsplit

import pyarrow as pa
import xxhash

# Parameters that say where a visitor came from, never what the page is.
_TRACKING = ("utm_", "gclid=", "fbclid=", "msclkid=", "mc_cid=", "mc_eid=", "yclid=", "igshid=")
_PORTS = (":80", ":443")


def normal(url: str) -> str | None:
    """Return what two addresses of one page share: host, path and query, without scheme, user, fragment or tracking.

    Case counts in path and query, and so does their order: a server may tell them apart. None where there is no host.
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2].lower().rstrip(".")
    for port in _PORTS:
        host = host.removesuffix(port)
    query = "&".join(one for one in parts.query.split("&") if one and not one.startswith(_TRACKING))
    return f"{host}{parts.path or '/'}{'?' if query else ''}{query}" if host else None


def url_keys(urls: pa.Array) -> pa.FixedSizeBinaryArray:
    """Return the xxh3-128 of each normal URL, binary(16); null where there is none. Read as `exact` keys are."""
    found = [normal(url) if url else None for url in urls.to_pylist()]
    return pa.array([None if one is None else xxhash.xxh3_128_digest(one.encode()) for one in found], pa.binary(16))
