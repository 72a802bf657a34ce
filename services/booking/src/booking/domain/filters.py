"""Filters of booking's lists."""

from dataclasses import dataclass

from booking.domain.funds import PaymentStatus
from booking.domain.statuses import Status
from contracts.ids import BookingId


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingFilter:
    """Filter of the list of bookings; None does not filter. `before` is the last id of the previous page."""

    status: Status | None = None
    payment_status: PaymentStatus | None = None
    service: str | None = None
    before: BookingId | None = None

    @property
    def is_search(self) -> bool:
        """True if no index serves the filter, so that many rows may be read."""
        return self.payment_status is not None or self.service is not None
