"""Roles that may use audit's routes (ALL-4)."""

from chassis.auth.access import ANYBODY, READERS, Access

ACCESS: Access = {
    "GET /api/event-log": READERS,
    "GET /api/event-log/{entry_id}": READERS,
    "GET /api/bookings/{booking_id}/history": READERS,
    # Hashes and signatures, for monitors and witnesses. Without an entry they say nothing of it.
    "GET /log/checkpoint": ANYBODY,
    "GET /log/keys": ANYBODY,
    "GET /log/tile/{path}": ANYBODY,
    # Entries as GET /api/event-log shows them.
    "GET /log/tile/entries/{path}": READERS,
}
