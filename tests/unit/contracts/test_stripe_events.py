"""Whose event it is, and whether it carries what happened (BK-7a, BK-7b)."""

import json
from typing import Any

import pytest

from contracts.stripe_events import (
    JsonObjectError,
    StripeWorld,
    read_envelope,
    read_stripe_event,
    stripe_world,
)

LIVE = StripeWorld(is_live=True, account=None)
TEST = StripeWorld(is_live=False, account=None)
OURS = StripeWorld(is_live=True, account="acct_ours")
SNAPSHOT = {
    "id": "evt_1",
    "object": "event",
    "type": "payment_intent.succeeded",
    "data": {"object": {"id": "pi_1"}},
}
THIN = {
    "id": "evt_1",
    "object": "v2.core.event",
    "type": "v1.payment_intent.succeeded",
    "related_object": {"id": "pi_1", "type": "payment_intent", "url": "/v1/payment_intents/pi_1"},
}


def not_applied(world: StripeWorld, event: dict[str, Any], **members: Any) -> str | None:
    body = json.dumps({**event, **members}).encode()
    reason = world.not_applied(read_stripe_event(body))
    assert world.not_applied(read_envelope(body)) == reason, "the envelope alone says something else"
    return reason


@pytest.mark.parametrize(
    ("world", "members", "reason"),
    [
        (LIVE, {"livemode": True}, None),
        (LIVE, {"livemode": False}, "other_mode"),
        (LIVE, {}, "other_mode"),
        (LIVE, {"livemode": "true"}, "other_mode"),
        (LIVE, {"livemode": 1}, "other_mode"),
        (TEST, {"livemode": False}, None),
        (TEST, {}, None),
        (TEST, {"livemode": True}, "other_mode"),
        (LIVE, {"livemode": True, "account": None}, None),
        (LIVE, {"livemode": True, "account": ""}, None),
        (LIVE, {"livemode": True, "account": "acct_other"}, "other_account"),
        (LIVE, {"livemode": True, "account": {"id": "acct_ours"}}, "other_account"),
        (OURS, {"livemode": True, "account": "acct_ours"}, None),
        (OURS, {"livemode": True}, None),
        (OURS, {"livemode": True, "account": "acct_other"}, "other_account"),
        (OURS, {"livemode": False, "account": "acct_ours"}, "other_mode"),
    ],
)
def test_events_of_our_mode_and_account_count(
    world: StripeWorld, members: dict[str, Any], reason: str | None
) -> None:
    assert not_applied(world, SNAPSHOT, **members) == reason


@pytest.mark.parametrize(
    ("event_type", "reason"),
    [
        ("v1.payment_intent.succeeded", "thin_event"),
        ("v1.checkout.session.completed", "thin_event"),
        ("v1.charge.refunded", "thin_event"),
        ("v1.charge.dispute.created", "thin_event"),
        ("v2.payments.off_session_payment.succeeded", "thin_event"),
        ("v1.billing.meter.no_meter_found", None),
        ("v2.core.event_destination.ping", None),
        ("v1.payment_intent.created", None),
    ],
)
def test_thin_event_that_is_about_money_carries_nothing_to_apply(event_type: str, reason: str | None) -> None:
    assert not_applied(TEST, THIN, type=event_type) == reason
    assert not_applied(TEST, {**THIN, "object": "event"}, type=event_type) == reason


def test_snapshot_that_also_names_a_related_object_is_no_thin_event() -> None:
    assert not_applied(TEST, {**SNAPSHOT, "related_object": {"id": "pi_1"}}) is None


@pytest.mark.parametrize(
    ("mode", "environment", "is_live"),
    [
        (None, "development", False),
        (None, "production", True),
        ("test", "production", False),
        ("live", "development", True),
    ],
)
def test_production_takes_live_events_unless_told_otherwise(
    mode: Any, environment: str, *, is_live: bool
) -> None:
    assert stripe_world(mode, None, environment).is_live is is_live


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"null", b"NaN", b"[" * 100_000])
def test_what_is_no_object_is_no_event(body: bytes) -> None:
    for read in (read_stripe_event, read_envelope):
        with pytest.raises(JsonObjectError):
            read(body)


@pytest.mark.parametrize(
    ("member", "is_json"),
    [
        (b'"a": "\\ud83d"', True),
        (b'"a": 1e400', True),
        (b'"livemode": false, "livemode": true', True),
        (b'"a": "\xff"', False),
        (b'"a": NaN', False),
        (b'"a": 01', False),
        (b'"a": "\x01"', False),
        (b'"a": "\\x"', False),
    ],
)
def test_envelope_reads_what_the_whole_event_reads(member: bytes, *, is_json: bool) -> None:
    body = b'\xef\xbb\xbf{"livemode": true, "data": {%s}, %s}' % (member, member)
    if is_json:
        assert LIVE.not_applied(read_envelope(body)) == LIVE.not_applied(read_stripe_event(body)) is None
        return
    for read in (read_stripe_event, read_envelope):
        with pytest.raises(JsonObjectError):
            read(body)
