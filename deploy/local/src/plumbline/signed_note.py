"""Keys of C2SP signed-note (https://c2sp.org/signed-note), encoded as in Go's `sumdb/note`.

Private: `PRIVATE+KEY+<name>+<hash>+<base64 of 0x01 and the 32-byte seed>`.
Verifier: `<name>+<hash>+<base64 of 0x01 and the 32-byte public key>`.
The hash is the first 4 bytes of SHA-256 over name, newline, 0x01 and public key, in hexadecimal.
"""

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline.failure import StackError

_ED25519 = b"\x01"
_PREFIX = "PRIVATE+KEY+"
_SEED_BYTES = 32


def new_private_key(name: str) -> str:
    """Return a new Ed25519 key; `name` may not contain a space or a plus sign."""
    return _private(name, Ed25519PrivateKey.generate().private_bytes_raw())


def verifier_key(private_key: str) -> str:
    """Return the public verifier key; a malformed key is a `StackError` that does not show the key."""
    try:
        name, _, encoded = private_key.strip().removeprefix(_PREFIX).split("+", 2)
        decoded = base64.b64decode(encoded, validate=True)
    except ValueError:
        decoded, name = b"", ""
    if len(decoded) != 1 + _SEED_BYTES or decoded[:1] != _ED25519:
        raise StackError(
            "the audit signing key is not an Ed25519 key in signed-note form: restore or remove its file"
        )
    public = _public_bytes(decoded[1:])
    return f"{name}+{_hash(name, public)}+{_encode(public)}"


def _private(name: str, seed: bytes) -> str:
    return f"{_PREFIX}{name}+{_hash(name, _public_bytes(seed))}+{_encode(seed)}"


def _public_bytes(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def _hash(name: str, public: bytes) -> str:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4].hex()


def _encode(key: bytes) -> str:
    return base64.b64encode(_ED25519 + key).decode()
