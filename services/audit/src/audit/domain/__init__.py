"""Decisions of audit: entries of events, and status histories. Pure functions."""
