"""Keys of C2SP signed-note (https://c2sp.org/signed-note), encoded as in Go's `sumdb/note`.

Private: `PRIVATE+KEY+<name>+<hash>+<base64 of type and 32-byte seed>`.
Verifier: `<name>+<hash>+<base64 of type and public key>`.
The hash is the first 4 bytes of SHA-256 over name, newline, type and public key, in hexadecimal.
"""

import base64
import hashlib
import secrets
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from plumbline.failure import StackError

KeyKind = Literal["ed25519", "ml-dsa-44"]

_TYPES: dict[KeyKind, bytes] = {"ed25519": b"\x01", "ml-dsa-44": b"\x06"}
_PREFIX = "PRIVATE+KEY+"
_SEED_BYTES = 32


def new_private_key(name: str, kind: KeyKind = "ed25519") -> str:
    """Return a new key; `name` may not contain a space or a plus sign."""
    seed = secrets.token_bytes(_SEED_BYTES)
    return f"{_PREFIX}{name}+{_hash(name, kind, _public_bytes(kind, seed))}+{_encode(kind, seed)}"


def verifier_key(private_keys: str, kind: KeyKind = "ed25519") -> str:
    """Return the verifier key of the first line; a malformed key is a `StackError` that does not show it."""
    try:
        first, *_ = private_keys.strip().splitlines()
        name, _, encoded = first.removeprefix(_PREFIX).split("+", 2)
        decoded = base64.b64decode(encoded, validate=True)
    except ValueError:
        decoded, name = b"", ""
    if len(decoded) != 1 + _SEED_BYTES or decoded[:1] != _TYPES[kind]:
        raise StackError(
            f"the audit signing key is not an {_NAMES[kind]} key in signed-note form:"
            " restore or remove its file"
        )
    public = _public_bytes(kind, decoded[1:])
    return f"{name}+{_hash(name, kind, public)}+{_encode(kind, public)}"


_NAMES: dict[KeyKind, str] = {"ed25519": "Ed25519", "ml-dsa-44": "ML-DSA-44"}


def _public_bytes(kind: KeyKind, seed: bytes) -> bytes:
    if kind == "ml-dsa-44":
        return MLDSA44PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def _hash(name: str, kind: KeyKind, public: bytes) -> str:
    return hashlib.sha256(name.encode() + b"\n" + _TYPES[kind] + public).digest()[:4].hex()


def _encode(kind: KeyKind, key: bytes) -> str:
    return base64.b64encode(_TYPES[kind] + key).decode()
