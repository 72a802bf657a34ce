"""GW-10 and GW-11: event id, type, key and time, out of whatever the body holds."""

import json
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.reasons import RefusalReason
from unit.webhook_gateway.signed_deliveries import NOW
from webhook_gateway.domain.identity import (
    EventIdentity,
    IdentityRule,
    SignedFacts,
    derived_event_id,
    identify,
    identity_headers,
)
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.source import IDENTITIES, SMS_IDENTITY, STRIPE_IDENTITY
from webhook_gateway.domain.strict_json import Document, Outline, parse

STRIPE_OUTLINE = Outline(STRIPE_IDENTITY.pointers())
SIGNED = SignedFacts(signed_at=NOW, message_id=None)


def identity(
    body: object, rule: IdentityRule = STRIPE_IDENTITY, signed: SignedFacts = SIGNED
) -> EventIdentity:
    found = identify(Document(body), json.dumps(body).encode(), rule, "stripe", signed)
    assert isinstance(found, EventIdentity)
    return found


def stripe_event(**metadata: object) -> dict[str, object]:
    return {
        "id": "evt_1",
        "type": "payment_intent.succeeded",
        "created": 1_700_000_000,
        "data": {"object": {"id": "pi_1", "metadata": metadata}},
    }


def test_stripe_event_with_a_booking_is_keyed_by_it() -> None:
    assert identity(stripe_event(booking_id="b-1")) == EventIdentity(
        event_id="evt_1",
        type="payment_intent.succeeded",
        object_id="pi_1",
        booking_id="b-1",
        occurred_at=datetime.fromtimestamp(1_700_000_000, UTC),
    )
    assert identity(stripe_event(booking_id="b-1")).key == "b-1"


@pytest.mark.parametrize(
    ("metadata", "key"),
    [
        ({"bookingId": "old"}, "old"),
        ({"booking_id": "new", "bookingId": "old"}, "new"),
        ({"booking_id": "", "bookingId": "old"}, "old"),
        ({"booking_id": None}, "pi_1"),
        ({"booking_id": ["b-1"]}, "pi_1"),
        ({"booking_id": "line\nfeed"}, "pi_1"),
        ({"booking_id": "half \ud83d emoji"}, "pi_1"),
        ({}, "pi_1"),
    ],
)
def test_key_is_the_booking_id_else_the_object_id(metadata: dict[str, object], key: str) -> None:
    assert identity(stripe_event(**metadata)).key == key


def test_key_without_booking_and_object_is_the_event_id() -> None:
    assert identity({"id": "evt_1", "type": "ping"}).key == "evt_1"


def test_stripe_thin_event_is_keyed_by_its_related_object() -> None:
    body = {
        "id": "evt_1",
        "object": "v2.core.event",
        "type": "v1.billing.meter.no_meter_found",
        "created": "2026-11-23T11:59:00.000Z",
        "related_object": {"id": "mtr_1"},
    }
    assert identity(body).key == "mtr_1"
    assert identity(body).occurred_at == datetime(2026, 11, 23, 11, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "body", [{}, [], "text", 5, None, {"id": None}, {"id": ""}, {"id": {}}, {"id": True}, [{"id": "evt_1"}]]
)
def test_stripe_body_without_an_event_id_is_refused(body: object) -> None:
    found = identify(Document(body), b"x", STRIPE_IDENTITY, "stripe", SIGNED)
    assert found == Refused(RefusalReason.EVENT_ID_MISSING)


@pytest.mark.parametrize("wrapper", ["object", "resource"])
def test_both_openphone_envelopes_are_understood(wrapper: str) -> None:
    body = {
        "id": "EV1",
        "type": "message.received",
        "createdAt": "2022-01-23T16:55:52.557Z",
        "data": {wrapper: {"id": "AC1"}},
    }
    found = identity(body, SMS_IDENTITY)
    assert (found.event_id, found.type, found.key) == ("EV1", "message.received", "AC1")
    assert found.occurred_at == datetime(2022, 1, 23, 16, 55, 52, 557000, tzinfo=UTC)


def test_sms_without_an_event_id_takes_the_signed_message_id_else_a_derived_one() -> None:
    body: dict[str, object] = {"type": "message.received"}
    assert identity(body, SMS_IDENTITY, SignedFacts(NOW, "msg_1")).event_id == "msg_1"
    derived = identity(body, SMS_IDENTITY).event_id
    assert derived == derived_event_id("stripe", NOW, json.dumps(body).encode())
    assert identity(body, SMS_IDENTITY, SignedFacts()).event_id != derived


def shopify_event_id(topic: str | None, event_id: str) -> str:
    headers = [(b"x-shopify-event-id", event_id.encode()), (b"x-shopify-webhook-id", b"w")]
    topics = [] if topic is None else [(b"x-shopify-topic", topic.encode())]
    found = identify(
        Document({"id": 1}), b"{}", IDENTITIES["shopify"], "shop", SignedFacts(), [*topics, *headers]
    )
    assert isinstance(found, EventIdentity)
    return found.event_id


