"""Roles that may use audit's routes (ALL-4)."""

from chassis.auth.access import ANYBODY, OPERATORS, READERS, Access

ACCESS: Access = {
    "GET /api/event-log": READERS,
    "GET /api/event-log/export": READERS,
    "GET /api/event-log/stream": READERS,
    "GET /api/event-log/values": READERS,
    "GET /api/event-log/{entry_id}": READERS,
    # Payloads hold personal data.
    "GET /api/event-log/{entry_id}/payload": OPERATORS,
    "GET /api/bookings/{booking_id}/history": READERS,
    "GET /api/bookings/{booking_id}/evidence": READERS,
    # Hashes and signatures, for monitors and witnesses. Without an entry they say nothing of it.
    "GET /log/checkpoint": ANYBODY,
    "GET /log/keys": ANYBODY,
    "GET /log/tile/{path}": ANYBODY,
    # Entries as GET /api/event-log shows them.
    "GET /log/tile/entries/{path}": READERS,
}
