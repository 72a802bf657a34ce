"""What a sender signs of a request besides its body: the URL it called, a form's fields (Twilio, Square)."""

import hashlib
import hmac
from urllib.parse import parse_qs, parse_qsl, urlsplit

FORM = "application/x-www-form-urlencoded"

_PORTS = {"https": 443, "http": 80}
_BODY_DIGEST = "bodySHA256"
"""Query parameter by which Twilio vouches for a body that is no form (twilio.com/docs/usage/security)."""

FORM_FIELDS_MAX = 1000
"""Twilio sends a few dozen. Half a megabyte of `a&a&…` is 260,000, and reading it holds everybody up."""
FORM_ESCAPES_MAX = 50_000
"""Percent signs of a form that nobody has vouched for yet: each takes as long to read as a short field."""


def request_urls(public_url: str, query: bytes) -> tuple[bytes, ...]:
    """The URL that was called, in the ways in which Twilio may have written it.

    Never with user name and password; over HTTPS without the port, also one that is not the default
    (twilio.com/docs/usage/security); its own packages take either, and so does this.

    Args:
        public_url: as the sender knows it, without query and fragment.
        query: of this request, as received.
    """
    split = urlsplit(public_url)
    default = _PORTS.get(split.scheme)
    place = split.netloc.rpartition("@")[2]
    host = place if split.port is None else place.rpartition(":")[0]
    with_port = f"{host}:{split.port or default}"
    is_dropped = split.scheme == "https" or split.port in {None, default}
    asked = b"?" + query if query else b""
    netlocs = [host, with_port] if is_dropped else [with_port]
    return tuple(split._replace(netloc=netloc).geturl().encode() + asked for netloc in netlocs)


def form_text(content_type: bytes, query: bytes, body: bytes) -> bytes | None:
    """A form's names and values, sorted and run together; empty for a body whose digest is in the query.

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
    """Whether the body is `application/x-www-form-urlencoded`."""
    return content_type.split(b";")[0].strip().lower() == FORM.encode()


def _run_together(body: bytes) -> bytes | None:
    """Each value once per name, names and values in ascending order, as Twilio's own libraries do.

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
