"""Money that a cancelled booking still holds."""

from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.money import Money
from reconciler.domain.bookings import StoredBooking
from reconciler.domain.causes import Waiting


@dataclass(frozen=True, slots=True)
class HeldMoney:
    """A cancelled booking was paid and not refunded. Amounts are in minor units.

    Attributes:
        held: captured minus refunded.
        refund_pending: part of `refunded` that is on its way.
        disputed: part of `held` that an open dispute holds back.
        waiting: refund within the grace time; None after it.
    """

    booking_id: str
    currency: str
    held: int
    captured: int
    refunded: int
    refund_pending: int
    disputed: int
    cancelled_at: datetime
    remarks: tuple[str, ...]
    waiting: Waiting | None

    @property
    def title(self) -> str:
        """One line for a list."""
        return f"Cancelled, and {Money(self.held, self.currency)} of it not refunded"

    @property
    def sentence(self) -> str:
        held, captured = Money(self.held, self.currency), Money(self.captured, self.currency)
        when = f"{self.cancelled_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        parts = [f"The booking was cancelled on {when} and holds {held} of the {captured} that was captured."]
        if self.refund_pending:
            parts.append(f"A refund of {Money(self.refund_pending, self.currency)} is on its way.")
        if self.disputed:
            parts.append(f"{Money(self.disputed, self.currency)} of it is held back by an open dispute.")
        return " ".join(parts)


def held_money(booking: StoredBooking, cancelled_at: datetime, waiting: Waiting | None) -> HeldMoney:
    """Return the money that a cancelled booking holds."""
    foreign = sorted(set(booking.payment_currencies) - {booking.currency})
    remarks = [f"payments are also in {', '.join(foreign)}"] if foreign else []
    return HeldMoney(
        booking_id=booking.booking_id,
        currency=booking.currency,
        held=booking.held,
        captured=booking.captured,
        refunded=booking.refunded,
        refund_pending=booking.refund_pending,
        disputed=booking.disputed,
        cancelled_at=cancelled_at,
        remarks=(f"cancelled at {cancelled_at:%Y-%m-%dT%H:%M:%SZ}, refund it or book anew", *remarks),
        waiting=waiting,
    )
