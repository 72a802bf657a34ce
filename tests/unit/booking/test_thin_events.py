"""Thin events: which are fetched, how an answer of Stripe is classified, which keys are refused (BK-7b)."""

import dataclasses
from typing import Any

import pytest

from booking.adapters.stripe_client import PATHS, StripeObjects
from booking.adapters.stripe_events import OBJECT_TYPES, READERS, read_facts, read_object, read_thin_event
from booking.domain.thin_events import ATTEMPTS_MAX, FetchError, FetchLaterError, FetchRefusedError, ThinEvent
from contracts.stripe_events import StripeEvent
from contracts.stripe_keys import check_key
from harness.stripe_api import API_KEY, stripe_api
from unit.booking.test_stripe_events import intent

RELATED = {"id": "pi_1", "type": "payment_intent", "url": "/v1/payment_intents/pi_1"}


def thin(**members: Any) -> ThinEvent | None:
    event = {
        "id": "evt_1",
        "object": "v2.core.event",
        "type": "v1.payment_intent.succeeded",
        "created": "2026-09-21T14:13:20.000Z",
        "related_object": RELATED,
        **members,
    }
    return read_thin_event(StripeEvent(event), source="/webhooks/stripe", event_id="evt_1")


def test_object_is_read_as_that_of_a_snapshot_event() -> None:
    event = thin()
    assert event is not None
    assert (event.event_type, event.object_type, event.object_id, event.occurred_at) == (
        "stripe.payment_intent.succeeded",
        "payment_intent",
        "pi_1",
        1_790_000_000,
    )
    snapshot = StripeEvent({"created": 1_790_000_000, "data": {"object": intent()}})
    assert read_object(event, intent()) == read_facts(event.event_type, snapshot, event_id="evt_1")


@pytest.mark.parametrize(
    "members",
    [
        {"type": "v2.money_management.inbound_transfer.available"},
        {"related_object": None},
        {"related_object": {**RELATED, "id": "../accounts"}},
        {"related_object": {**RELATED, "id": 7}},
        {"related_object": {**RELATED, "type": "checkout.session"}},
        {"object": "event", "related_object": RELATED, "data": {"object": intent()}},
    ],
)
def test_event_whose_object_cannot_be_fetched_is_left_to_the_anomaly(members: dict[str, Any]) -> None:
    assert thin(**members) is None


def test_every_applied_type_has_an_object_that_can_be_fetched() -> None:
    assert {OBJECT_TYPES[reader] for reader in READERS.values()} == PATHS.keys()


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (401, FetchLaterError, "STRIPE_API_KEY"),
        (403, FetchRefusedError, "may not read payment_intent"),
        (404, FetchRefusedError, "no such payment_intent"),
        (400, FetchRefusedError, "400"),
        (429, FetchLaterError, "too many requests"),
        (503, FetchLaterError, "503"),
    ],
)
async def test_failed_request_says_whether_to_come_again(
    status: int, error: type[FetchError], words: str
) -> None:
    with stripe_api() as api:
        path = "/v1/payment_intents/pi_1"
        api.failures[path] = [status]
        objects = StripeObjects(API_KEY, api.url)
        with pytest.raises(error, match=words):
            await objects.fetch("payment_intent", "pi_1")
        assert api.requests == [path], "the client repeats nothing"
        api.objects[path] = intent()
        assert await objects.fetch("payment_intent", "pi_1") == intent()
        await objects.close()


async def test_unreachable_api_is_asked_again() -> None:
    with stripe_api() as api:
        url = api.url
    objects = StripeObjects(API_KEY, url)
    with pytest.raises(FetchLaterError, match="STRIPE_API_BASE"):
        await objects.fetch("charge", "ch_1")
    await objects.close()


def test_attempts_end_and_their_delays_do_not_overflow() -> None:
    event = thin()
    assert event is not None
    delays = [dataclasses.replace(event, attempts=n).delay_seconds for n in range(1, ATTEMPTS_MAX + 1)]
    assert (delays[0], delays[1], delays[-1]) == (5.0, 10.0, 3600.0)
    assert dataclasses.replace(event, attempts=ATTEMPTS_MAX).is_last_attempt


@pytest.mark.parametrize(
    ("key", "is_live", "words"),
    [
        ("sk_test_1", True, "is a key of test mode"),
        ("rk_test_1", True, "is a key of test mode"),
        ("sk_live_1", False, "is a key of live mode"),
        ("rk_live_1", False, "is a key of live mode"),
        ("pk_live_1", True, "is no secret key"),
    ],
)
def test_key_of_the_wrong_mode_is_refused(key: str, is_live: bool, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_key(key, is_live=is_live)
    check_key("rk_live_1" if is_live else "sk_test_1", is_live=is_live)
