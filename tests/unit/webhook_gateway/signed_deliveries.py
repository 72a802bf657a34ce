"""Builds deliveries for the gateway's unit tests, signed by the scheme's own description."""

import base64
from dataclasses import replace
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from webhook_gateway.domain.verification import AcceptedScheme, Scheme, Secret, UnsignedDelivery, sign_with
from webhook_gateway.domain.verification.algorithms import make_hmac
from webhook_gateway.domain.verification.scheme import Algorithm

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECRET = Secret(b"a key of thirty-two bytes, exact")
OTHER_SECRET = Secret(b"another key, of thirty-two bytes")
"""Keys of symmetric schemes, seeds of the private keys of asymmetric ones."""
BODY = b'{"id":"evt_1","type":"payment_intent.succeeded"}'
MESSAGE_ID = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"
PUBLIC_URL = "https://hooks.example.com/webhooks/acme"

Headers = list[tuple[bytes, bytes]]


def signed_headers(
    scheme: Scheme,
    body: bytes = BODY,
    secret: Secret = SECRET,
    at: datetime = NOW,
    message_id: str = MESSAGE_ID,
    query: bytes = b"",
) -> Headers:
    sending = UnsignedDelivery(body, at, message_id, PUBLIC_URL, query, _content_type(scheme))
    headers = sign_with(scheme, lambda signed: _signature(scheme, secret.key, signed), sending)
    if "{form}" in scheme.signed:
        headers["content-type"] = _content_type(scheme)
    return [(n.encode(), v.encode()) for n, v in headers.items()]


def accepting(scheme: Scheme, *secrets: Secret) -> list[AcceptedScheme]:
    keys = tuple(replace(each, key=_checking_key(scheme, each.key)) for each in secrets or (SECRET,))
    return [AcceptedScheme(scheme, keys, public_url=PUBLIC_URL)]


def with_header(headers: Headers, name: str, value: bytes) -> Headers:
    return [(n, value if n == name.encode() else v) for n, v in headers]


def _content_type(scheme: Scheme) -> str:
    return "application/x-www-form-urlencoded" if "{form}" in scheme.signed else "application/json"


def _signature(scheme: Scheme, key: bytes, signed: bytes) -> bytes:
    if scheme.algorithm is Algorithm.HMAC:
        return make_hmac(scheme, key, signed)
    if scheme.algorithm is Algorithm.ED25519:
        return base64.b64encode(_ed25519(key).sign(signed))
    return base64.b64encode(_elliptic_curve(key).sign(signed, ec.ECDSA(SHA256(), deterministic_signing=True)))


def _checking_key(scheme: Scheme, key: bytes) -> bytes:
    if scheme.algorithm is Algorithm.ED25519:
        return _ed25519(key).public_key().public_bytes_raw()
    if scheme.algorithm is Algorithm.ECDSA:
        public = _elliptic_curve(key).public_key()
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key


def _ed25519(seed: bytes) -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.from_private_bytes(seed)


def _elliptic_curve(seed: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(seed), ec.SECP256R1())
