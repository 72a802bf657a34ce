"""Builds deliveries for the gateway's unit tests, signed by the scheme's own description."""

from datetime import UTC, datetime

from webhook_gateway.domain.verification import AcceptedScheme, Scheme, Secret, sign

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECRET = Secret(b"a key of thirty-two bytes, exact")
OTHER_SECRET = Secret(b"another key, of thirty-two bytes")
BODY = b'{"id":"evt_1","type":"payment_intent.succeeded"}'
MESSAGE_ID = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"

Headers = list[tuple[bytes, bytes]]


def signed_headers(
    scheme: Scheme,
    body: bytes = BODY,
    secret: Secret = SECRET,
    at: datetime = NOW,
    message_id: str = MESSAGE_ID,
) -> Headers:
    return [(n.encode(), v.encode()) for n, v in sign(scheme, secret, body, at, message_id).items()]


def accepting(scheme: Scheme, *secrets: Secret) -> list[AcceptedScheme]:
    return [AcceptedScheme(scheme, secrets or (SECRET,))]


def with_header(headers: Headers, name: str, value: bytes) -> Headers:
    return [(n, value if n == name.encode() else v) for n, v in headers]
