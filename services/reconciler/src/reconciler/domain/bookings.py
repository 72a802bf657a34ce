"""A booking as the published view shows it: what is really stored, right or wrong."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StoredBooking:
    """One row of `reconciliation_v1`. Amounts are minor units.

    Attributes:
        total: the booking's own total, in `currency`; the snapshot has another copy.
        pricing: the snapshot as JSON text; None where the booking has none.
        captured, refunded: sums over the booking's payments.
        charge_count: how many payments were captured.
        payment_currencies: of those payments.
        due_at: when payment became due: its confirmation, else its creation.
    """

    booking_id: str
    currency: str
    total: int
    pricing: str | None
    captured: int
    refunded: int
    charge_count: int
    payment_currencies: tuple[str, ...]
    due_at: datetime

    @property
    def charged(self) -> int | None:
        """C: captured minus refunded; None where nothing was ever charged (REC-5)."""
        if self.charge_count == 0 and self.captured == 0 and self.refunded == 0:
            return None
        return self.captured - self.refunded
