"""Digest that binds an entry to its payload, and reveals nothing after the salt was erased (AU-6)."""

import hashlib
import os

SALT_BYTES = 32


def new_salt() -> bytes:
    """Return a random salt, one per payload: without it a guess cannot be tested against the digest."""
    return os.urandom(SALT_BYTES)


def payload_digest(salt: bytes, body: bytes) -> bytes:
    """Return SHA-256(salt ‖ body)."""
    digest = hashlib.sha256(salt)
    digest.update(body)
    return digest.digest()
