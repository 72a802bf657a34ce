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
    CHECKOUT = "paid by a Checkout session"
    DISPUTED = "paid; the client disputes the charge"
    REFUNDED = "paid, cancelled and refunded"
    CASH = "paid in cash, entered by the office"
    CONFIRMED_BY_HAND = "confirmed by the office"
    CANCELLED = "cancelled"
    PAID_AFTER_CANCELLATION = "cancelled, and then paid"
    TAKEN_BY_SMS = "offered to two sitters, taken by SMS"


_FATES: tuple[tuple[Fate, int], ...] = (
    (Fate.PAID, 13),
    (Fate.CHECKOUT, 1),
    (Fate.DISPUTED, 1),
    (Fate.REFUNDED, 1),
    (Fate.PAID_DELIVERED_TWICE, 4),
    (Fate.PAID_THEN_LATE_FAILURE, 2),
    (Fate.COMPLETED, 6),
    (Fate.HALF_PAID, 4),
    (Fate.CONFIRMED_BY_HAND, 3),
    (Fate.CASH, 1),
    (Fate.CANCELLED, 2),
    (Fate.PAID_AFTER_CANCELLATION, 1),
    (Fate.TAKEN_BY_SMS, 1),
)


@dataclass(frozen=True, slots=True, order=True)
class BookingState:
    """Status and payment status of a booking."""

    status: str
    payment_status: str


EXPECTED_STATES = {
    Fate.PAID: BookingState("confirmed", "paid"),
    Fate.CHECKOUT: BookingState("confirmed", "paid"),
    Fate.DISPUTED: BookingState("confirmed", "disputed"),
    Fate.REFUNDED: BookingState("cancelled", "refunded"),
    Fate.PAID_DELIVERED_TWICE: BookingState("confirmed", "paid"),
    Fate.PAID_THEN_LATE_FAILURE: BookingState("confirmed", "paid"),
    Fate.COMPLETED: BookingState("completed", "paid"),
    Fate.HALF_PAID: BookingState("pending", "partially_paid"),
    Fate.CONFIRMED_BY_HAND: BookingState("confirmed", "unpaid"),
    Fate.CASH: BookingState("confirmed", "paid"),
    Fate.CANCELLED: BookingState("cancelled", "unpaid"),
    # Money for a cancelled booking does not count: it is an exception.
    Fate.PAID_AFTER_CANCELLATION: BookingState("cancelled", "unpaid"),
    Fate.TAKEN_BY_SMS: BookingState("confirmed", "unpaid"),
}
"""The state of a booking at the end of the day, by fate."""

PAID_FATES = frozenset(
    {
        Fate.PAID,
        Fate.PAID_DELIVERED_TWICE,
        Fate.PAID_THEN_LATE_FAILURE,
        Fate.COMPLETED,
        Fate.HALF_PAID,
        Fate.PAID_AFTER_CANCELLATION,
        Fate.DISPUTED,
        Fate.REFUNDED,
    }
)
"""Fates with a payment intent that names the booking."""

MONEY_FATES = (Fate.CHECKOUT, Fate.REFUNDED, Fate.DISPUTED, Fate.CASH)
"""Fates whose payments are printed one by one."""


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
