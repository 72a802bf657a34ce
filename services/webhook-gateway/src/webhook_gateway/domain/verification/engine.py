"""The one engine that interprets every scheme: bytes, headers, clock and secrets in, a verdict out.

Rules: GW-5 (two-sided window), GW-6 (several secrets), GW-7 (typed refusals, constant time). Whatever the
headers hold, no error leaves `verify`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from contracts.reasons import RefusalReason
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.verification import algorithms, canonical_request, templates
from webhook_gateway.domain.verification.keys import Secret
from webhook_gateway.domain.verification.scheme import Scheme, TimestampUnit

# As ASGI hands them over: lower-case names, values as received.
Headers = Sequence[tuple[bytes, bytes]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_TIMESTAMP = re.compile(rb"[0-9]{1,14}")
# Printable ASCII without the full stop, which the signed bytes use as their separator (Standard Webhooks,
# "Signature scheme"): with one in the id, two different messages could have the same signed bytes.
_MESSAGE_ID = re.compile(rb"[!-\-/-~]{1,255}")


@dataclass(frozen=True, slots=True)
class AcceptedScheme:
    """A scheme a source accepts, with the secrets that may have signed.

    Attributes:
        variable: the environment variable that the secrets come from.
        public_url: what the sender knows us by, where the scheme signs it.
    """

    scheme: Scheme
    secrets: tuple[Secret, ...]
    variable: str = ""
    public_url: str = ""


class Verified(msgspec.Struct, frozen=True):
    """A delivery that the holder of one of our secrets signed, within the window.

    Attributes:
        scheme: its name.
        signed_at: when the sender signed; None where the scheme signs no time.
        message_id: the signed message id, where the scheme has one.
    """

    scheme: str
    signed_at: datetime | None
    message_id: str | None


class Request(msgspec.Struct, frozen=True):
    """The parts of a request that can be signed."""

    headers: Headers
    query: bytes
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of all headers of that name."""
        return [value for each, value in self.headers if each == name]


class _Claim(msgspec.Struct, frozen=True):
    """The signature headers of a delivery: signatures by signed timestamp, and the message id."""

    signatures: dict[bytes, list[bytes]]
    message_id: bytes


def verify(
    headers: Headers,
    body: bytes,
    accepted: Sequence[AcceptedScheme],
    now: datetime,
    query: bytes = b"",
) -> Verified | Refused:
    """Verify a delivery against the accepted schemes.

    A scheme is tried when its signature header is there. Without a live secret for any scheme the fault is
    ours whatever the sender did, so that is said first.
    """
    request = Request(headers, query, body)
    is_configured = False
    tried: list[Verified | Refused] = []
    for each in accepted:
        keys = [secret.key for secret in each.secrets if secret.is_live(now)]
        is_configured = is_configured or bool(keys)
        written = request.values(templates.compile_scheme(each.scheme).signature_header)
        # All are verified, also after a success, so that the duration reveals nothing about secrets (GW-7).
        if written:
            tried.append(_classify(request, each, keys, written, now))
    if not is_configured:
        return Refused(RefusalReason.SECRET_NOT_CONFIGURED)
    for verdict in tried:
        if isinstance(verdict, Verified):
            return verdict
    return tried[0] if tried else Refused(RefusalReason.SIGNATURE_MISSING)


def signed_bytes(
    candidate: AcceptedScheme, request: Request, timestamp: bytes, message_id: bytes
) -> list[bytes]:
    """Return the bytes that the sender may have signed, one for each spelling of the URL.

    None at all where nothing in the signed bytes would vouch for the body.
    """
    scheme, compiled = candidate.scheme, templates.compile_scheme(candidate.scheme)
    parts = {b"id": message_id, b"timestamp": timestamp, b"body": request.body}
    if not compiled.signs_request:
        return [compiled.signed % parts]
    parts[b"url"] = candidate.public_url.encode()
    signs_query = "{request_url}" in scheme.signed
    query = request.query if signs_query else b""  # a digest in a query that nobody signs vouches for nothing
    if "{form}" in scheme.signed:
        content_type = b"".join(request.values(b"content-type"))
        form = canonical_request.form_text(content_type, query, request.body)
        if form is None:
            return []
        parts[b"form"] = form
    is_short = len(query) + len(request.body) <= canonical_request.SPELLED_BYTES_MAX
    urls = (
        canonical_request.request_urls(candidate.public_url, query, respelled=is_short)
        if signs_query
        else (b"",)
    )
    return [compiled.signed % {**parts, b"request_url": url} for url in urls]


