"""Digest that binds an entry to its payload, and reveals nothing after the salt was erased (AU-6)."""

import hashlib
import os

SALT_BYTES = 32


def new_salts(count: int) -> list[bytes]:
    """Return random salts, one per payload: without it a guess cannot be tested against the digest."""
    # At once: each question to the kernel takes longer than a digest.
    random = os.urandom(count * SALT_BYTES)
    return [random[at : at + SALT_BYTES] for at in range(0, len(random), SALT_BYTES)]


def payload_digest(salt: bytes, body: bytes) -> bytes:
    """Return SHA-256(salt ‖ body)."""
    digest = hashlib.sha256(salt)
    digest.update(body)
    return digest.digest()
