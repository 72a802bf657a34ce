"""Reading Stripe's events: whatever is sent, a payment or one kind of error, never a traceback (GW-12)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.adapters.stripe_events import PREFIX, READERS, read_facts
from booking.adapters.stripe_values import AMOUNT_MINOR_UNITS_MAX
from booking.domain.facts import Fact, Kind, State
from chassis.messaging.failures import MalformedMessageError
from contracts.money import Money
from contracts.stripe_events import APPLIED_TYPES, event_or_error

BOOKING = "0198c5a0-0000-7000-8000-000000000001"


def intent(**members: Any) -> dict[str, Any]:
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 13200,
        "amount_received": 13200,
        "currency": "usd",
        "metadata": {"booking_id": BOOKING},
        **members,
    }


def event(subject: Any) -> bytes:
    return json.dumps({"id": "evt_1", "data": {"object": subject}}).encode()


def parse(value: bytes) -> Fact:
    [fact] = read_facts("stripe.payment_intent.succeeded", event_or_error(value), event_id="evt_1")
    return fact


def paid(value: bytes) -> Money:
    amount = parse(value).amount
    assert amount is not None
    return amount


def test_types_with_a_reader_are_those_that_the_sweep_looks_for() -> None:
    assert {PREFIX + name for name in APPLIED_TYPES} == set(READERS)


def test_payment_is_read() -> None:
    assert parse(event(intent())) == Fact(
        provider="stripe",
        event_id="evt_1",
        occurred_at=0,
        kind=Kind.INTENT,
        object_id="pi_1",
        state=State.SUCCEEDED,
        amount=Money(13200, "USD"),
        booking_reference=BOOKING,
    )


def test_byte_order_mark_before_the_body_is_ignored() -> None:
    assert parse(b"\xef\xbb\xbf" + event(intent())) == parse(event(intent()))


def test_received_amount_counts_and_not_the_one_asked_for() -> None:
    assert paid(event(intent(amount_received=5000))).amount == 5000
    assert paid(event(intent(amount_received=None))).amount == 13200


@pytest.mark.parametrize(
    ("sent", "currency", "shown"),
    [
        (13200, "usd", "132.00 USD"),
        (3200, "jpy", "3200 JPY"),
        (32000, "kwd", "32.000 KWD"),
        (3200, "isk", "32 ISK"),
        (500, "ugx", "5 UGX"),
        (500, "mga", "500.00 MGA"),
        (1000, "huf", "10.00 HUF"),
    ],
)
def test_amount_is_read_with_stripes_exponent_and_shown_with_isos(
    sent: int, currency: str, shown: str
) -> None:
    assert str(paid(event(intent(amount_received=sent, currency=currency)))) == shown


@pytest.mark.parametrize(
    ("metadata", "reference"),
    [
        ({"booking_id": BOOKING}, BOOKING),
        ({"bookingId": BOOKING}, BOOKING),
        ({"booking_id": "", "bookingId": BOOKING}, BOOKING),
        ({"booking_id": BOOKING.upper()}, BOOKING),
        ({"booking_id": f" {BOOKING}\n"}, BOOKING),
        ({"booking_id": "B-17"}, "B-17"),
        ({"booking_id": "B\0\ud800"}, "B\ufffd\ufffd"),
        ({"booking_id": "{" + BOOKING + "}"}, "{" + BOOKING + "}"),
        ({"booking_id": 17}, None),
        ({}, None),
        (None, None),
        ([], None),
    ],
)
def test_booking_is_named_by_the_metadata(metadata: Any, reference: str | None) -> None:
    assert parse(event(intent(metadata=metadata))).booking_reference == reference


def test_overlong_reference_gives_way_to_its_digest() -> None:
    reference = parse(event(intent(metadata={"booking_id": "x" * 500}))).booking_reference
    assert reference is not None
    assert len(reference) <= 255
    assert reference.startswith("sha256-")


@pytest.mark.parametrize(
    "members",
    [
        {"id": None},
        {"id": ""},
        {"id": 7},
        {"amount_received": "13200"},
        {"amount_received": 132.0},
        {"amount_received": True},
        {"amount_received": -1},
        {"amount_received": AMOUNT_MINOR_UNITS_MAX + 1},
        {"amount_received": 2**63},
        {"amount_received": None, "amount": None},
        {"currency": None},
        {"currency": "us"},
        {"currency": "usdd"},
        {"currency": "u1d"},
        {"currency": "üsd"},
        {"currency": "u\u017fd"},
        {"currency": "isk", "amount_received": 50},
        {"currency": "mga", "amount_received": AMOUNT_MINOR_UNITS_MAX},
    ],
    ids=str,
)
def test_unusable_payment_is_malformed(members: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessageError):
        parse(event(intent(**members)))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"data": []}',
        b'{"data": {"object": 1}}',
        b"\xff\xfe",
        b'{"data": {"object": {"amount_received": NaN}}}',
        b"[" * 100_000,
        b'{"data": {"object": {"amount_received": ' + b"9" * 10_000 + b"}}}",
    ],
    ids=lambda value: value[:40],
)
def test_what_is_no_payment_is_malformed(value: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        parse(value)


def test_last_of_a_repeated_name_counts() -> None:
    value = event(intent()).replace(
        b'"amount_received": 13200', b'"amount_received": 1, "amount_received": 2'
    )
    assert paid(value).amount == 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3)
    ),
    max_leaves=8,
)
members = st.sampled_from(["id", "amount", "amount_received", "currency", "metadata"])


@given(st.dictionaries(members, json_values))
def test_any_member_gives_a_payment_or_a_malformed_message(changed: dict[str, Any]) -> None:
    try:
        payment = parse(event(intent(**changed)))
    except MalformedMessageError:
        return
    assert payment.amount is not None
    assert 0 <= payment.amount.amount <= AMOUNT_MINOR_UNITS_MAX
    for text in (payment.object_id, payment.booking_reference or ""):
        assert "\0" not in text
        text.encode()


@given(st.binary(max_size=200))
def test_any_bytes_give_a_malformed_message(value: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        parse(value)