def _classify(
    request: Request, candidate: AcceptedScheme, keys: Sequence[bytes], written: list[bytes], now: datetime
) -> Verified | Refused:
    """Verify a delivery against one scheme; `written` are the values of its signature header."""
    scheme = candidate.scheme
    if not keys:
        return Refused(RefusalReason.SECRET_NOT_CONFIGURED)
    claim = _read_claim(request, scheme, written)
    if claim is None:
        return Refused(RefusalReason.SIGNATURE_MALFORMED)
    vouched = _vouched_timestamps(claim, request, candidate, keys)
    if not vouched:
        return Refused(RefusalReason.SIGNATURE_MISMATCH)
    message_id = claim.message_id.decode() or None
    if scheme.timestamp_unit is None:
        return Verified(scheme.name, None, message_id)
    for timestamp in vouched:
        signed_at = _within_window(int(timestamp), scheme.timestamp_unit, scheme.window_seconds_max, now)
        if signed_at is not None:
            return Verified(scheme.name, signed_at, message_id)
    return Refused(RefusalReason.TIMESTAMP_OUTSIDE_WINDOW)


def _read_claim(request: Request, scheme: Scheme, written: list[bytes]) -> _Claim | None:
    """Return what the headers say; None when one is missing, repeated (a list may be) or not of its form."""
    form = templates.compile_scheme(scheme)
    timestamp = _single(request, form.timestamp_header, _TIMESTAMP) if form.timestamp_header else b""
    message_id = _single(request, form.id_header, _MESSAGE_ID) if form.id_header else b""
    value = templates.combine_lines(written, form.separator)
    if timestamp is None or message_id is None or value is None:
        return None
    try:
        return _Claim(templates.read_signatures(scheme, value, timestamp), message_id)
    except templates.MalformedHeaderError:
        return None


def _single(request: Request, name: bytes, pattern: re.Pattern[bytes]) -> bytes | None:
    """Return the header's only value; None if it is missing, repeated or malformed."""
    values = request.values(name)
    return values[0] if len(values) == 1 and pattern.fullmatch(values[0]) else None


def _vouched_timestamps(
    claim: _Claim, request: Request, candidate: AcceptedScheme, keys: Sequence[bytes]
) -> list[bytes]:
    """Return the timestamps that were signed with one of our secrets.

    Every secret is compared with every signature, without stopping at a match: how long it takes tells
    neither which secret is in use nor how much of a guess was right (GW-7).
    """
    scheme = candidate.scheme
    vouched: list[bytes] = []
    for timestamp, signatures in claim.signatures.items():
        for signed in signed_bytes(candidate, request, timestamp, claim.message_id):
            matches = [algorithms.matches(scheme, key, signed, signatures) for key in keys]
            vouched += [timestamp] * any(matches)
    return vouched


def _within_window(ticks: int, unit: TimestampUnit, window_seconds: int, now: datetime) -> datetime | None:
    """Return the signed time, or None outside the window. Any integer is accepted."""
    milliseconds = ticks if unit is TimestampUnit.MILLISECONDS else ticks * 1000
    now_milliseconds = (now - _EPOCH) // _MILLISECOND
    if abs(milliseconds - now_milliseconds) > window_seconds * 1000:
        return None
    return _EPOCH + milliseconds * _MILLISECOND
