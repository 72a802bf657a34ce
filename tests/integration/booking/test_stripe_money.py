"""Stripe's events through all four services: whose money, how much, how often (BK-7a, BK-10a)."""

import json
from typing import Any

import httpx
import pytest

from chassis import clock
from harness import Infra, Stack, eventually, start_services
from integration.booking.booking_calls import WORKED_TOTAL, BookingApi, webhook_record


def stripe_event(
    booking_id: str | None, *, amount: int = WORKED_TOTAL, currency: str = "usd", **envelope: Any
) -> dict[str, Any]:
    """Return a `payment_intent.succeeded` as Stripe sends it."""
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
    """Reads what the services show of an event over HTTP."""

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
        """Wait for the one entry and return it."""
        item = await eventually(lambda: self.entries(**filters))
        assert len(item) == 1
        return item[0]

    async def exceptions(self, *, text: str) -> list[dict[str, Any]]:
        answer = await self._http.get(
            f"{self.stack.url('reconciler')}/api/exceptions", params={"limit": "500"}
        )
        return [item for item in answer.json()["exceptions"] if text in str(item)]


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
    (item,) = await eventually(lambda: observed.exceptions(text=booking["id"]))
    assert (item["severity"], item["title"]) == (severity, f"{shown} from stripe: currency mismatch")
    assert item["explanation"]["remarks"] == [f"{shown} was paid, but the booking is in USD"]


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
    """Return the event as an endpoint with an older API version gets it."""
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
        item["event_type"]
        for item in await observed.entries(booking_id=booking_id)
        if "conflict" in str(item)
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
    (item,) = await eventually(lambda: observed.exceptions(text=event["id"]))
    assert (item["type"], item["severity"]) == ("identity_conflict", "high")


async def test_event_of_live_mode_changes_nothing_in_test_mode_and_is_reported_once(
    observed: Observed,
) -> None:
    booking_id = (await observed.bookings.create())["id"]
    event = stripe_event(booking_id, livemode=True)
    for _ in range(3):
        await observed.deliver(event)
    await not_applied(observed, event, booking_id, "other_mode", "132.00 USD")
    # Nothing of it stands in the inbox: rendered for the right mode the event is applied.
    await observed.deliver({**event, "livemode": False})
    await observed.bookings.when_paid(booking_id)


async def test_event_of_a_connected_account_changes_nothing_and_is_reported_once(observed: Observed) -> None:
    booking_id = (await observed.bookings.create())["id"]
    event = stripe_event(booking_id, account="acct_connected")
    for _ in range(2):
        await observed.deliver(event)
    await not_applied(observed, event, booking_id, "other_account", "132.00 USD")


async def test_event_of_another_world_that_tells_of_no_money_is_skipped_without_a_word(
    observed: Observed,
) -> None:
    booking_id = (await observed.bookings.create())["id"]
    event = stripe_event(booking_id, type="price.created", livemode=True)
    await observed.deliver(event)
    await observed.bookings.settled(booking_id)
    assert (await observed.entry(event_id=event["id"]))["status"] == "skipped"
    assert await observed.entries(booking_id=booking_id, event_type="booking.payment-anomaly") == []


async def test_thin_event_of_a_payment_is_reported_once_and_is_no_success(observed: Observed) -> None:
    name = f"pi_{clock.new_id()}"
    event = {
        "id": f"evt_test_{clock.new_id()}",
        "object": "v2.core.event",
        "type": "v1.payment_intent.succeeded",
        "livemode": False,
        "created": "2026-11-20T08:00:00.000Z",
        "context": None,
        "related_object": {"id": name, "type": "payment_intent", "url": f"/v1/payment_intents/{name}"},
    }
    for _ in range(2):
        await observed.deliver(event)
    await observed.bookings.settled(name)
    entry = await observed.entry(event_id=event["id"])
    assert (entry["status"], entry["metadata"]["not_applied"]) == ("skipped", "thin_event")
    (item,) = await eventually(lambda: observed.exceptions(text=name))
    assert (item["type"], item["severity"]) == ("payment_anomaly", "high")
    assert (item["title"], item["occurrences"]) == ("An unknown amount from stripe: thin event", 1)
    assert f"names payment_intent {name}" in item["explanation"]["remarks"][0]


async def not_applied(
    observed: Observed, event: dict[str, Any], booking_id: str, kind: str, money: str
) -> None:
    """Assert that the booking is unchanged, and that entry, anomaly and exception report why, once."""
    await observed.bookings.settled(booking_id)
    booking = await observed.bookings.read(booking_id)
    assert (booking["status"], booking["payment_status"], booking["version"]) == ("pending", "unpaid", 1)
    assert await observed.bookings.payments(booking_id) == []
    entry = await observed.entry(event_id=event["id"])
    assert (entry["status"], entry["metadata"]["not_applied"]) == ("skipped", kind)
    anomaly = await observed.entry(booking_id=booking_id, event_type="booking.payment-anomaly")
    assert (anomaly["error"], anomaly["causation_id"]) == (kind, event["id"])
    (item,) = await eventually(lambda: observed.exceptions(text=booking_id))
    assert (item["title"], item["occurrences"]) == (f"{money} from stripe: {kind.replace('_', ' ')}", 1)


async def test_production_takes_live_events_and_those_of_its_own_account(
    infra: Infra, http: httpx.AsyncClient
) -> None:
    settings = {"ENVIRONMENT": "production", "STRIPE_ACCOUNT": "acct_ours"}
    async with start_services(infra, "booking", env=settings) as own:
        bookings = BookingApi(own, http)
        refused, ours, plain = [(await bookings.create())["id"] for _ in range(3)]
        for booking_id, event in (
            (refused, stripe_event(refused)),
            (ours, stripe_event(ours, livemode=True, account="acct_ours")),
            (plain, stripe_event(plain, livemode=True)),
        ):
            body = json.dumps(event).encode()
            await bookings.publish(webhook_record(body, key=booking_id, event_id=event["id"]))
        await bookings.when_paid(ours)
        await bookings.when_paid(plain)
        (anomaly,) = (await bookings.events(refused, 2))[1:]
        assert json.loads(anomaly.value or b"")["kind"] == "other_mode"
        assert (await bookings.read(refused))["payment_status"] == "unpaid"
