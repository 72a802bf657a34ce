"""Calls and records for tests of booking: HTTP requests, Stripe events on their topic, booking's events."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from chassis import clock
from contracts.metadata import VERIFICATION_HEADER, MessageMetadata
from harness import Record, Stack, eventually

STRIPE = "webhooks.stripe.v1"
EVENTS = "bookings.events.v1"
SUCCEEDED = "stripe.payment_intent.succeeded"

# 30 + 60 + 30 minutes, 3 pets, holiday: 20 + 32 + 20 + 6 x 5 + 3 x 10 (requirements, Pricing).
WORKED_TOTAL = 13200
VISITS = [
    {"starts_at": f"2026-11-24T{hour}:00:00Z", "ends_at": ends}
    for hour, ends in (
        ("15", "2026-11-24T15:30:00Z"),
        ("18", "2026-11-24T19:00:00Z"),
        ("22", "2026-11-24T22:30:00Z"),
    )
]


def request(**members: Any) -> dict[str, Any]:
    """Return the body of a booking that costs 132.00 USD."""
    return {
        "client": {"name": "Ada Example", "phone": "+13125550100", "email": "ada@example.com"},
        "service": "drop-in",
        "starts_at": "2026-11-24T15:00:00Z",
        "ends_at": "2026-11-24T22:30:00Z",
        "pets": [{"name": name, "species": "dog"} for name in ("Rex", "Bo", "Kit")],
        "visits": VISITS,
        "holiday": True,
        **members,
    }


class BookingApi:
    """Client of a stack's booking service."""

    def __init__(self, stack: Stack, http: httpx.AsyncClient) -> None:
        self.stack = stack
        self._http = http

    async def call(
        self,
        method: str,
        path: str = "",
        body: Any = None,
        *,
        url: str | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        address = f"{url or self.stack.url('booking')}/api/bookings{path}"
        return await self._http.request(
            method, address, json=body, headers=dict(headers or {}), params=params
        )

    async def create(self, **members: Any) -> dict[str, Any]:
        answer = await self.call("POST", body=request(**members))
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def read(self, booking_id: str) -> dict[str, Any]:
        answer = await self.call("GET", f"/{booking_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def change(self, booking_id: str, status: str, **headers: str) -> httpx.Response:
        return await self.call(
            "PATCH", f"/{booking_id}", {"status": status, "reason": "asked to"}, headers=headers
        )

    async def brought_to(self, *statuses: str) -> dict[str, Any]:
        """Create a booking and set these statuses, one after the other."""
        booking = await self.create()
        for status in statuses:
            answer = await self.change(booking["id"], status)
            assert answer.status_code == 200, answer.text
            booking = answer.json()
        return booking

    async def history(self, booking_id: str) -> list[dict[str, Any]]:
        return (await self.call("GET", f"/{booking_id}/status-history")).json()["history"]

    async def payments(self, booking_id: str) -> list[dict[str, Any]]:
        return (await self.call("GET", f"/{booking_id}/payments")).json()["items"]

    async def publish(self, *records: Record) -> None:
        await self.stack.topic(STRIPE).publish_all(records)

    async def when_paid(self, booking_id: str, status: str = "paid") -> dict[str, Any]:
        """Wait until the booking has a payment status and return it."""

        async def reached() -> dict[str, Any]:
            booking = await self.read(booking_id)
            assert booking["payment_status"] == status
            return booking

        return await eventually(reached)

    async def settled(self, key: str) -> None:
        """Wait until all earlier records of this key are handled: records of a key keep their order."""
        marker = await self.create()
        await self.publish(payment_record(marker["id"], key=key))
        await self.when_paid(marker["id"])

    async def events(self, key: str, count: int) -> list[Record]:
        """Wait for the first events of a key and return them."""
        records = await self.stack.topic(EVENTS).read_until(lambda records: len(_of(key, records)) >= count)
        return _of(key, records)


def payment_record(
    booking_id: str | None,
    *,
    amount: int = WORKED_TOTAL,
    currency: str = "usd",
    payment_id: str | None = None,
    event_id: str | None = None,
    key: str | None = None,
    event_type: str = SUCCEEDED,
    verification: bytes | None = b"verified",
    **members: Any,
) -> Record:
    """Return a Stripe event about a payment intent, as the gateway publishes it."""
    metadata = {} if booking_id is None else {"booking_id": booking_id}
    intent = {
        "id": payment_id or f"pi_{clock.new_id()}",
        "object": "payment_intent",
        "amount": amount,
        "amount_received": amount,
        "currency": currency,
        "metadata": metadata,
        **members,
    }
    event_id = event_id or f"evt_{clock.new_id()}"
    body = {"id": event_id, "type": event_type.removeprefix("stripe."), "data": {"object": intent}}
    return webhook_record(
        json.dumps(body).encode(),
        key=key or booking_id or event_id,
        event_id=event_id,
        event_type=event_type,
        verification=verification,
    )


def webhook_record(
    body: bytes,
    *,
    key: str,
    event_id: str | None = None,
    event_type: str = SUCCEEDED,
    verification: bytes | None = b"verified",
    source: str = "stripe",
) -> Record:
    """Return a delivery as the gateway publishes it."""
    metadata = MessageMetadata(
        id=event_id or f"evt_{clock.new_id()}",
        source=f"/webhooks/{source}",
        type=event_type,
        time=clock.now(),
        subject=key,
    )
    mark = () if verification is None else ((VERIFICATION_HEADER, verification),)
    return Record(body, key.encode(), (*metadata.to_headers(), *mark))


def payload(record: Record) -> dict[str, Any]:
    """Return the value of a record as JSON."""
    assert record.value is not None
    return json.loads(record.value)


def _of(key: str, records: list[Record]) -> list[Record]:
    return [record for record in records if record.key == key.encode()]
