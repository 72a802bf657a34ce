"""Which requests are refused before a route's handler sees them (ALL-9). Pure: no clock, no I/O.

A browser sends requests for every page that it shows, so a port that answers anybody on this machine also
answers every web page that somebody opens there. Three rules close that:

* `Host` names this service. A page whose own name resolves to 127.0.0.1 (DNS rebinding) sends its own name.
* A write does not come from another site. `Sec-Fetch-Site` says so in current browsers, `Origin` in old ones.
* A body is `application/json`. Browsers ask before they send that across sites, but not for `text/plain`.

A program that is no browser sends neither `Sec-Fetch-Site` nor `Origin`, and is served.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from chassis.process.hosts import AllowedHosts, host_name

RawHeaders = Sequence[tuple[bytes, bytes]]
"""Header fields as ASGI has them: names in lower case."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_PAGES = frozenset({"same-origin", "none"})
# Probes and scrapers address a process by its IP address, which a rebound name never shows in `Host`.
_PROBED_PATHS = frozenset({"/health/live", "/health/ready", "/metrics"})


@dataclass(frozen=True, slots=True)
class RequestRefusal:
    """A problem: status, last part of its `type`, and what to do about it."""

    status: int
    kind: str
    detail: str


WRONG_HOST = RequestRefusal(
    421, "host-not-served", "this service does not answer under that Host: add its name to HTTP_HOSTS"
)
CROSS_SITE = RequestRefusal(
    403,
    "cross-site-request",
    "a page of another site may not write here: send the request from this site or a program",
)


def refusal_of(method: str, path: str, headers: RawHeaders, hosts: AllowedHosts) -> RequestRefusal | None:
    """Return why a request is refused; None lets it pass.

    Args:
        method: in capitals.
        path: of the request.
        headers: all of them.
        hosts: under which this service answers.
    """
    stated = _texts(headers, b"host")
    if not _is_for_us(stated, path, hosts):
        return WRONG_HOST
    if method in _SAFE_METHODS:
        return None
    return CROSS_SITE if _is_cross_site(headers, stated[0]) else None


def is_json_if_any(headers: RawHeaders) -> bool:
    """Return whether a request has no body, or says that its body is JSON."""
    return not _has_body(headers) or _is_json(headers)


def is_compressed(headers: RawHeaders) -> bool:
    """Return whether a request says that its body is encoded: nothing is decoded here."""
    codings = {
        coding.strip().lower() for text in _texts(headers, b"content-encoding") for coding in text.split(",")
    }
    return bool(codings - {"", "identity"})


def _is_for_us(stated: Collection[str], path: str, hosts: AllowedHosts) -> bool:
    if len(stated) != 1:
        return False
    host = next(iter(stated))
    return hosts.allow(host) or (path in _PROBED_PATHS and _is_address(host_name(host)))


def _is_cross_site(headers: RawHeaders, host: str) -> bool:
    sites = _texts(headers, b"sec-fetch-site")
    if sites:
        return not _OWN_PAGES.issuperset(sites)
    return any(not _is_same_origin(origin, host) for origin in _texts(headers, b"origin"))


def _is_same_origin(origin: str, host: str) -> bool:
    """Compare hosts and ports only: behind a proxy that ends TLS the service cannot know its own scheme."""
    try:
        return bool(origin) and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _has_body(headers: RawHeaders) -> bool:
    lengths = _texts(headers, b"content-length")
    return bool(_texts(headers, b"transfer-encoding")) or any(length.strip() != "0" for length in lengths)


def _is_json(headers: RawHeaders) -> bool:
    types = _texts(headers, b"content-type")
    return len(types) == 1 and types[0].partition(";")[0].strip().lower() == "application/json"


def _texts(headers: RawHeaders, name: bytes) -> list[str]:
    return [value.decode("latin-1") for field, value in headers if field == name]


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
