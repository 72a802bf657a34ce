"""Logs, metrics, traces, and what may not appear in them."""
