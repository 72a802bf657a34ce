"""The plan of the day: 40 bookings of all five services and the fate of each, the same in every run."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

BOOKINGS = 40
_FIRST_DAY = datetime(2026, 3, 2, 15, tzinfo=UTC)
_SERVICES = ("drop-in", "dog-walking", "pet-taxi", "housesitting", "24-7-care")
_NIGHT_SERVICES = ("housesitting", "24-7-care")
_CLIENTS = ("Ada", "Bruno", "Chen", "Dora", "Emil", "Fatma", "Goran", "Hana", "Ivo", "Jun")
_PETS = ("Rex", "Mia", "Tom")


class Fate(Enum):
    """The payments and status changes of a booking during the day."""

    PAID = "paid in full by Stripe"
    PAID_DELIVERED_TWICE = "paid; Stripe delivers the event twice"
    PAID_THEN_LATE_FAILURE = "paid; an older failure arrives afterwards"
    COMPLETED = "paid, begun and completed"
    HALF_PAID = "half paid"
    CONFIRMED_BY_HAND = "confirmed by the office"
    CANCELLED = "cancelled"
    PAID_AFTER_CANCELLATION = "cancelled, and then paid"
    TAKEN_BY_SMS = "offered to two sitters, taken by SMS"


_FATES: tuple[tuple[Fate, int], ...] = (
    (Fate.PAID, 16),
    (Fate.PAID_DELIVERED_TWICE, 4),
    (Fate.PAID_THEN_LATE_FAILURE, 2),
    (Fate.COMPLETED, 6),
    (Fate.HALF_PAID, 4),
    (Fate.CONFIRMED_BY_HAND, 4),
    (Fate.CANCELLED, 2),
    (Fate.PAID_AFTER_CANCELLATION, 1),
    (Fate.TAKEN_BY_SMS, 1),
)

EXPECTED_STATUS = {
    Fate.PAID: "confirmed",
    Fate.PAID_DELIVERED_TWICE: "confirmed",
    Fate.PAID_THEN_LATE_FAILURE: "confirmed",
    Fate.COMPLETED: "completed",
    Fate.HALF_PAID: "pending",
    Fate.CONFIRMED_BY_HAND: "confirmed",
    Fate.CANCELLED: "cancelled",
    Fate.PAID_AFTER_CANCELLATION: "cancelled",
    Fate.TAKEN_BY_SMS: "confirmed",
}
"""The status of a booking at the end of the day, by fate."""

PAID_FATES = frozenset(
    {
        Fate.PAID,
        Fate.PAID_DELIVERED_TWICE,
        Fate.PAID_THEN_LATE_FAILURE,
        Fate.COMPLETED,
        Fate.HALF_PAID,
        Fate.PAID_AFTER_CANCELLATION,
    }
)
"""Fates with a payment."""


@dataclass(frozen=True, slots=True)
class PlannedBooking:
    """A booking of the plan: its number, its fate, and the request body for `POST /api/bookings`."""

    number: int
    fate: Fate
    request: dict[str, Any]


def plan(now: datetime) -> list[PlannedBooking]:
    """Return the bookings of the day, of all services and fates. The offered one is a week after `now`."""
    fates = [fate for fate, count in _FATES for _ in range(count)]
    return [PlannedBooking(number, fate, _request(number, fate, now)) for number, fate in enumerate(fates)]


def _request(number: int, fate: Fate, now: datetime) -> dict[str, Any]:
    # Nobody can be offered a booking that is past.
    first_day = now + timedelta(days=7) if fate is Fate.TAKEN_BY_SMS else _FIRST_DAY
    service = _SERVICES[number % len(_SERVICES)]
    starts_at = first_day + timedelta(days=number % 9, minutes=15 * number)
    long = number % 3 == 0
    length = (
        timedelta(days=1 + number % 3)
        if service in _NIGHT_SERVICES
        else timedelta(minutes=60 if long else 30)
    )
    client = _CLIENTS[number % len(_CLIENTS)]
    return {
        "client": {
            "name": f"{client} {number:02d}",
            "phone": f"+1312555{number:04d}",
            "email": f"{client.lower()}{number:02d}@example.com",
        },
        "service": service,
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + length).isoformat(),
        "pets": [{"name": _PETS[i], "species": "dog" if i else "cat"} for i in range(1 + number % 3)],
        "holiday": number % 7 == 0,
    }
