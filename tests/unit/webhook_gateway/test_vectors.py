"""Published vectors verify at their own time, and fail after every one-byte change."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.reasons import RefusalReason
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.verification import SCHEMES, AcceptedScheme, Scheme, Secret, Verified, verify
from webhook_gateway.domain.verification.scheme import KeyForm

VECTORS_FILE = Path(__file__).with_name("signatures.json")


@dataclass(frozen=True)
class Vector:
    scheme: Scheme
    key: bytes
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    now: datetime

    def verdict(self) -> Verified | Refused:
        # The vectors' secrets may be shorter than settings allow, so the key is taken as it is.
        return verify(self.headers, self.body, [AcceptedScheme(self.scheme, (Secret(self.key),))], self.now)


def _key(entry: dict[str, str], scheme: Scheme) -> bytes:
    text = entry["secret"]
    if scheme.key_form is KeyForm.TEXT:
        return text.encode()
    return base64.b64decode(text.removeprefix("whsec_"))


def _load() -> list[Vector]:
    vectors = []
    for entry in json.loads(VECTORS_FILE.read_text()):
        if entry["provider"] not in SCHEMES:
            continue
        scheme = SCHEMES[entry["provider"]]
        milliseconds = entry.get("timestamp_ms") or entry["timestamp"] * 1000
        vectors.append(
            Vector(
                scheme,
                _key(entry, scheme),
                entry["body"].encode(),
                tuple((n.lower().encode(), v.encode()) for n, v in entry["headers"].items()),
                datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds),
            )
        )
    return vectors


VECTORS = _load()
each_vector = pytest.mark.parametrize("vector", VECTORS, ids=[v.scheme.name for v in VECTORS])


def _flipped(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Every byte changed once: its lowest bit, and its case bit."""
    for i, byte in enumerate(data):
        for bit in (0x01, 0x20):
            yield i, data[:i] + bytes([byte ^ bit]) + data[i + 1 :]


def test_vector_file_holds_every_scheme_built_now() -> None:
    assert {v.scheme.name for v in VECTORS} == set(SCHEMES) - {"svix"}
    assert len(VECTORS) == 4


@each_vector
def test_published_vector_at_its_own_time_verifies(vector: Vector) -> None:
    verdict = vector.verdict()
    assert isinstance(verdict, Verified)
    assert verdict.signed_at == vector.now


@each_vector
@pytest.mark.parametrize("seconds", [-300, 300])
def test_clock_at_the_edge_of_the_window_verifies(vector: Vector, seconds: int) -> None:
    assert isinstance(replace(vector, now=vector.now + timedelta(seconds=seconds)).verdict(), Verified)


@each_vector
@pytest.mark.parametrize("milliseconds", [-300_001, 300_001, -(10**11), 10**11])
def test_clock_beyond_the_window_is_refused_on_both_sides(vector: Vector, milliseconds: int) -> None:
    moved = replace(vector, now=vector.now + timedelta(milliseconds=milliseconds))
    assert moved.verdict() == Refused(RefusalReason.TIMESTAMP_OUTSIDE_WINDOW)


@each_vector
def test_any_changed_body_byte_is_a_mismatch(vector: Vector) -> None:
    for _, body in _flipped(vector.body):
        assert replace(vector, body=body).verdict() == Refused(RefusalReason.SIGNATURE_MISMATCH)
    for body in (vector.body[:-1], vector.body + b"\n", b"", b" " + vector.body):
        assert replace(vector, body=body).verdict() == Refused(RefusalReason.SIGNATURE_MISMATCH)


@each_vector
def test_any_changed_secret_byte_is_a_mismatch(vector: Vector) -> None:
    for _, key in _flipped(vector.key):
        assert replace(vector, key=key).verdict() == Refused(RefusalReason.SIGNATURE_MISMATCH)


@each_vector
def test_any_changed_header_byte_that_matters_is_refused(vector: Vector) -> None:
    for number, (name, value) in enumerate(vector.headers):
        decoys = _decoy_positions(vector, value)
        for position, changed in _flipped(value):
            headers = list(vector.headers)
            headers[number] = (name, changed)
            verdict = replace(vector, headers=tuple(headers)).verdict()
            if position not in decoys:
                assert isinstance(verdict, Refused), (name, position, changed)


def _decoy_positions(vector: Vector, value: bytes) -> set[int]:
    """Where the header holds an item that is not ours: another secret's signature, or Stripe's v0."""
    positions: set[int] = set()
    start = 0
    items = value.split(b",") if vector.scheme.name == "stripe" else [value]
    for item in items:
        if len(items) > 2 and not item.startswith(b"t=") and b"d21d91b4" not in item:
            positions |= set(range(start, start + len(item)))
        start += len(item) + 1
    return positions
