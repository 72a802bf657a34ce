"""Signs deliveries as a sender would, by the description that the engine verifies with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from webhook_gateway.domain.verification.algorithms import make_hmac
from webhook_gateway.domain.verification.engine import AcceptedScheme, Request, signed_bytes
from webhook_gateway.domain.verification.keys import Secret
from webhook_gateway.domain.verification.scheme import Algorithm, Scheme, TimestampUnit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The signed bytes in, the signature as written in the header out.
Signer = Callable[[bytes], bytes]


class CannotSignError(ValueError):
    """Only the sender has the private key that this scheme signs with."""


@dataclass(frozen=True, slots=True)
class UnsignedDelivery:
    """A delivery about to be signed.

    Attributes:
        body: the exact bytes that will be sent.
        at: the signed time, timezone-aware.
        message_id: used where the scheme signs one.
        public_url: the URL that will be called, without its query; used where the scheme signs it.
        query: of that URL.
        content_type: of the body; says whether it is a form.
    """

    body: bytes
    at: datetime
    message_id: str
    public_url: str = ""
    query: bytes = b""
    content_type: str = "application/json"


def sign(scheme: Scheme, secret: Secret, sending: UnsignedDelivery) -> dict[str, str]:
    """Return the headers of a correct delivery.

    Raises:
        CannotSignError: the scheme is asymmetric, or nothing that it signs would vouch for this body.
    """
    if scheme.algorithm is not Algorithm.HMAC:
        raise CannotSignError(f"{scheme.name} is signed with a private key, which only the sender has")
    return sign_with(scheme, lambda signed: make_hmac(scheme, secret.key, signed), sending)


def sign_with(scheme: Scheme, signer: Signer, sending: UnsignedDelivery) -> dict[str, str]:
    """Return the headers of a correct delivery, signed by `signer`, e.g. with a private key.

    Raises:
        CannotSignError: nothing that the scheme signs would vouch for this body.
    """
    timestamp = _timestamp(scheme, sending.at)
    request = Request([(b"content-type", sending.content_type.encode())], sending.query, sending.body)
    accepting = AcceptedScheme(scheme, (), public_url=sending.public_url)
    candidates = signed_bytes(accepting, request, timestamp.encode(), sending.message_id.encode())
    if not candidates:
        raise CannotSignError(f"{scheme.name} vouches for forms, and for bodies whose digest is in the query")
    fields = {"timestamp": timestamp, "signature": signer(candidates[0]).decode()}
    headers = {scheme.signature_header: scheme.separator.join(item.format(**fields) for item in scheme.items)}
    if scheme.timestamp_header:
        headers[scheme.timestamp_header] = timestamp
    if scheme.id_header:
        headers[scheme.id_header] = sending.message_id
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
