"""What callers get: the shapes of interface.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NotRequired, TypedDict

from booking.adapters.transitions import HistoryEntry
from booking.domain.booking import Booking
from booking.domain.details import BookingRecord, Client, Pet, Visit
from booking.domain.statuses import Status
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


class TransitionAnswer(TypedDict):
    """A transition. `reason_erased` is there where a person gave a reason and it was erased since."""

    id: str
    from_status: Status | None
    to_status: Status
    changed_by: str
    reason: str | None
    reason_erased: NotRequired[bool]
    metadata: dict[str, str]
    version: int
    recorded_at: datetime


def transition_answer(entry: HistoryEntry) -> TransitionAnswer:
    """Return a transition as it is shown."""
    answer: TransitionAnswer = {
        "id": entry.id,
        "from_status": entry.from_status,
        "to_status": entry.to_status,
        "changed_by": entry.changed_by,
        "reason": entry.reason,
        "metadata": entry.metadata,
        "version": entry.version,
        "recorded_at": entry.recorded_at,
    }
    if entry.reason_erased:
        answer["reason_erased"] = True
    return answer


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
