"""What is timed: our verdict on two kinds of delivery that an attacker must not be able to tell apart."""

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from constant_time import planted
from constant_time.measuring import Kinds
from unit.webhook_gateway.signed_deliveries import BODY, NOW, accepting, signed_headers
from webhook_gateway.domain.verification import SCHEMES, AcceptedScheme, Scheme, Secret, algorithms, verify

POOL = 256
COMPARISON_TIMES = 4
ANY_NS_MAX = 50.0
"""All secrets have been compared when any() looks for the one that matched, and ends some nanoseconds sooner
where that is the first. Only who has a good signature could see it. To stop comparing saves thousands."""
STRIPE, STANDARD = SCHEMES["stripe"], SCHEMES["standard-webhooks"]
SECRETS = [Secret(f"secret number {number}, of so many bytes".encode()) for number in range(3)]

Change = Callable[[bytes, random.Random], bytes]
Maker = Callable[[random.Random], list[Any]]


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison of two kinds.

    Attributes:
        name: what the kinds are.
        call: what is timed.
        kinds: makes its inputs, anew for each run, so that their places in memory are no difference either.
        plant: the leak that is put in place first, and must be seen.
        times: how many times more often than others it is measured, because there is less to be seen.
        tolerated_ns: `measuring.tells_them_apart`.
    """

    name: str
    call: Callable[[Any], object]
    kinds: Callable[[random.Random], Kinds[Any]]
    plant: Callable[[], AbstractContextManager[None]] = planted.nothing
    times: int = 1
    tolerated_ns: float = 0.0

    @property
    def is_control(self) -> bool:
        """Return whether the difference has to be seen."""
        return self.plant is not planted.nothing


def rows() -> list[Row]:
    """All of them: the code as it is, and then the controls."""
    positions = "wrong in the first byte | in the last"
    by_secret = "the first of three secrets matches | the last"
    judging, comparing = _judging(SECRETS), _comparing(STRIPE)
    deliveries = _pairs(_delivered(_first_wrong), _delivered(_last_wrong))
    signers = _pairs(_signed_by(SECRETS[0]), _signed_by(SECRETS[-1]))
    hexadecimal, base64 = _changed(STRIPE), _changed(STANDARD)
    signatures = _pairs(hexadecimal(_first_wrong), hexadecimal(_last_wrong))
    times = COMPARISON_TIMES
    return [
        Row(f"signature {positions}", judging, deliveries),
        Row(f"comparison, hex: {positions}", comparing, signatures, times=times),
        Row(
            f"comparison, base64: {positions}",
            _comparing(STANDARD),
            _pairs(base64(_first_wrong), base64(_last_wrong)),
            times=times,
        ),
        Row(
            "comparison, one byte short: wrong from the first byte | right as far as it goes",
            comparing,
            _pairs(hexadecimal(_short_and_wrong), hexadecimal(_short)),
            times=times,
        ),
        Row(by_secret, judging, signers, tolerated_ns=ANY_NS_MAX),
        Row(f"control, `==`: {positions}", comparing, signatures, planted.equality, times),
        Row(f"control, byte by byte: {positions}", judging, deliveries, planted.byte_by_byte),
        Row(f"control, until one matches: {by_secret}", judging, signers, planted.stopping_at_a_match),
    ]


def _pairs(first: Maker, second: Maker) -> Callable[[random.Random], Kinds[Any]]:
    """Inputs of both kinds, made in turn."""

    def make(rng: random.Random) -> Kinds[Any]:
        made = [(first(rng), second(rng)) for _ in range(POOL)]
        return Kinds([one for one, _ in made], [other for _, other in made])

    return make


def _judging(secrets: Sequence[Secret]) -> Callable[[Any], object]:
    accepted: list[AcceptedScheme] = accepting(STRIPE, *secrets)
    return lambda delivery: verify(delivery[0], delivery[1], accepted, NOW)


def _comparing(scheme: Scheme) -> Callable[[Any], object]:
    key = SECRETS[0].key
    return lambda written: algorithms.matches(scheme, key, BODY, written)


def _delivered(change: Change) -> Maker:
    """Headers and body of a delivery signed with one of ours, and then changed."""

    def make(rng: random.Random) -> list[Any]:
        ((name, header),), body = _signed_by(SECRETS[0])(rng)
        timestamp, mark, signature = header.partition(b",v1=")
        return [[(name, timestamp + mark + change(signature, rng))], body]

    return make


def _signed_by(secret: Secret) -> Maker:
    """Headers and body of a good delivery, no two with one signature: digits are read faster than letters."""

    def make(rng: random.Random) -> list[Any]:
        body = BODY + rng.randbytes(16)
        return [signed_headers(STRIPE, body, secret), body]

    return make


def _changed(scheme: Scheme) -> Callable[[Change], Maker]:
    """One signature of the body, changed."""
    right = algorithms.make_hmac(scheme, SECRETS[0].key, BODY)
    return lambda change: lambda rng: [change(right, rng)]


def _first_wrong(right: bytes, rng: random.Random) -> bytes:
    return _other(right[:1], rng) + right[1:]


def _last_wrong(right: bytes, rng: random.Random) -> bytes:
    """The last that counts: behind it a signature in base64 has its padding."""
    end = len(right.rstrip(b"=")) - 1
    return right[:end] + _other(right[end : end + 1], rng) + right[end + 1 :]


def _short(right: bytes, _rng: random.Random) -> bytes:
    return bytes(bytearray(right[:-1]))


def _short_and_wrong(right: bytes, rng: random.Random) -> bytes:
    return _first_wrong(right[:-1], rng)


def _other(byte: bytes, rng: random.Random) -> bytes:
    """A digit that both encodings know, but for this one."""
    return rng.choice([digit for digit in (b"0", b"4", b"8", b"a", b"c", b"f") if digit != byte])
