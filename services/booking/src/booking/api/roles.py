"""Roles that may use booking's routes (ALL-4)."""

from chassis.auth.access import FINANCE, OPERATORS, OPERATORS_AND_FINANCE, READERS, Access
from chassis.dead_letters.operator.routes import DEAD_LETTER_ACCESS

CHANGE_STATUS = OPERATORS

ACCESS: Access = {
    "GET /api/bookings": READERS,
    "POST /api/bookings": OPERATORS,
    "GET /api/bookings/{booking_id}": READERS,
    "PATCH /api/bookings/{booking_id}": CHANGE_STATUS,
    "GET /api/bookings/{booking_id}/status-history": READERS,
    "POST /api/bookings/{booking_id}/reprice": OPERATORS_AND_FINANCE,
    "GET /api/bookings/{booking_id}/payments": READERS,
    "POST /api/bookings/{booking_id}/payments": FINANCE,
    "GET /api/services": READERS,
    "GET /api/bookings/{booking_id}/offers": READERS,
    "POST /api/bookings/{booking_id}/offers": OPERATORS,
    "POST /api/bookings/{booking_id}/offers/{offer_id}/withdraw": OPERATORS,
    "GET /api/bookings/{booking_id}/transitions": READERS,
    "GET /api/bookings/{booking_id}/differences": READERS,
    **DEAD_LETTER_ACCESS,
}
