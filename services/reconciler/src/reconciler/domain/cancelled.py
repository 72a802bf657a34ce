"""Money that a cancelled booking still holds."""

from dataclasses import dataclass
from datetime import datetime

from contracts.money import Money
from reconciler.domain.bookings import StoredBooking


@dataclass(frozen=True, slots=True)
class HeldMoney:
    """A cancelled booking was paid and not refunded within the grace time. `held` is in minor units."""

    booking_id: str
    currency: str
    held: int
    captured: int
    refunded: int
    cancelled_at: datetime
    remarks: tuple[str, ...]

    @property
    def title(self) -> str:
        """One line for a list."""
        return f"Cancelled, and {Money(self.held, self.currency)} of it not refunded"


def held_money(booking: StoredBooking, cancelled_at: datetime) -> HeldMoney:
    """Return the money that a cancelled booking holds."""
    foreign = sorted(set(booking.payment_currencies) - {booking.currency})
    remarks = [f"payments are also in {', '.join(foreign)}"] if foreign else []
    return HeldMoney(
        booking_id=booking.booking_id,
        currency=booking.currency,
        held=booking.held,
        captured=booking.captured,
        refunded=booking.refunded,
        cancelled_at=cancelled_at,
        remarks=(f"cancelled at {cancelled_at:%Y-%m-%dT%H:%M:%SZ}, refund it or book anew", *remarks),
    )
