"""Refuse requests by `Host`, `Origin` and `Sec-Fetch-Site` before routing (ALL-9). Pure: no clock, no I/O.

A browser sends requests for every page that it shows. A port that answers every caller on this machine also
answers every web page that is open there. Two rules prevent that; a third one, that a body is
`application/json`, is in `json_bodies`: browsers ask before they send that type across sites.

* `Host` names this service. A page whose own name resolves to 127.0.0.1 (DNS rebinding) sends its own name.
* A write does not come from another site. Current browsers say so in `Sec-Fetch-Site`, old ones in `Origin`.

A program that is no browser sends neither `Sec-Fetch-Site` nor `Origin`, and is served.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from chassis.process.hosts import AllowedHosts, host_name

# Header fields as ASGI has them: names in lower case.
RawHeaders = Sequence[tuple[bytes, bytes]]

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITE = frozenset({"same-origin", "none"})
# Probes and scrapers address a process by its IP address, which a rebound name never shows in `Host`.
_PROBED_PATHS = frozenset({"/health/live", "/health/ready", "/metrics"})


@dataclass(frozen=True, slots=True)
class RequestRefusal:
    """Status, kind and detail of a problem."""

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
    """Return why a request is refused, or None.

    Args:
        method: in capitals.
        path: of the request.
        headers: all of them.
        hosts: names under which this service answers.
    """
    host_values = header_values(headers, b"host")
    if not _is_our_host(host_values, path, hosts):
        return WRONG_HOST
    if method in _SAFE_METHODS:
        return None
    return CROSS_SITE if _is_cross_site(headers, host_values[0]) else None


def header_values(headers: RawHeaders, name: bytes) -> list[str]:
    """Return the values of all fields with this name (in lower case), in order."""
    return [value.decode("latin-1") for field, value in headers if field == name]


def _is_our_host(values: Collection[str], path: str, hosts: AllowedHosts) -> bool:
    if len(values) != 1:
        return False
    host = next(iter(values))
    return hosts.allow(host) or (path in _PROBED_PATHS and _is_address(host_name(host)))


def _is_cross_site(headers: RawHeaders, host: str) -> bool:
    sites = header_values(headers, b"sec-fetch-site")
    if sites:
        return not _OWN_SITE.issuperset(sites)
    return any(not _is_same_origin(origin, host) for origin in header_values(headers, b"origin"))


def _is_same_origin(origin: str, host: str) -> bool:
    # Hosts and ports only: behind a proxy that ends TLS the service cannot know its own scheme.
    try:
        return bool(origin) and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
