"""Roles that may use audit's routes (ALL-4)."""

from chassis.auth.access import READERS, Access

ACCESS: Access = {
    "GET /api/event-log": READERS,
    "GET /api/event-log/{entry_id}": READERS,
    "GET /api/bookings/{booking_id}/history": READERS,
}
