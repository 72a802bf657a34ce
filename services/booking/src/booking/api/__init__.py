"""HTTP edge of booking (interface.md): parses a request, calls a handler, returns a response."""

from booking.api import bookings, history, offers, payments
from booking.api.roles import ACCESS
from booking.api.services import list_services

ROUTES = (*bookings.ROUTES, list_services, *offers.ROUTES, *history.ROUTES, *payments.ROUTES)

__all__ = ["ACCESS", "ROUTES"]
