"""Making and checking signatures of given bytes: HMAC, Ed25519, ECDSA. No error leaves `matches`."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from functools import cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from webhook_gateway.domain.verification.scheme import Algorithm, Encoding, KeyForm, Scheme


def make_hmac(scheme: Scheme, key: bytes, signed: bytes) -> bytes:
    """Return the encoded HMAC of the signed bytes, as the sender writes `{signature}`."""
    return encode(scheme, hmac.digest(key, signed, scheme.digest))


def encode(scheme: Scheme, signature: bytes) -> bytes:
    """Return a signature in the scheme's encoding."""
    return signature.hex().encode() if scheme.encoding is Encoding.HEX else base64.b64encode(signature)


def matches(scheme: Scheme, key: bytes, signed: bytes, written: Sequence[bytes]) -> bool:
    """Return whether one of the signatures was made with `key`, or with its private half.

    HMACs are compared in constant time and as written, so that each has one spelling only. All are looked at,
    also after a match. The bytes are hashed once, however many signatures a forger sends.
    """
    if scheme.algorithm is Algorithm.HMAC:
        expected = make_hmac(scheme, key, signed)
        verdicts = [hmac.compare_digest(expected, signature) for signature in written]
    else:
        decoded = [_decoded(scheme, signature) for signature in written]
        verdicts = [
            each is not None and _is_signed_by(scheme.algorithm, key, signed, each) for each in decoded
        ]
    return any(verdicts)


def public_key_error(key: bytes, form: KeyForm) -> str:
    """Return why these bytes are no public key of this form; empty if they are, or need not be."""
    try:
        if form is KeyForm.WHPK_BASE64:
            _ed25519(key)
        elif form is KeyForm.SPKI_BASE64:
            _elliptic_curve(key)
    except (ValueError, UnsupportedAlgorithm):
        return "holds no public key of the kind that this scheme uses"
    return ""


def _decoded(scheme: Scheme, written: bytes) -> bytes | None:
    """Return the decoded signature; None unless it is spelled exactly as `encode` spells it."""
    try:
        hexadecimal = scheme.encoding is Encoding.HEX
        signature = binascii.unhexlify(written) if hexadecimal else base64.b64decode(written, validate=True)
    except binascii.Error:
        return None
    return signature if encode(scheme, signature) == written else None


def _is_signed_by(algorithm: Algorithm, key: bytes, signed: bytes, signature: bytes) -> bool:
    try:
        if algorithm is Algorithm.ED25519:
            _ed25519(key).verify(signature, signed)
        else:
            _elliptic_curve(key).verify(signature, signed, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


@cache
def _ed25519(key: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(key)


@cache
def _elliptic_curve(key: bytes) -> EllipticCurvePublicKey:
    loaded = load_der_public_key(key)
    if not isinstance(loaded, EllipticCurvePublicKey):
        raise ValueError("not an elliptic-curve key")  # noqa: TRY004 - of a secret, not of an argument
    return loaded
