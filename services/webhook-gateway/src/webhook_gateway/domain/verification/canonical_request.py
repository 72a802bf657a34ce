"""Builds the parts of a request that senders sign besides the body: URL and form fields (Twilio, Square)."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from itertools import product
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

FORM = "application/x-www-form-urlencoded"

_PORTS = {"https": 443, "http": 80}
# Query parameter by which Twilio vouches for a body that is no form (twilio.com/docs/usage/security).
_BODY_DIGEST = "bodySHA256"

# What may stand in a query bare or escaped without saying anything else (RFC 3986 §3.4). HubSpot signs all
# of them bare (developers.hubspot.com, "Validating requests"), Twilio some.
_BARE = {quote(character, safe=""): character for character in ":/?@!$'()*,;"}
# Twilio escapes these two in the URL that it calls and not in the one that it signs (twilio-node #621).
_CALLER = ("%3A", "%40")
# Some clients and proxies escape the apostrophe, others do not (twilio-node #1059).
_QUOTE = ("%27",)
SPELLED_BYTES_MAX = 64 * 1024
"""Of more signed bytes, only the query as received is tried: each spelling is hashed once per secret."""

_SPELLED = re.compile(rb"%[0-9A-Fa-f]{2}|[:/?@!$'()*,;]")

FORM_FIELDS_MAX = 1000
"""Twilio sends a few dozen. Half a megabyte of `a&a&…` is 260,000, and reading it holds everybody up."""
FORM_ESCAPES_MAX = 50_000
"""Percent signs of a form that nobody has vouched for yet: each takes as long to read as a short field."""


def request_urls(public_url: str, query: bytes, *, respelled: bool = True) -> tuple[bytes, ...]:
    """Return the URL that was called, in the ways in which the sender may have written it; as received first.

    Never with user name and password; over HTTPS without the port, also one that is not the default
    (twilio.com/docs/usage/security); Twilio's own packages take either, and so does this.

    Args:
        public_url: as the sender knows it, without query and fragment.
        query: of this request, as received.
        respelled: whether other spellings of the query count too.
    """
    split = urlsplit(public_url)
    default = _PORTS.get(split.scheme)
    place = split.netloc.rpartition("@")[2]
    host = place if split.port is None else place.rpartition(":")[0]
    with_port = f"{host}:{split.port or default}"
    is_dropped = split.scheme == "https" or split.port in {None, default}
    netlocs = [host, with_port] if is_dropped else [with_port]
    places = [split._replace(netloc=netloc).geturl().encode() for netloc in netlocs]
    spellings = query_spellings(query) if respelled else [query]
    return tuple(place + (b"?" + each if each else b"") for each in spellings for place in places)


def query_spellings(query: bytes) -> list[bytes]:
    """Return the query as received, then with characters escaped that came bare and the reverse; 11 at most.

    Only characters of `_BARE` are written anew: what the query says stays the same.
    """
    if not _SPELLED.search(query):
        return [query]
    return list(dict.fromkeys(_respell(query, each) for each in _RESPELLINGS))


def _spelled_ways(escapes: Iterable[str]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Return replacements that leave these characters as they came, make them bare, escape them."""
    bare = {escape: _BARE[escape] for escape in escapes}
    return {}, bare, {character: escape for escape, character in bare.items()}


_RESPELLINGS = [
    *(caller | apostrophe for caller, apostrophe in product(_spelled_ways(_CALLER), _spelled_ways(_QUOTE))),
    *_spelled_ways(_BARE)[1:],
]


def _respell(query: bytes, replacements: dict[str, str]) -> bytes:
    """Return the query with the replacements; escapes are found however their digits are written."""

    def replaced(match: re.Match[bytes]) -> bytes:
        written = match[0].decode("latin-1")
        return replacements.get(written.upper(), written).encode("latin-1")

    return _SPELLED.sub(replaced, query) if replacements else query


def form_text(content_type: bytes, query: bytes, body: bytes) -> bytes | None:
    """Return a form's names and values, sorted and joined; empty for a body with its digest in the query.

    A digest in the query decides, whatever the body is called: nobody signs its type. None for a body that
    neither stands in the signed bytes nor has its digest in the signed URL: nobody vouches for it. None also
    for a form or query of more than any sender writes: whoever sent it has proven nothing yet.
    """
    try:
        asked = parse_qs(query.decode("latin-1"), keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX)
    except ValueError:
        return None
    digests = asked.get(_BODY_DIGEST, [])
    if not digests and is_form(content_type):
        return _run_together(body)
    expected = hashlib.sha256(body).hexdigest().encode()
    vouched = len(digests) == 1 and hmac.compare_digest(digests[0].lower().encode(), expected)
    return b"" if vouched else None


def is_form(content_type: bytes) -> bool:
    """Return whether the body is `application/x-www-form-urlencoded`."""
    return content_type.split(b";")[0].strip().lower() == FORM.encode()


def _run_together(body: bytes) -> bytes | None:
    """Join each value once per name, in ascending order, as Twilio's own libraries do.

    The text is UTF-8, percent-encoded or not; whatever is no UTF-8 stays the bytes that it is.
    """
    if body.count(b"%") > FORM_ESCAPES_MAX:
        return None
    written = body.decode(errors="surrogateescape")
    try:
        fields = parse_qsl(
            written, keep_blank_values=True, errors="surrogateescape", max_num_fields=FORM_FIELDS_MAX
        )
    except ValueError:
        return None
    return "".join(name + value for name, value in sorted(set(fields))).encode(errors="surrogateescape")
