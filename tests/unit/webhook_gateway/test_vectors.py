"""Published vectors verify at their own time, and fail after every one-byte change."""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from contracts.reasons import RefusalReason
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.verification import SCHEMES, AcceptedScheme, Scheme, Secret, Verified, verify
from webhook_gateway.domain.verification.scheme import Algorithm, KeyForm

VECTORS_FILE = Path(__file__).with_name("signatures.json")


@dataclass(frozen=True)
class Vector:
    scheme: Scheme
    key: bytes
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    now: datetime
    public_url: str = ""
    query: bytes = b""

    def verdict(self) -> Verified | Refused:
        # The vectors' secrets may be shorter than settings allow, so the key is taken as it is.
        accepted = AcceptedScheme(self.scheme, (Secret(self.key),), public_url=self.public_url)
        return verify(self.headers, self.body, [accepted], self.now, self.query)


SCHEME_NAMES = {"twilio-json": "twilio"}
SOME_TIME = 1_700_000_000


def _key(entry: dict[str, str], scheme: Scheme) -> bytes:
    if scheme.key_form is KeyForm.SPKI_BASE64:
        return base64.b64decode(entry["public_key_der_b64"])
    text = entry["secret"]
    if scheme.key_form is KeyForm.TEXT:
        return text.encode()
    return base64.b64decode(text.removeprefix("whsec_"))


def _load() -> list[Vector]:
    vectors = []
    for entry in json.loads(VECTORS_FILE.read_text()):
        scheme = SCHEMES[SCHEME_NAMES.get(entry["provider"], entry["provider"])]
        milliseconds = entry.get("timestamp_ms") or entry.get("timestamp", SOME_TIME) * 1000
        headers = {n.lower(): v for n, v in entry["headers"].items()}
        if "params" in entry:
            headers["content-type"] = "application/x-www-form-urlencoded"
        url, _, query = entry.get("url", "").partition("?")
        vectors.append(
            Vector(
                scheme,
                _key(entry, scheme),
                (urlencode(entry["params"]) if "params" in entry else entry["body"]).encode(),
                tuple((n.encode(), v.encode()) for n, v in headers.items()),
                datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds),
                url,
                query.encode(),
            )
        )
    return vectors


VECTORS = _load()
OURS = re.compile(b"d21d91b4|d9629997")
"""How the signatures begin that the vectors' own secrets made."""
each_vector = pytest.mark.parametrize("vector", VECTORS, ids=[v.scheme.name for v in VECTORS])
TIMED = [v for v in VECTORS if v.scheme.timestamp_unit]
each_timed_vector = pytest.mark.parametrize("vector", TIMED, ids=[v.scheme.name for v in TIMED])


def _flipped(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Every byte changed once: its lowest bit, and its case bit."""
    for i, byte in enumerate(data):
        for bit in (0x01, 0x20):
            yield i, data[:i] + bytes([byte ^ bit]) + data[i + 1 :]


def test_vector_file_holds_every_scheme_but_two_of_the_standard_webhooks_family() -> None:
    assert {v.scheme.name for v in VECTORS} == set(SCHEMES) - {"svix", "standard-webhooks-v1a"}
    assert len(VECTORS) == len(json.loads(VECTORS_FILE.read_text()))


@each_vector
def test_published_vector_at_its_own_time_verifies(vector: Vector) -> None:
    verdict = vector.verdict()
    assert isinstance(verdict, Verified)
    assert verdict.signed_at == (vector.now if vector.scheme.timestamp_unit else None)


@each_timed_vector
@pytest.mark.parametrize("seconds", [-300, 300])
def test_clock_at_the_edge_of_the_window_verifies(vector: Vector, seconds: int) -> None:
    assert isinstance(replace(vector, now=vector.now + timedelta(seconds=seconds)).verdict(), Verified)


@each_timed_vector
@pytest.mark.parametrize("milliseconds", [-300_001, 300_001, -(10**11), 10**11])
def test_clock_beyond_the_window_is_refused_on_both_sides(vector: Vector, milliseconds: int) -> None:
    moved = replace(vector, now=vector.now + timedelta(milliseconds=milliseconds))
    assert moved.verdict() == Refused(RefusalReason.TIMESTAMP_OUTSIDE_WINDOW)


@each_vector
def test_any_changed_body_byte_is_a_mismatch(vector: Vector) -> None:
    for position, body in _flipped(vector.body):
        changed = replace(vector, body=body).verdict()
        assert changed == Refused(RefusalReason.SIGNATURE_MISMATCH) or _means_the_same(vector, body), position
    for body in (vector.body[:-1], vector.body + b"\n", b"", b" " + vector.body):
        assert replace(vector, body=body).verdict() == Refused(RefusalReason.SIGNATURE_MISMATCH)


def _means_the_same(vector: Vector, body: bytes) -> bool:
    """Twilio signs a form's fields, not its spelling: `%2B` is `%2b`."""
    return vector.scheme.name == "twilio" and body != vector.body and body.upper() == vector.body.upper()


@each_vector
@pytest.mark.parametrize("where", ["public_url", "query"])
def test_any_changed_url_byte_is_refused_where_the_url_is_signed(vector: Vector, where: str) -> None:
    value = getattr(vector, where)
    for position, changed in _flipped(value if isinstance(value, bytes) else value.encode()):
        url = changed if isinstance(value, bytes) else changed.decode()
        if where == "query" and vector.scheme.name != "twilio":
            continue  # the configured URL is signed, whatever is asked of it
        if where == "public_url" and position < len("https"):
            continue  # not sent by anybody: our own setting, in which HTTPS is https
        assert isinstance(replace(vector, **{where: url}).verdict(), Refused), changed


symmetric_vectors = [v for v in VECTORS if v.scheme.algorithm is Algorithm.HMAC]


@pytest.mark.parametrize("vector", symmetric_vectors, ids=[v.scheme.name for v in symmetric_vectors])
def test_any_changed_secret_byte_is_a_mismatch(vector: Vector) -> None:
    for _, key in _flipped(vector.key):
        assert replace(vector, key=key).verdict() == Refused(RefusalReason.SIGNATURE_MISMATCH)


@each_vector
def test_any_changed_header_byte_that_matters_is_refused(vector: Vector) -> None:
    for number, (name, value) in enumerate(vector.headers):
        if name == b"content-type":
            continue
        decoys = _decoy_positions(vector, value)
        for position, changed in _flipped(value):
            headers = list(vector.headers)
            headers[number] = (name, changed)
            verdict = replace(vector, headers=tuple(headers)).verdict()
            if position not in decoys:
                assert isinstance(verdict, Refused), (name, position, changed)


def _decoy_positions(vector: Vector, value: bytes) -> set[int]:
    """Where the header holds an item that is not ours: another secret's, Stripe's v0, Paddle's dummy."""
    positions: set[int] = set()
    start = 0
    items = (
        value.split(vector.scheme.separator.encode())
        if vector.scheme.name in {"stripe", "paddle"}
        else [value]
    )
    for item in items:
        if len(items) > 2 and not item.startswith((b"t=", b"ts=")) and not OURS.search(item):
            positions |= set(range(start, start + len(item)))
        start += len(item) + 1
    return positions
