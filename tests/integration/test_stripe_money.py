"""Stripe's events through all four services: whose money, how much, how often (BK-7a, BK-10a)."""

import json
from typing import Any

import httpx
import pytest

from chassis import clock
from harness import Stack, eventually
from integration.booking_calls import WORKED_TOTAL, BookingApi


def stripe_event(
    booking_id: str | None, *, amount: int = WORKED_TOTAL, currency: str = "usd", **envelope: Any
) -> dict[str, Any]:
    """A `payment_intent.succeeded` in Stripe's own form."""
    return {
        "id": f"evt_{clock.new_id()}",
        "object": "event",
        "api_version": "2026-09-30",
        "created": 1_790_000_000,
        "livemode": False,
        "pending_webhooks": 1,
        "type": "payment_intent.succeeded",
        "data": {
            "object": {
                "id": f"pi_{clock.new_id()}",
                "object": "payment_intent",
                "amount": amount,
                "amount_received": amount,
                "currency": currency,
                "status": "succeeded",
                "metadata": {} if booking_id is None else {"booking_id": booking_id},
            }
        },
        **envelope,
    }


class Observed:
    """What the services say of an event, over HTTP."""

    def __init__(self, stack: Stack, http: httpx.AsyncClient) -> None:
        self.stack = stack
        self.bookings = BookingApi(stack, http)
        self._http = http

    async def deliver(self, event: Any) -> None:
        answer = await self.stack.deliver.stripe(event)
        assert answer.status_code == 200, answer.text

    async def entries(self, **filters: str) -> list[dict[str, Any]]:
        answer = await self._http.get(f"{self.stack.url('audit')}/api/event-log", params=filters)
        return answer.json()["items"]

    async def entry(self, **filters: str) -> dict[str, Any]:
        """The one entry, as soon as it is there."""
        found = await eventually(lambda: self.entries(**filters))
        assert len(found) == 1
        return found[0]

    async def exceptions(self, *, text: str) -> list[dict[str, Any]]:
        answer = await self._http.get(
            f"{self.stack.url('reconciler')}/api/exceptions", params={"limit": "500"}
        )
        return [found for found in answer.json()["exceptions"] if text in str(found)]


@pytest.fixture
def observed(stack: Stack, http: httpx.AsyncClient) -> Observed:
    return Observed(stack, http)


@pytest.mark.parametrize(
    ("sent", "currency", "amount", "shown", "severity"),
    [
        (3200, "jpy", 3200, "3200 JPY", "high"),
        (5000, "kwd", 5000, "5.000 KWD", "medium"),
        (900, "isk", 9, "9 ISK", "medium"),
        (13200, "qqq", 13200, "13200 minor units of QQQ", "high"),
    ],
)
async def test_money_of_another_currency_is_told_with_its_own_digits(
    observed: Observed, sent: int, currency: str, amount: int, shown: str, severity: str
) -> None:
    booking = await observed.bookings.create()
    event = stripe_event(booking["id"], amount=sent, currency=currency)
    await observed.deliver(event)
    entry = await observed.entry(booking_id=booking["id"], event_type="booking.payment-anomaly")
    assert entry["metadata"]["captured"] == {"amount": amount, "currency": currency.upper()}
    (found,) = await eventually(lambda: observed.exceptions(text=booking["id"]))
    assert (found["severity"], found["title"]) == (severity, f"{shown} from stripe: currency mismatch")
    assert found["explanation"]["remarks"] == [f"{shown} was paid, but the booking is in USD"]


@pytest.mark.parametrize("spelling", ["{}\n", "  {}\u00a0", "\r\n{}"])
async def test_booking_id_with_blanks_around_it_is_one_id_everywhere(
    observed: Observed, spelling: str
) -> None:
    booking_id = (await observed.bookings.create())["id"]
    event = stripe_event(spelling.format(booking_id.upper()))
    await observed.deliver(event)
    assert (await observed.bookings.when_paid(booking_id))["status"] == "confirmed"
    entry = await observed.entry(booking_id=booking_id, event_id=event["id"])
    assert (entry["event_type"], entry["source"]) == ("stripe.payment_intent.succeeded", "stripe")
    records = await observed.stack.topic("webhooks.stripe.v1").records()
    (record,) = [record for record in records if record.header("ce_id") == event["id"]]
    assert (record.key, record.header("ce_subject")) == (booking_id.encode(), booking_id)


def rendered_anew(event: dict[str, Any]) -> dict[str, Any]:
    """The event as another endpoint with an older API version gets it."""
    charges = {"object": "list", "data": []}
    intent = {**event["data"]["object"], "charges": charges}
    return {
        **event,
        "api_version": "2019-02-19",
        "pending_webhooks": 0,
        "request": None,
        "data": {"object": intent},
    }


@pytest.mark.parametrize("event_type", ["payment_intent.succeeded", "price.created"])
async def test_copy_that_was_rendered_anew_is_a_copy_and_is_kept(observed: Observed, event_type: str) -> None:
    booking_id = (await observed.bookings.create())["id"]
    event = stripe_event(booking_id, type=event_type)
    other = rendered_anew(event)
    for body in (event, other, other):
        await observed.deliver(body)
    await observed.bookings.settled(booking_id)
    entry = await observed.entry(event_id=event["id"])
    kept = "SELECT body FROM event_rendering WHERE entry_id = $1"
    rows = await eventually(lambda: observed.stack.database("audit").fetch(kept, entry["entry_id"]))
    assert [json.loads(row["body"]) for row in rows] == [other]
    assert [
        found["event_type"]
        for found in await observed.entries(booking_id=booking_id)
        if "conflict" in str(found)
    ] == []
    assert await observed.exceptions(text=event["id"]) == []


async def test_contradiction_under_one_event_id_is_reported_once_and_applied_never(
    observed: Observed,
) -> None:
    booking_id = (await observed.bookings.create())["id"]
    event = stripe_event(booking_id, amount=5000)
    contradiction = stripe_event(booking_id, id=event["id"], created=event["created"])
    for body in (event, contradiction, contradiction):
        await observed.deliver(body)
    await observed.bookings.settled(booking_id)
    assert (await observed.bookings.read(booking_id))["payment_status"] == "partially_paid"
    entry = await observed.entry(event_type="message.identity-conflict", booking_id=booking_id)
    kept = "SELECT body FROM event_payload WHERE entry_id = $1"
    body = await observed.stack.database("audit").fetchval(kept, entry["entry_id"])
    assert json.loads(body) == contradiction
    (found,) = await eventually(lambda: observed.exceptions(text=event["id"]))
    assert (found["type"], found["severity"]) == ("identity_conflict", "high")
