"""Precondition of a change of a booking: its present representation is the one that the caller has read."""

from booking.api.responses import booking_tag
from booking.domain.details import BookingRecord
from booking.handlers.preconditions import Precondition
from chassis.http.conditional_requests import IfMatch


def precondition(if_match: IfMatch) -> Precondition | None:
    """Return the check of If-Match for a handler; None if every state is accepted."""
    if if_match.is_any:
        return None

    def is_met(record: BookingRecord) -> bool:
        return if_match.allows(booking_tag(record), record.booking.version)

    return is_met
