"""HTTP edge of booking (interface.md): parses a request, calls a handler, returns a response."""

from booking.api.bookings import ROUTES
from booking.api.roles import ACCESS

__all__ = ["ACCESS", "ROUTES"]
