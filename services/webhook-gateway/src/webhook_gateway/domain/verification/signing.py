"""The sender's side of a scheme: what the engine accepts, written by the same description."""

from datetime import UTC, datetime, timedelta

from webhook_gateway.domain.verification.engine import signature
from webhook_gateway.domain.verification.keys import Secret
from webhook_gateway.domain.verification.scheme import Scheme, TimestampUnit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def sign(scheme: Scheme, secret: Secret, body: bytes, at: datetime, message_id: str) -> dict[str, str]:
    """Headers that make a correct delivery of `body`, signed at `at`.

    Args:
        scheme: how to sign.
        secret: with what.
        body: the exact bytes that will be sent.
        at: the signed time, timezone-aware.
        message_id: used where the scheme signs one.
    """
    timestamp = _timestamp(scheme, at)
    signed = signature(
        scheme, secret, body=body, timestamp=timestamp.encode(), message_id=message_id.encode()
    )
    fields = {"timestamp": timestamp, "signature": signed.decode()}
    headers = {scheme.signature_header: scheme.separator.join(item.format(**fields) for item in scheme.items)}
    if scheme.timestamp_header:
        headers[scheme.timestamp_header] = timestamp
    if scheme.id_header:
        headers[scheme.id_header] = message_id
    return headers


def _timestamp(scheme: Scheme, at: datetime) -> str:
    if scheme.timestamp_unit is None:
        return ""
    tick = (
        timedelta(milliseconds=1)
        if scheme.timestamp_unit is TimestampUnit.MILLISECONDS
        else timedelta(seconds=1)
    )
    return str((at - _EPOCH) // tick)
