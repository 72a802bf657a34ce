"""Keys of C2SP signed-note and tlog-cosignature, encoded as in Go's `sumdb/note`.

Verifier key: `<name>+<key id in hex>+<base64 of type ‖ public key>`.
Signing key: `PRIVATE+KEY+<name>+<key id in hex>+<base64 of type ‖ 32-byte seed>`.
https://c2sp.org/signed-note, https://c2sp.org/tlog-cosignature
"""

import binascii
import hashlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

_PRIVATE_PREFIX = "PRIVATE+KEY+"
_SEED_BYTES = 32


class KeyType(IntEnum):
    """Signature types of signed-note."""

    ED25519 = 0x01
    ED25519_COSIGNATURE = 0x04
    MLDSA44_COSIGNATURE = 0x06

    @property
    def public_bytes(self) -> int:
        return 1312 if self is KeyType.MLDSA44_COSIGNATURE else 32

    @property
    def signature_bytes(self) -> int:
        return 2420 if self is KeyType.MLDSA44_COSIGNATURE else 64

    @property
    def has_time(self) -> bool:
        """Return whether a signature begins with its time, 8 bytes."""
        return self is not KeyType.ED25519


class InvalidKeyError(ValueError):
    """A text is no key. The message does not show a private key."""


@dataclass(frozen=True)
class VerifierKey:
    """Public key of a log or witness, with its name."""

    name: str
    type: KeyType
    public: bytes

    @cached_property
    def id(self) -> bytes:
        """Return the key id: 4 bytes that stand before each signature."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_encode(bytes([self.type]) + self.public)}"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Return whether the bare signature (without key id and time) is this key's over `message`."""
        try:
            if self.type is KeyType.MLDSA44_COSIGNATURE:
                MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)
            else:
                Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class SigningKey:
    """Private key of a log or witness, with its name."""

    name: str
    type: KeyType
    seed: bytes

    @cached_property
    def _private(self) -> Ed25519PrivateKey | MLDSA44PrivateKey:
        if self.type is KeyType.MLDSA44_COSIGNATURE:
            return MLDSA44PrivateKey.from_seed_bytes(self.seed)
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @cached_property
    def verifier(self) -> VerifierKey:
        """Return the public half."""
        return VerifierKey(self.name, self.type, self._private.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"SigningKey({self.verifier})"

    def encode(self) -> str:
        """Return the key as it stands in a key file. This is the secret."""
        return (
            f"{_PRIVATE_PREFIX}{self.name}+{self.verifier.id.hex()}+{_encode(bytes([self.type]) + self.seed)}"
        )

    def sign(self, message: bytes) -> bytes:
        """Return the bare signature over `message`."""
        return self._private.sign(message)


def parse_verifier_key(text: str) -> VerifierKey:
    """Read a verifier key.

    Raises:
        InvalidKeyError: the text is none.
    """
    name, key_id, decoded = _split(text, "a verifier key is <name>+<8 hex digits>+<base64>")
    key_type = _type(decoded)
    if len(decoded) != 1 + key_type.public_bytes:
        raise InvalidKeyError(
            f"the verifier key of {name} has {len(decoded) - 1} bytes, not {key_type.public_bytes}"
        )
    key = VerifierKey(name, key_type, decoded[1:])
    if key.id.hex() != key_id:
        raise InvalidKeyError(f"the verifier key of {name} has the id {key.id.hex()}, and says {key_id}")
    return key


def parse_signing_key(text: str) -> SigningKey:
    """Read a signing key.

    Raises:
        InvalidKeyError: the text is none. The message does not show it.
    """
    sentence = f"a signing key is {_PRIVATE_PREFIX}<name>+<8 hex digits>+<base64>"
    if not text.startswith(_PRIVATE_PREFIX):
        raise InvalidKeyError(sentence)
    name, key_id, decoded = _split(text.removeprefix(_PRIVATE_PREFIX), sentence)
    key_type = _type(decoded)
    if len(decoded) != 1 + _SEED_BYTES:
        raise InvalidKeyError(f"the signing key of {name} has no {_SEED_BYTES}-byte seed")
    key = SigningKey(name, key_type, decoded[1:])
    if key.verifier.id.hex() != key_id:
        raise InvalidKeyError(f"the signing key of {name} does not belong to the key id {key_id}")
    return key


def is_key_name(name: str) -> bool:
    """Return whether a signature line takes a name: not empty; no space, plus or control character."""
    return bool(name) and "+" not in name and not any(c.isspace() or ord(c) < ord(" ") for c in name)


def decode_base64(text: str) -> bytes:
    """Decode standard base64, in its one canonical form.

    Raises:
        ValueError: the text is none.
    """
    try:
        content = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(str(error)) from None
    if _encode(content) != text:
        raise ValueError("base64 that is not canonical")
    return content


def _split(text: str, sentence: str) -> tuple[str, str, bytes]:
    try:
        name, key_id, encoded = text.strip().split("+", 2)
        decoded = decode_base64(encoded)
    except ValueError:
        raise InvalidKeyError(sentence) from None
    if not is_key_name(name) or not decoded:
        raise InvalidKeyError(sentence)
    return name, key_id, decoded


def _type(decoded: bytes) -> KeyType:
    try:
        return KeyType(decoded[0])
    except ValueError:
        known = ", ".join(f"0x{each:02x}" for each in KeyType)
        raise InvalidKeyError(f"keys of type 0x{decoded[0]:02x} are not known here: {known} are") from None


def _encode(content: bytes) -> str:
    return b64encode(content).decode()
