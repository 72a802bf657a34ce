"""Calls for tests of offers: bookings to come, offers, SMS in both envelopes, and what they did."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx

from chassis import clock
from harness import Record, eventually
from integration.booking.booking_calls import BookingApi, payload, webhook_record

SMS = "webhooks.sms.v1"
RECEIVED = "sms.message.received"
_MESSAGE = "SELECT * FROM sms_message WHERE event_id = $1"


def new_phone() -> str:
    """Return a phone number that no other test has."""
    return f"+1312{int(clock.new_id().replace('-', '')[-12:], 16) % 10**7:07d}"


async def booking_to_come(api: BookingApi) -> str:
    """Create a pending booking that starts tomorrow. Return its id."""
    starts_at = clock.now() + timedelta(days=1)
    visit = {
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(minutes=30)).isoformat(),
    }
    return (await api.create(**visit, visits=[visit], holiday=False))["id"]


async def post_offer(api: BookingApi, booking_id: str, **members: Any) -> httpx.Response:
    body = {"person_id": "sitter-1", "name": "Kim Example", "phone": new_phone(), **members}
    return await api.call("POST", f"/{booking_id}/offers", body)


async def make_offer(api: BookingApi, booking_id: str, **members: Any) -> dict[str, Any]:
    answer = await post_offer(api, booking_id, **members)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def offers(api: BookingApi, booking_id: str) -> dict[str, dict[str, Any]]:
    """Return a booking's offers by id."""
    answer = await api.call("GET", f"/{booking_id}/offers")
    assert answer.status_code == 200, answer.text
    return {offer["id"]: offer for offer in answer.json()["items"]}


def legacy_sms(phone: str, text: str, *, event_id: str | None = None, **members: Any) -> Record:
    """Return an SMS in the legacy envelope, as the gateway publishes it."""
    message = {
        "id": f"AC{clock.new_id()}",
        "object": "message",
        "from": phone,
        "to": "+13125550000",
        "direction": "incoming",
        "body": text,
        "createdAt": "2026-11-24T15:00:00.000Z",
        **members,
    }
    return _record({"object": message}, event_id)


def quo_sms(phone: str, text: str, *, event_id: str | None = None) -> Record:
    """Return an SMS in the current envelope, as the gateway publishes it."""
    resource = {"id": f"AC{clock.new_id()}", "object": "message", "text": text}
    context = {"senderIdentifier": phone, "recipientIdentifiers": ["+13125550000"]}
    return _record({"resource": resource, "context": context, "links": {}}, event_id)


def _record(data: dict[str, Any], event_id: str | None) -> Record:
    event_id = event_id or f"EV{clock.new_id()}"
    message_id = (data.get("object") or data["resource"])["id"]
    body = {"id": event_id, "object": "event", "type": "message.received", "data": data}
    return webhook_record(
        json.dumps(body).encode(), key=message_id, event_id=event_id, event_type=RECEIVED, source="sms"
    )


async def send(api: BookingApi, *records: Record) -> list[dict[str, Any]]:
    """Publish SMS, wait until all are recorded, and return their rows."""
    await api.stack.topic(SMS).publish_all(records)
    return [await sms_row(api, record) for record in records]


async def sms_row(api: BookingApi, record: Record) -> dict[str, Any]:
    """Wait until an SMS is recorded and return its row."""
    database = api.stack.database("booking")
    row = await eventually(lambda: database.fetchrow(_MESSAGE, record.header("ce_id")))
    return dict(row)


async def offer_events(api: BookingApi, booking_id: str, count: int) -> list[tuple[str, dict[str, Any]]]:
    """Wait for the first events of a booking. Return type and payload of those about offers."""
    events: Sequence[Record] = await api.events(booking_id, count)
    typed = [(event.header("ce_type") or "", payload(event)) for event in events]
    return [(name, body) for name, body in typed if name.startswith("booking.offer-")]