def test_shopify_event_id_is_an_identity_only_together_with_the_topic() -> None:
    # One checkout: both topics carry its id.
    assert shopify_event_id("orders/create", "e1") != shopify_event_id("orders/paid", "e1")
    assert shopify_event_id("orders/paid", "e1") == "orders/paid:e1"
    assert shopify_event_id("orders/paid", "e2") != shopify_event_id("orders/paid", "e1")
    assert shopify_event_id(None, "e1") == "e1"
    assert shopify_event_id("orders/paid", "e" * 250).startswith("sha256-")


def test_derived_id_depends_on_each_of_its_parts_and_on_nothing_else() -> None:
    parts = [
        ("sms", NOW, b"body"),
        ("sms2", NOW, b"body"),
        ("sms", None, b"body"),
        ("sm", None, b"sbody"),
        ("sms", NOW, b"bod"),
        ("sms", None, b""),
    ]
    assert len({derived_event_id(*each) for each in parts}) == len(parts)
    assert derived_event_id("sms", NOW, b"body") == derived_event_id("sms", NOW, b"body")


@pytest.mark.parametrize("type_", [None, 5, "", "\x00", "half \ud83d", ["a"]])
def test_type_that_is_no_text_becomes_unknown(type_: object) -> None:
    expected = "5" if type_ == 5 else "unknown"
    assert identity({"id": "evt_1", "type": type_}).type == expected


def test_id_longer_than_any_column_is_replaced_by_its_digest() -> None:
    first, second = (identity({"id": "e" * 300 + end}).event_id for end in "ab")
    assert first != second
    assert max(len(first), len(second)) <= 255
    assert identity({"id": "e" * 255}).event_id == "e" * 255


lengths = st.integers(0, 40) | st.integers(250, 260) | st.integers(4295, 4305)
digits = st.sampled_from(["0", "-0"]) | st.builds(
    lambda sign, first, length: f"{sign}{first}{'0123456789' * 500:.{length}}",
    st.sampled_from(["", "-"]),
    st.integers(1, 9),
    lengths,
)
"""Whole numbers as they stand in a body: also beyond 64 bits, any column, and what Python converts."""


@settings(max_examples=300, deadline=None)
@given(number=digits, created=digits)
@example(number="9" * 20, created="99999999999")
@example(number="9" * 256, created="20240101123456789012")
@example(number="-" + "9" * 4300, created="-1")
def test_number_is_the_same_id_whichever_way_its_body_is_read(number: str, created: str) -> None:
    body = f'{{"id":{number},"created":{created},"data":{{"object":{{"id":{number}}}}}'
    bodies = [body + "}", body + ',"half":"\\ud83d"}']  # half a surrogate pair: the slow parser's
    documents = [parse(each.encode(), outline) for each in bodies for outline in (None, STRIPE_OUTLINE)]
    found = [
        identify(document, b"", STRIPE_IDENTITY, "stripe", SIGNED)
        for document in documents
        if isinstance(document, Document)
    ]
    assert found == 4 * found[:1]
    assert isinstance(found[0], EventIdentity)
    told = "0" if number == "-0" else number
    expected = told if len(told) <= 255 else f"sha256-{sha256(told.encode()).hexdigest()}"
    assert (found[0].event_id, found[0].object_id) == (expected, expected)


@pytest.mark.parametrize(
    "created",
    [
        None,
        True,
        -1,
        10**30,
        "yesterday",
        "",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        {},
        1.5,
    ],
)
def test_event_time_that_is_no_time_falls_back_to_the_signed_one(created: object) -> None:
    assert identity({"id": "evt_1", "created": created}).occurred_at == NOW
    assert identity({"id": "evt_1", "created": created}, signed=SignedFacts()).occurred_at is None


@pytest.mark.parametrize("scheme", ["github", "shopify", "twilio"])
def test_headers_of_a_sender_identify_the_event_where_its_body_does_not(scheme: str) -> None:
    rule = IDENTITIES[scheme]
    headers = identity_headers(rule, event_id="msg_1", event_type="ping", occurred_at="2026-11-30T09:00:00Z")
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    found = identify(Document({}), b"{}", rule, scheme, SignedFacts(), sent)
    assert isinstance(found, EventIdentity)
    assert found.event_id == ("ping:msg_1" if rule.event_id_within else "msg_1")
    if rule.event_type != IDENTITIES["twilio"].event_type:
        assert found.type == "ping"
    assert (found.occurred_at is not None) is bool(rule.occurred_at)


def test_sender_whose_body_says_all_needs_no_headers() -> None:
    for rule in (STRIPE_IDENTITY, SMS_IDENTITY, IDENTITIES["slack"]):
        assert not identity_headers(rule, event_id="msg_1", event_type="ping", occurred_at="t")
