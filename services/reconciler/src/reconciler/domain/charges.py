"""What was charged for a booking, and whether that may still change by itself (REC-5).

Money that a lost dispute took counts as charged here: the dispute has an exception of its own, and one amount
is not two problems.
"""

from datetime import datetime, timedelta

from reconciler.domain.bookings import StoredBooking
from reconciler.domain.causes import Waiting
from reconciler.domain.rules import Rules

DUPLICATE_CHARGES_MIN = 2

MONEY_PENDING_MAX = timedelta(days=14)
"""A bank debit takes days. A payment that is pending for longer is not waited for."""


def compared_charge(booking: StoredBooking) -> int | None:
    """Return C as it is compared with the price; None if nothing was charged in the booking's currency."""
    charged = booking.charged
    return None if charged is None else charged + booking.lost


def foreign_currencies(booking: StoredBooking) -> list[str]:
    """Return the currencies of its payments that are not the booking's."""
    return sorted(set(booking.payment_currencies) - {booking.currency})


def is_duplicate(booking: StoredBooking, price: int, charged: int, drift_min: int) -> bool:
    """Return True for several payments of twice the price or more; another surplus is a charge mismatch."""
    return (
        booking.charge_count >= DUPLICATE_CHARGES_MIN
        and price >= drift_min
        and charged - 2 * price > -drift_min
    )


def waiting_of_charge(
    booking: StoredBooking, price: int, charged: int | None, rules: Rules, as_of: datetime
) -> Waiting | None:
    """Return what a difference between price and charge waits for; None if the money is settled.

    first_charge: nothing was charged, within the grace time. refund: without the refund that is on its way
    there would be no difference. money: some of the price is missing and a payment is pending.
    """
    if charged is None and as_of - booking.due_at <= rules.grace:
        return "first_charge"
    difference = (charged or 0) - price
    if booking.refund_pending and abs(difference + booking.refund_pending) < rules.drift_min:
        return "refund"
    changed_at = booking.money_changed_at
    if changed_at is None or booking.pending_payments == 0 or difference >= 0:
        return None
    return "money" if as_of - changed_at <= MONEY_PENDING_MAX else None
