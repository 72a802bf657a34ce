"""Records of the other services for tests of audit, and a client for audit's API."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from chassis import clock
from contracts.bookings import BookingCreated, BookingStatus, BookingStatusChanged
from contracts.catalogue import CARD_BY_MODEL
from contracts.metadata import VERIFICATION_HEADER, MessageMetadata
from contracts.money import Money
from contracts.topics import card_of
from contracts.wire import WireModel
from harness import Record, Stack, eventually

AT = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


def webhook(
    body: bytes, *, event_id: str | None = None, subject: str | None = None, key: bytes | None = None
) -> Record:
    """Return a delivery as the gateway publishes it."""
    metadata = MessageMetadata(
        id=event_id or f"evt_{clock.new_id()}",
        source="/webhooks/stripe",
        type="stripe.payment_intent.succeeded",
        time=AT,
        subject=subject,
    )
    headers = (*metadata.to_headers(), (VERIFICATION_HEADER, b"verified"))
    return Record(body, key or (subject or metadata.id).encode(), headers)


def booking_event(payload: WireModel, booking_id: str, *, event_id: str | None = None) -> Record:
    """Return an event as booking publishes it."""
    metadata = MessageMetadata(
        id=event_id or clock.new_id(),
        source="booking",
        type=CARD_BY_MODEL[type(payload)].event_type,
        time=AT,
        subject=booking_id,
        sequence=1,
    )
    return Record(payload.to_bytes(), booking_id.encode(), metadata.to_headers())


def created(booking_id: str) -> Record:
    """Return the creation of a booking: version 1 of its history."""
    payload = BookingCreated(
        booking_id=booking_id,
        version=1,
        status="pending",
        service="drop-in",
        starts_at=AT,
        ends_at=AT,
        total=Money(13200, "USD"),
        changed_by="system",
        recorded_at=AT,
    )
    return booking_event(payload, booking_id)


def changed(
    booking_id: str,
    version: int,
    from_status: BookingStatus,
    to_status: BookingStatus,
    *,
    reason: str | None = None,
) -> Record:
    """Return a status change of a booking."""
    payload = BookingStatusChanged(
        booking_id=booking_id,
        version=version,
        from_status=from_status,
        to_status=to_status,
        changed_by="stripe",
        reason=reason,
        metadata={"payment_id": "pi_1"},
        recorded_at=AT,
    )
    return booking_event(payload, booking_id)


def event_on(topic: str, key: bytes | None = b"k") -> Record:
    """Return a valid event for this topic, of an unknown type."""
    card = card_of(topic)
    assert card is not None
    metadata = MessageMetadata(
        id=clock.new_id(), source=card.sources[0], type=f"{card.type_prefixes[0]}marker"
    )
    marks = tuple((VERIFICATION_HEADER, mark) for mark in card.verifications[:1])
    return Record(b"{}", key, (*metadata.to_headers(), *marks))


class AuditApi:
    """Client of a stack's audit service over HTTP."""

    def __init__(self, stack: Stack, http: httpx.AsyncClient) -> None:
        self._stack = stack
        self._http = http

    async def get(self, path: str, **parameters: Any) -> httpx.Response:
        """Send a GET request. `from_` is the parameter `from`."""
        query = {name.rstrip("_"): value for name, value in parameters.items()}
        return await self._http.get(self._stack.url("audit") + path, params=query)

    async def entries(self, **filters: Any) -> list[Mapping[str, Any]]:
        """Return one page of entries, newest first."""
        response = await self.get("/api/event-log", **filters)
        assert response.status_code == 200, response.text
        return response.json()["items"]

    async def entry(self, *, seconds: float = 20, **filters: Any) -> Mapping[str, Any]:
        """Wait for the only entry with these filters and return it."""

        async def entries() -> list[Mapping[str, Any]]:
            return await self.entries(**filters)

        items = await eventually(entries, seconds=seconds, what=f"an entry with {filters}")
        assert len(items) == 1, items
        return items[0]

    async def recorded(self, topic: str, *records: Record) -> list[Record]:
        """Publish records and wait until audit has read past them. A record need not add an entry."""
        placed = await self._stack.topic(topic).publish_all(records)
        markers = [event_on(topic, key) for key in {record.key for record in records}]
        await self._stack.topic(topic).publish_all(markers)
        for marker in markers:
            await self.entry(event_id=marker.header("ce_id"))
        return placed
