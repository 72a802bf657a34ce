"""Decisions about bookings: pure functions over frozen dataclasses, no clock, no I/O."""
