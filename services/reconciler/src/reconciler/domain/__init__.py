"""Decisions of the reconciler: pure functions, no clock, no I/O."""
