"""The one engine that interprets every scheme: bytes, headers, clock and secrets in, a verdict out.

Rules: GW-5 (two-sided window), GW-6 (several secrets), GW-7 (typed refusals, constant time). Whatever the
headers hold, no error leaves `verify`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from contracts.reasons import RefusalReason
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.verification import algorithms, called, templates
from webhook_gateway.domain.verification.keys import Secret
from webhook_gateway.domain.verification.scheme import Scheme, TimestampUnit

Headers = Iterable[tuple[bytes, bytes]]
"""As ASGI hands them over: lower-case names, values as received."""

Values = dict[bytes, list[bytes]]
"""The values of each header by its name."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMESTAMP = re.compile(rb"[0-9]{1,14}")
_MESSAGE_ID = re.compile(rb"[!-\-/-~]{1,255}")
"""Printable ASCII without the full stop, which the signed bytes use as their separator (Standard Webhooks,
"Signature scheme"): with one in the id, two different messages could have the same signed bytes."""


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


@dataclass(frozen=True, slots=True)
class Verified:
    """A delivery that the holder of one of our secrets signed, within the window.

    Attributes:
        scheme: its name.
        signed_at: when the sender signed; None where the scheme signs no time.
        message_id: the signed message id, where the scheme has one.
    """

    scheme: str
    signed_at: datetime | None
    message_id: str | None


@dataclass(frozen=True, slots=True)
class Request:
    """What came, as far as it can be signed: headers by lower-case name, the query, the body."""

    headers: Values
    query: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a delivery says about itself: signatures by signed timestamp, and a message id."""

    signatures: dict[bytes, list[bytes]]
    message_id: bytes


def verify(
    headers: Headers,
    body: bytes,
    accepted: Sequence[AcceptedScheme],
    now: datetime,
    query: bytes = b"",
) -> Verified | Refused:
    """Whether one of the accepted schemes vouches for these bytes.

    A scheme is tried when its signature header is there. Without a live secret for any scheme the fault is
    ours whatever the sender did, so that is said first.
    """
    values: Values = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    live = [_with_live_secrets(candidate, now) for candidate in accepted]
    if not any(candidate.secrets for candidate in live):
        return Refused(RefusalReason.SECRET_NOT_CONFIGURED)
    request = Request(values, query, body)
    tried = [_judge(request, each, now) for each in live if each.scheme.signature_header.encode() in values]
    passed = (verdict for verdict in tried if isinstance(verdict, Verified))
    return next(passed, tried[0] if tried else Refused(RefusalReason.SIGNATURE_MISSING))


def signed_bytes(
    candidate: AcceptedScheme, request: Request, timestamp: bytes, message_id: bytes
) -> list[bytes]:
    """What the sender signed: several candidates where it may have written the URL in several ways.

    None at all where nothing in the signed bytes would vouch for the body.
    """
    scheme = candidate.scheme
    parts = {"id": message_id, "timestamp": timestamp, "body": request.body}
    if not scheme.needs_url:
        return [templates.compose(scheme, parts)]
    parts["url"] = candidate.public_url.encode()
    if "{form}" in scheme.signed:
        content_type = b"".join(request.headers.get(b"content-type", []))
        form = called.form_text(content_type, request.query, request.body)
        if form is None:
            return []
        parts["form"] = form
    urls = called.request_urls(candidate.public_url, request.query)
    return list(dict.fromkeys(templates.compose(scheme, {**parts, "request_url": url}) for url in urls))


def _with_live_secrets(candidate: AcceptedScheme, now: datetime) -> AcceptedScheme:
    if all(s.ends_at is None for s in candidate.secrets):
        return candidate
    return replace(candidate, secrets=tuple(s for s in candidate.secrets if s.is_live(now)))


def _judge(request: Request, candidate: AcceptedScheme, now: datetime) -> Verified | Refused:
    scheme = candidate.scheme
    if not candidate.secrets:
        return Refused(RefusalReason.SECRET_NOT_CONFIGURED)
    claim = _read_claim(request.headers, scheme)
    if claim is None:
        return Refused(RefusalReason.SIGNATURE_MALFORMED)
    vouched = _vouched_timestamps(claim, request, candidate)
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


def _read_claim(values: Values, scheme: Scheme) -> _Claim | None:
    """None when a header is missing, repeated or not of its form."""
    timestamp = _single(values, scheme.timestamp_header, _TIMESTAMP)
    message_id = _single(values, scheme.id_header, _MESSAGE_ID)
    written = values[scheme.signature_header.encode()]
    if timestamp is None or message_id is None or len(written) != 1:
        return None
    try:
        return _Claim(templates.read_signatures(scheme, written[0], timestamp), message_id)
    except templates.MalformedHeaderError:
        return None


def _single(values: Values, name: str | None, pattern: re.Pattern[bytes]) -> bytes | None:
    """The header's one value; empty where the scheme has no such header, None where it is unusable."""
    if name is None:
        return b""
    found = values.get(name.encode(), [])
    return found[0] if len(found) == 1 and pattern.fullmatch(found[0]) else None


def _vouched_timestamps(claim: _Claim, request: Request, candidate: AcceptedScheme) -> list[bytes]:
    """Timestamps that a secret of ours vouches for.

    Every secret is compared with every signature, without stopping at a match: how long it takes tells
    neither which secret is in use nor how much of a guess was right (GW-7).
    """
    scheme = candidate.scheme
    vouched: list[bytes] = []
    for timestamp, signatures in claim.signatures.items():
        for signed in signed_bytes(candidate, request, timestamp, claim.message_id):
            matches = [algorithms.matches(scheme, s.key, signed, signatures) for s in candidate.secrets]
            vouched += [timestamp] * any(matches)
    return vouched


def _within_window(ticks: int, unit: TimestampUnit, window_seconds: int, now: datetime) -> datetime | None:
    """The signed moment, or None when it lies outside the window, in integers however absurd it is."""
    milliseconds = ticks if unit is TimestampUnit.MILLISECONDS else ticks * 1000
    now_milliseconds = (now - _EPOCH) // timedelta(milliseconds=1)
    if abs(milliseconds - now_milliseconds) > window_seconds * 1000:
        return None
    return _EPOCH + timedelta(milliseconds=milliseconds)
