"""The digest that binds an entry to its payload and tells nothing about it once the salt is gone (AU-6)."""

import hashlib
import os

SALT_BYTES = 32


def new_salt() -> bytes:
    """Random, one per payload: without it nobody can test a guess against the digest."""
    return os.urandom(SALT_BYTES)


def payload_digest(salt: bytes, body: bytes) -> bytes:
    """SHA-256(salt ‖ body)."""
    digest = hashlib.sha256(salt)
    digest.update(body)
    return digest.digest()
