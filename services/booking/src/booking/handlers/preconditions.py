"""Precondition of a change: the booking is as its caller has read it (RFC 9110 §13.1.1)."""

from collections.abc import Callable

from booking.domain.details import BookingRecord

Precondition = Callable[[BookingRecord], bool]
"""Tells whether the caller's change is meant for this state of the booking."""


class StaleVersionError(Exception):
    """The booking has changed since the caller read it: read it again, then decide."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the booking is at version {version} now: read it again, then decide")
        self.version = version


def require(record: BookingRecord, precondition: Precondition | None) -> None:
    """Check the precondition of a change.

    Args:
        record: the booking, which the transaction has locked.
        precondition: None accepts any state.

    Raises:
        StaleVersionError: the precondition is not met.
    """
    if precondition is not None and not precondition(record):
        raise StaleVersionError(record.booking.version)
