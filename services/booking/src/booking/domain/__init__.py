"""Decisions about bookings: pure functions over frozen dataclasses, without clock and I/O."""
