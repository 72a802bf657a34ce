"""Comparisons that do leak, put in place of ours: a run that does not see them sees nothing."""

import hmac
import operator
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from webhook_gateway.domain.verification import algorithms, engine


@contextmanager
def nothing() -> Iterator[None]:
    """The code as it is."""
    yield


@contextmanager
def equality() -> Iterator[None]:
    """`==`, which is done at the first byte that differs."""
    with _comparing_by(operator.eq):
        yield


@contextmanager
def byte_by_byte() -> Iterator[None]:
    """A loop that stops at the first byte that differs."""
    with _comparing_by(_same_bytes):
        yield


@contextmanager
def stopping_at_a_match() -> Iterator[None]:
    """Secrets are tried until one matches."""
    with patch.object(engine, "_vouched_timestamps", _first_match):
        yield


@contextmanager
def _comparing_by(comparison: Any) -> Iterator[None]:
    stand_in = SimpleNamespace(digest=hmac.digest, compare_digest=comparison)
    with patch.object(algorithms, "hmac", stand_in):
        yield


def _same_bytes(expected: bytes, given: bytes) -> bool:
    if len(expected) != len(given):
        return False
    return all(one == other for one, other in zip(expected, given, strict=True))


def _first_match(claim: Any, request: Any, candidate: Any, keys: Any) -> list[bytes]:
    for timestamp, signatures in claim.signatures.items():
        for signed in engine.signed_bytes(candidate, request, timestamp, claim.message_id):
            for key in keys:
                if algorithms.matches(candidate.scheme, key, signed, signatures):
                    return [timestamp]
    return []
