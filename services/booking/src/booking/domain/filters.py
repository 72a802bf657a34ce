"""Filters of booking's lists."""

from dataclasses import dataclass
from datetime import datetime

from booking.domain.funds import PaymentStatus
from booking.domain.statuses import Status
from contracts.ids import BookingId


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingFilter:
    """Filter of the list of bookings; None does not filter.

    Attributes:
        client: part of the client's name, in any case.
        phone: the client's number in E.164.
        day: start and end of a local day; bookings that touch it.
        before: last id of the previous page.
    """

    status: Status | None = None
    payment_status: PaymentStatus | None = None
    service: str | None = None
    client: str | None = None
    phone: str | None = None
    day: tuple[datetime, datetime] | None = None
    before: BookingId | None = None

    @property
    def is_search(self) -> bool:
        """True if no index serves the filter, so that many rows may be read."""
        return any(value is not None for value in (self.payment_status, self.service, self.client, self.day))
