"""Whatever a request holds, the domain answers with a value: no error leaves it (GW-7)."""

from hypothesis import given
from hypothesis import strategies as st

from harness.exploring import explores
from unit.webhook_gateway.signed_deliveries import NOW, accepting, signed_headers
from webhook_gateway.domain.identity import EventIdentity, SignedFacts, identify
from webhook_gateway.domain.pointer import find
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.source import SMS_IDENTITY, STRIPE_IDENTITY
from webhook_gateway.domain.strict_json import Document, Outline, parse
from webhook_gateway.domain.verification import SCHEMES, Verified, verify

ACCEPTED = [accepting(scheme)[0] for scheme in SCHEMES.values()]
NAMES = [
    *sorted({name for scheme in SCHEMES.values() for name, _ in signed_headers(scheme)}),
    *(b"\xff", b"", b"host"),
]
GOOD = [header for scheme in SCHEMES.values() for header in signed_headers(scheme)]
PIECES = [
    b"t=",
    b"v1=",
    b"v1,",
    b"hmac;1;",
    b";",
    b",",
    b" ",
    b"=",
    b"0" * 64,
    b"A" * 43 + b"=",
    b"1795435200",
    b"\xff",
    b"\x00",
    b"9" * 14,
]

values = st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join) | st.binary(max_size=40)
header_lists = st.lists(st.tuples(st.sampled_from(NAMES), values) | st.sampled_from(GOOD), max_size=8)

json_like = st.recursive(
    st.sampled_from(
        [
            b"null",
            b"true",
            b"1",
            b"-1e9",
            b"1" * 50,
            b'""',
            b'"evt_1"',
            rb'"\ud83d"',
            rb'"\u0000"',
            b'"2026-01-01"',
            b"NaN",
            b"",
            b"\xff",
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda x: b"[" + b",".join(x) + b"]")
        | st.lists(
            st.tuples(
                st.sampled_from(
                    [
                        b"id",
                        b"type",
                        b"data",
                        b"object",
                        b"resource",
                        b"metadata",
                        b"booking_id",
                        b"created",
                        b"createdAt",
                    ]
                ),
                inner,
            ),
            max_size=5,
        ).map(lambda x: b"{" + b",".join(b'"' + n + b'":' + v for n, v in x) + b"}")
    ),
    max_leaves=20,
)


@explores(10_000)
@given(headers=header_lists, body=st.binary(max_size=60))
def test_no_header_or_body_raises_an_error_from_verification(
    headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    assert isinstance(verify(headers, body, ACCEPTED, NOW), Refused)


@explores(10_000)
@given(body=json_like | st.binary(max_size=60))
def test_outline_accepts_the_same_bodies_and_says_the_same_of_them(body: bytes) -> None:
    whole = parse(body)
    for rule in (STRIPE_IDENTITY, SMS_IDENTITY):
        outlined = parse(body, Outline(rule.pointers()))
        if not isinstance(whole, Document) or not isinstance(outlined, Document):
            assert outlined == whole
            continue
        for pointer in rule.pointers():
            assert find(outlined.value, pointer) == find(whole.value, pointer)
        told = (identify(each, body, rule, "sms", SignedFacts()) for each in (outlined, whole))
        assert next(told) == next(told)


@explores(10_000)
@given(body=json_like | st.binary(max_size=60))
def test_no_body_raises_an_error_from_json_or_identity(body: bytes) -> None:
    document = parse(body)
    if isinstance(document, Refused):
        return
    assert isinstance(document, Document)
    for rule in (STRIPE_IDENTITY, SMS_IDENTITY):
        found = identify(document, body, rule, "sms", SignedFacts())
        if isinstance(found, EventIdentity):
            assert 0 < len(found.key.encode()) < 1024
            assert found.event_id.encode()
            assert found.type.encode()
            assert found.occurred_at is None or found.occurred_at.tzinfo is not None


def test_the_fuzzed_engine_does_accept_a_good_delivery() -> None:
    body = b"{}"
    for scheme in SCHEMES.values():
        assert isinstance(verify(signed_headers(scheme, body), body, ACCEPTED, NOW), Verified)
