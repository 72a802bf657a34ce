"""Details of a booking, and its price (BK-6)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from booking.domain.booking import Booking
from pricing import (
    PriceRequest,
    PriceWarning,
    Snapshot,
    current_rate_card,
    rate_card,
    snapshot,
    warnings,
)


@dataclass(frozen=True, slots=True)
class Client:
    """The client of a booking: personal data, stored in the booking's row only."""

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
    """Details that the client asked for. `holiday`: None if the calendar decides."""

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
    """A booking with all details.

    Attributes:
        pricing: the price snapshot as stored JSON; None for a booking without one.
        confirmed_at: time of the confirmation; None before it, and for a booking that is pending again.
    """

    booking: Booking
    details: Details
    pricing: Mapping[str, Any] | None
    created_at: datetime
    updated_at: datetime
    confirmed_at: datetime | None


def quote(details: Details, *, time_zone: str, at: datetime) -> Snapshot:
    """Return the price by the rate card in force at a moment, as a snapshot to store.

    Args:
        details: details of the booking.
        time_zone: IANA zone whose calendar counts nights and holidays.
        at: aware; decides which version of the rate card prices.

    Raises:
        InvalidPriceRequestError: a field cannot be priced; the message names it.
        UnknownServiceError: the service is unknown; the message lists the known ones.
    """
    return snapshot(_price_request(details, time_zone), current_rate_card(at))


def requote(details: Details, stored: Snapshot, *, time_zone: str) -> Snapshot:
    """Return the price of details by the rate card and the engine of a stored snapshot.

    Raises:
        PricingError: the details cannot be priced so.
    """
    card = rate_card(stored.card_id, stored.card_version)
    return snapshot(_price_request(details, time_zone), card, stored.engine_version)


def price_warnings(details: Details, *, time_zone: str, at: datetime) -> tuple[PriceWarning, ...]:
    """Return what is odd about the details at a moment, though they have a price (BK-16)."""
    # No warning depends on the pets, and an erasure removes them.
    request = replace(_price_request(details, time_zone), pets=1)
    return warnings(request, current_rate_card(at), at=at)


def _price_request(details: Details, time_zone: str) -> PriceRequest:
    return PriceRequest(
        service=details.service,
        starts_at=details.starts_at,
        ends_at=details.ends_at,
        visits=tuple((visit.starts_at, visit.ends_at) for visit in details.visits),
        pets=len(details.pets),
        holiday=details.holiday,
        time_zone=time_zone,
    )
