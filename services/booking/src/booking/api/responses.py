"""Response bodies (interface.md). Class names are schema names in `contracts/openapi/booking.json`."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypedDict

from booking.adapters.payments import PaymentRecord
from booking.domain.details import BookingRecord, Client, Pet, Visit
from chassis.http.conditional_requests import encode, entity_tag
from chassis.postgres.stored_rows import UnreadableItem
from contracts.money import Money
from pricing import PriceWarning


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedBookingAnswer(BookingAnswer):
    """A booking as a request has just priced it. `warnings` says what is odd about the request (BK-16)."""

    warnings: tuple[PriceWarning, ...]


class PriceChange(TypedDict):
    """The price before and after a change."""

    before: Money
    after: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedBookingAnswer(PricedBookingAnswer):
    """A booking after a change. `price_change` is null if the price stayed."""

    price_change: PriceChange | None


class BookingPage(TypedDict):
    """Bookings, newest first."""

    items: list[BookingAnswer | UnreadableItem]
    next_cursor: str | None


class PaymentPage(TypedDict):
    """Payments, in order of their recording."""

    items: list[PaymentRecord | UnreadableItem]
    next_cursor: str | None


def booking_response(record: BookingRecord) -> BookingAnswer:
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


def priced_booking_response(record: BookingRecord, warnings: tuple[PriceWarning, ...]) -> PricedBookingAnswer:
    answer = booking_response(record)
    members = {member.name: getattr(answer, member.name) for member in fields(answer)}
    return PricedBookingAnswer(**members, warnings=warnings)


def changed_booking_response(
    record: BookingRecord, warnings: tuple[PriceWarning, ...], price_change: Mapping[str, Any] | None
) -> ChangedBookingAnswer:
    answer = booking_response(record)
    members = {member.name: getattr(answer, member.name) for member in fields(answer)}
    change: PriceChange | None = None
    if price_change is not None:
        change = {"before": price_change["before"], "after": price_change["after"]}
    return ChangedBookingAnswer(**members, warnings=warnings, price_change=change)


def booking_tag(record: BookingRecord) -> str:
    """Return the ETag of `GET /api/bookings/{id}`, for answers of writes and for If-Match."""
    return entity_tag(encode(booking_response(record)), record.booking.version)
