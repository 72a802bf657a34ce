"""What a client asked for, and its price by the one engine (BK-6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from booking.domain.booking import Booking
from pricing import PriceRequest, Snapshot, current_rate_card, snapshot


@dataclass(frozen=True, slots=True)
class Client:
    """Whom the booking is for: personal data, which stands in the booking's row and nowhere else."""

    name: str
    phone: str
    email: str | None


@dataclass(frozen=True, slots=True)
class Pet:
    """An animal to be looked after."""

    name: str
    species: str


@dataclass(frozen=True, slots=True)
class Visit:
    """One appointment of a booking."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """A request to book. `holiday`: True and False as told, None as the calendar says."""

    client: Client
    service: str
    starts_at: datetime
    ends_at: datetime
    pets: tuple[Pet, ...]
    visits: tuple[Visit, ...]
    notes: str | None
    holiday: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingRecord:
    """A booking whole, as it is shown.

    Attributes:
        pricing: the snapshot in its stored JSON form; None for a booking that has none.
        confirmed_at: when it became confirmed; None before, and again when it went back to pending.
    """

    booking: Booking
    details: Details
    pricing: Mapping[str, Any] | None
    created_at: datetime
    updated_at: datetime
    confirmed_at: datetime | None


def quote(details: Details, *, time_zone: str) -> Snapshot:
    """The price today, by the current card, as a snapshot to be stored.

    Args:
        details: what was asked for.
        time_zone: IANA zone whose calendar counts nights and holidays.

    Raises:
        InvalidPriceRequestError: names the field that cannot be priced.
        UnknownServiceError: lists the services.
    """
    request = PriceRequest(
        service=details.service,
        starts_at=details.starts_at,
        ends_at=details.ends_at,
        visits=tuple((visit.starts_at, visit.ends_at) for visit in details.visits),
        pets=len(details.pets),
        holiday=details.holiday,
        time_zone=time_zone,
    )
    return snapshot(request, current_rate_card())
