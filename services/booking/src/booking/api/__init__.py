"""The HTTP edge: `/api/bookings` (interface.md). Translates a request, calls a handler, translates back."""

from booking.api.access import ACCESS
from booking.api.routes import ROUTES

__all__ = ["ACCESS", "ROUTES"]
