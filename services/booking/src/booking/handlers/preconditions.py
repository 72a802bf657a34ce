"""Precondition of a change: the booking is as its caller has read it (RFC 9110 §13.1.1)."""

from collections.abc import Callable

from booking.adapters.bookings import find_booking
from booking.domain.booking import Booking
from booking.domain.details import BookingRecord
from chassis.postgres import Connection

Precondition = Callable[[BookingRecord], bool]
"""Tells whether the caller's change is meant for this state of the booking."""


class StaleVersionError(Exception):
    """The booking has changed since the caller read it: read it again, then decide."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the booking is at version {version} now: read it again, then decide")
        self.version = version


async def require(connection: Connection, booking: Booking, precondition: Precondition | None) -> None:
    """Check the precondition of a change.

    Args:
        connection: its transaction has locked the booking.
        booking: to be changed.
        precondition: None accepts any state.

    Raises:
        StaleVersionError: the precondition is not met.
    """
    if precondition is None:
        return
    record = await find_booking(connection, booking.id)
    assert record is not None, "the row is locked"
    if not precondition(record):
        raise StaleVersionError(booking.version)
