"""Days at Stripe: events and objects of its lists, as a business has them, and calls of the sweep's API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from chassis import clock
from harness import Stack, eventually
from harness.stripe_api import StripeApi

EVENTS, INTENTS, CHARGES, REFUNDS = "/v1/events", "/v1/payment_intents", "/v1/charges", "/v1/refunds"
LISTS = (EVENTS, INTENTS, CHARGES, REFUNDS)
TOTAL = 13200
"""Price of the bookings of `booking_calls`."""
SWEEP_SECONDS_MAX = 90.0


def empty_lists(stripe: StripeApi) -> None:
    stripe.lists.update({path: [] for path in LISTS})
    stripe.failures.clear()


def ago(**time: float) -> int:
    moment = datetime.now(UTC) - timedelta(**time)  # noqa: TID251 - the services use the real clock too
    return int(moment.timestamp())


def intent(booking_id: str | None, *, created: int, amount: int = TOTAL, **members: Any) -> dict[str, Any]:
    return {
        "id": f"pi_{clock.new_id().replace('-', '')}",
        "object": "payment_intent",
        "created": created,
        "amount": amount,
        "amount_received": amount,
        "currency": "usd",
        "status": "succeeded",
        "metadata": {} if booking_id is None else {"booking_id": booking_id},
        **members,
    }


def event_of(subject: dict[str, Any], event_type: str = "payment_intent.succeeded") -> dict[str, Any]:
    """Return an event about an object, as Stripe's event list renders it."""
    return {
        "id": f"evt_{clock.new_id().replace('-', '')}",
        "object": "event",
        "api_version": "2026-09-30",
        "created": subject["created"],
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": event_type,
        "data": {"object": subject},
    }


def rendered_anew(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event as an endpoint with another API version gets it."""
    return {**event, "api_version": "2019-02-11", "pending_webhooks": 0, "request": None}


async def sweep(stack: Stack, http: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    """Request a sweep, wait for its end and return it with what it has found."""
    asked = await http.post(f"{stack.url('reconciler')}/api/sweeps", json=body)
    assert asked.status_code == 202, asked.text
    return await ended_sweep(stack, http, asked.json()["id"])


async def ended_sweep(stack: Stack, http: httpx.AsyncClient, sweep_id: str) -> dict[str, Any]:
    async def ended() -> dict[str, Any] | None:
        answer = await http.get(f"{stack.url('reconciler')}/api/sweeps/{sweep_id}")
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.json()["status"] in {"completed", "failed"} else None

    item = await eventually(ended, seconds=SWEEP_SECONDS_MAX, what=f"sweep {sweep_id} has ended")
    assert item is not None
    assert item["seen"] == item["known"] + item["pending"] + item["missed"]
    return item


async def exceptions(
    stack: Stack, http: httpx.AsyncClient, object_id: str, **filters: str
) -> list[dict[str, Any]]:
    """Return the exceptions about one of Stripe's objects or events."""
    parameters = {"limit": 500, **filters}
    answer = await http.get(f"{stack.url('reconciler')}/api/exceptions", params=parameters)
    assert answer.status_code == 200, answer.text
    return [item for item in answer.json()["exceptions"] if object_id in str(item)]


async def status_of(stack: Stack, http: httpx.AsyncClient, object_id: str) -> str | None:
    found = await exceptions(stack, http, object_id)
    return found[0]["status"] if len(found) == 1 else None
