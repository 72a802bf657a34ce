"""What callers get: the shapes of interface.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from booking.domain.booking import Booking
from booking.domain.details import BookingRecord, Client, Pet, Visit
from contracts.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingAnswer:
    """A booking. Times are UTC, money is in minor units; `pricing` is the snapshot it was priced by."""

    id: str
    status: str
    payment_status: str
    version: int
    total: Money
    pricing: Mapping[str, Any] | None
    client: Client
    service: str
    starts_at: datetime
    ends_at: datetime
    pets: tuple[Pet, ...]
    visits: tuple[Visit, ...]
    notes: str | None
    holiday: bool | None
    created_at: datetime
    updated_at: datetime
    confirmed_at: datetime | None


def booking_answer(record: BookingRecord) -> BookingAnswer:
    """A booking as it is shown."""
    booking, details = record.booking, record.details
    return BookingAnswer(
        id=booking.id,
        status=booking.status,
        payment_status=booking.payment_status,
        version=booking.version,
        total=booking.total,
        pricing=record.pricing,
        client=details.client,
        service=details.service,
        starts_at=details.starts_at,
        ends_at=details.ends_at,
        pets=details.pets,
        visits=details.visits,
        notes=details.notes,
        holiday=details.holiday,
        created_at=record.created_at,
        updated_at=record.updated_at,
        confirmed_at=record.confirmed_at,
    )


def entity_tag(booking: Booking) -> str:
    """The booking's version as an ETag, to be sent back in If-Match."""
    return f'"{booking.version}"'
