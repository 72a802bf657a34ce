"""Thin events on the real stack: fetched, applied once, retried, reported (BK-7b)."""

import json
from collections.abc import AsyncGenerator, Generator
from typing import Any, cast

import httpx
import pytest

from chassis import clock
from harness import Infra, Record, Stack, eventually, start_services
from harness.stripe_api import API_KEY, Failure, StripeApi, stripe_api
from integration.booking.booking_calls import (
    EVENTS,
    WORKED_TOTAL,
    BookingApi,
    payload,
    payment_record,
    webhook_record,
)


@pytest.fixture(scope="module")
def stripe() -> Generator[StripeApi]:
    with stripe_api() as api:
        yield api


@pytest.fixture(scope="module")
async def thin_stack(infra: Infra, stripe: StripeApi) -> AsyncGenerator[Stack]:
    env = {"STRIPE_API_KEY": API_KEY, "STRIPE_API_BASE": stripe.url}
    async with start_services(infra, "booking", env=env) as stack:
        yield stack


@pytest.fixture
def api(thin_stack: Stack, http: httpx.AsyncClient) -> BookingApi:
    return BookingApi(thin_stack, http)


def intent(intent_id: str, booking_id: str) -> dict[str, Any]:
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount": WORKED_TOTAL,
        "amount_received": WORKED_TOTAL,
        "currency": "usd",
        "status": "succeeded",
        "metadata": {"booking_id": booking_id},
    }


def thin_record(intent_id: str, event_id: str | None = None) -> Record:
    """Return a thin event as the gateway publishes it."""
    event_id = event_id or f"evt_{clock.new_id()}"
    body = {
        "id": event_id,
        "object": "v2.core.event",
        "type": "v1.payment_intent.succeeded",
        "livemode": False,
        "created": "2026-09-21T14:13:20.000Z",
        "related_object": {"id": intent_id, "type": "payment_intent", "url": path(intent_id)},
    }
    return webhook_record(
        json.dumps(body).encode(),
        key=event_id,
        event_id=event_id,
        event_type="stripe.v1.payment_intent.succeeded",
    )


def path(intent_id: str) -> str:
    return f"/v1/payment_intents/{intent_id}"


def new_intent() -> str:
    return f"pi_{clock.new_id().replace('-', '')}"


async def waiting(stack: Stack) -> int:
    return await stack.database("booking").fetchval("SELECT count(*) FROM thin_event")


async def test_thin_event_pays_its_booking_once(api: BookingApi, stripe: StripeApi) -> None:
    booking_id, intent_id, event_id = (await api.create())["id"], new_intent(), f"evt_{clock.new_id()}"
    stripe.objects[path(intent_id)] = intent(intent_id, booking_id)
    await api.publish(thin_record(intent_id, event_id))
    assert (await api.when_paid(booking_id))["status"] == "confirmed"
    snapshot = payment_record(booking_id, payment_id=intent_id, event_id=event_id)
    await api.publish(thin_record(intent_id, event_id), snapshot)
    await api.settled(booking_id)
    await api.settled(event_id)
    assert stripe.requests.count(path(intent_id)) == 1
    assert len(await api.payments(booking_id)) == 1
    assert await waiting(api.stack) == 0


async def test_failure_of_stripe_is_outlived_and_readiness_tells(
    api: BookingApi, stripe: StripeApi, http: httpx.AsyncClient
) -> None:
    booking_id, intent_id = (await api.create())["id"], new_intent()
    stripe.objects[path(intent_id)] = intent(intent_id, booking_id)
    stripe.failures[path(intent_id)] = [503]
    await api.publish(thin_record(intent_id))

    async def told() -> bool:
        report = (await http.get(f"{api.stack.url('booking')}/health/ready")).json()
        assert report["status"] == "ready"
        assert "1 thin events wait" in str(report["checks"])
        return "(503)" in str(report["checks"])

    await eventually(told)
    await api.when_paid(booking_id)


async def test_unknown_object_is_reported_once_and_applied_when_sent_again(
    api: BookingApi, stripe: StripeApi
) -> None:
    booking_id, intent_id, event_id = (await api.create())["id"], new_intent(), f"evt_{clock.new_id()}"

    async def anomalies() -> list[dict[str, Any]]:
        records = await api.stack.topic(EVENTS).records()
        found = [payload(record) for record in records if intent_id.encode() in (record.value or b"")]
        return [item for item in found if item.get("kind") == "thin_event"]

    for times in (1, 2):
        await api.publish(thin_record(intent_id, event_id))
        await eventually(lambda times=times: asked(stripe, intent_id, times))
    [anomaly] = cast("list[dict[str, Any]]", await eventually(anomalies))
    assert "Stripe has no such payment_intent" in anomaly["explanation"]
    stripe.objects[path(intent_id)] = intent(intent_id, booking_id)
    await api.publish(thin_record(intent_id, event_id))
    await api.when_paid(booking_id)
    assert len(await anomalies()) == 1


async def test_process_that_is_killed_while_it_fetches_loses_no_thin_event(
    api: BookingApi, stripe: StripeApi
) -> None:
    booking_id, intent_id = (await api.create())["id"], new_intent()
    stripe.objects[path(intent_id)] = intent(intent_id, booking_id)
    stripe.failures[path(intent_id)] = [Failure(seconds=3.0)]
    await api.publish(thin_record(intent_id))
    await eventually(lambda: asked(stripe, intent_id, 1))
    (process,) = api.stack.services("booking")
    await process.kill()
    database = api.stack.database("booking")
    claim = "SELECT attempts FROM thin_event WHERE object_id = $1 AND due_at > now()"
    assert await database.fetchval(claim, intent_id) == 1
    assert (await database.fetchval("SELECT count(*) FROM money_fact WHERE object_id = $1", intent_id)) == 0
    # What would come to pass at the end of the claim.
    await database.execute("UPDATE thin_event SET due_at = now() WHERE object_id = $1", intent_id)
    await process.start()
    await api.when_paid(booking_id)
    assert asked(stripe, intent_id, 2)
    assert len(await api.payments(booking_id)) == 1
    assert await waiting(api.stack) == 0


def asked(stripe: StripeApi, intent_id: str, times: int) -> bool:
    return stripe.requests.count(path(intent_id)) == times
