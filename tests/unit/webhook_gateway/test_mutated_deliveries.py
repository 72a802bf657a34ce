"""Good deliveries of every scheme, broken in one to four places: no error, no false acceptance, no growth.

`make test` takes 20,000 of them, `make faults` five million; MUTATED_SEED repeats one.
"""

import hashlib
import os
import random
import resource
import secrets
from dataclasses import dataclass

import pytest

from harness.exploring import examples
from unit.webhook_gateway.signed_deliveries import BODY, NOW, accepting, signed_headers
from webhook_gateway.domain.document import FormKind, read_document
from webhook_gateway.domain.identity import EventIdentity, SignedFacts, identify
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.source import FORM_SCHEMES, IDENTITIES
from webhook_gateway.domain.strict_json import Document, Outline
from webhook_gateway.domain.verification import SCHEMES, AcceptedScheme, Scheme, Verified, verify

DELIVERIES = int(os.environ.get("MUTATED_DELIVERIES") or examples(200_000))
SEED = int(os.environ.get("MUTATED_SEED") or secrets.randbelow(2**31))
WARM_UP = 20_000
GROWTH_KIB_MAX = 32 * 1024
PIECES = (
    *(b"", b"\x00", b"\xff", b"\xed\xa0\x80", b",", b";", b"=", b".", b" ", b":", b"%", b"%zz", b"&"),
    *(b"t=1", b"v1=", b"v1,", b"v1a,", b"v0=", b"hmac;1;", b"ts=", b"h1=", b"sha256="),
    *(b"9" * 14, b"-1", b"1e9", b"A" * 44, b"0" * 64, b"=" * 9, b"[" * 70, b'{"id":', b'"\\ud83d"'),
)
OUTLINES = {name: Outline(rule.pointers()) for name, rule in IDENTITIES.items()}
QUERY = b"bodySHA256=" + hashlib.sha256(BODY).hexdigest().encode()


@dataclass(frozen=True, slots=True)
class Good:
    scheme: Scheme
    accepted: list[AcceptedScheme]
    headers: list[tuple[bytes, bytes]]
    query: bytes


def _good(scheme: Scheme, query: bytes = b"") -> Good:
    return Good(scheme, accepting(scheme), signed_headers(scheme, query=query), query)


GOOD = [*map(_good, SCHEMES.values()), _good(SCHEMES["twilio"], QUERY)]


def test_every_delivery_is_good_before_it_is_broken() -> None:
    for good in GOOD:
        assert isinstance(verify(good.headers, BODY, good.accepted, NOW, good.query), Verified)


@pytest.mark.explores
@pytest.mark.timeout(1800)
def test_broken_deliveries_raise_nothing_and_vouch_for_no_other_body() -> None:
    rng = random.Random(SEED)
    verdicts: dict[type, int] = {}
    settled = 0
    for number in range(DELIVERIES):
        if number == min(WARM_UP, DELIVERIES // 2):
            settled = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        verdict = _try_one(rng)
        verdicts[type(verdict)] = verdicts.get(type(verdict), 0) + 1
    assert set(verdicts) == {Verified, Refused}, f"MUTATED_SEED={SEED}: {verdicts}"
    assert verdicts[Refused] > DELIVERIES / 2
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - settled
    assert grown < GROWTH_KIB_MAX, f"MUTATED_SEED={SEED}: {grown} KiB more after {DELIVERIES} deliveries"


def _try_one(rng: random.Random) -> Verified | Refused:
    good = rng.choice(GOOD)
    headers, body, query = list(good.headers), BODY, good.query
    for _ in range(rng.randint(1, 4)):
        where = rng.random()
        if where < 0.25:
            body = _broken(rng, body)
        elif where < 0.35:
            query = _broken(rng, query)
        elif where < 0.45:
            headers.append(rng.choice(rng.choice(GOOD).headers))
        elif headers:
            at = rng.randrange(len(headers))
            name, value = headers.pop(at)
            if where < 0.95:
                headers.insert(at, (name, _broken(rng, value)))
    told = f"MUTATED_SEED={SEED}: {good.scheme.name} {headers} {body!r} {query!r}"
    verdict = verify(headers, body, good.accepted, NOW, query)
    # Every scheme but Twilio's signs the bytes; that one signs what a form says.
    if isinstance(verdict, Verified) and good.scheme.name != "twilio":
        assert body == BODY, told
    _read(good.scheme, headers, body, told)
    return verdict


def _read(scheme: Scheme, headers: list[tuple[bytes, bytes]], body: bytes, told: str) -> None:
    """Read the document whatever the verdict was, as happens with validation off."""
    forms = FormKind.FIELDS if "{form}" in scheme.signed else FORM_SCHEMES.get(scheme.name)
    rule = IDENTITIES[scheme.name]
    whole = read_document(body, headers, forms=forms)
    document = read_document(body, headers, OUTLINES[scheme.name], forms=forms)
    if isinstance(document, Refused):
        assert document == whole, told
        return
    assert isinstance(whole, Document), told
    found = identify(document, body, rule, "acme", SignedFacts(), headers)
    assert found == identify(whole, body, rule, "acme", SignedFacts(), headers), told
    assert not isinstance(found, EventIdentity) or 0 < len(found.key.encode()) < 1024, told


def _broken(rng: random.Random, value: bytes) -> bytes:
    at = rng.randint(0, len(value))
    match rng.randrange(4):
        case 0:
            return value[:at] + rng.choice(PIECES) + value[at:]
        case 1:
            return value[:at] + value[at + rng.randint(1, 8) :]
        case 2:
            return value[:at] + rng.randbytes(1) + value[at + 1 :]
        case _:
            return value[:at] + value
