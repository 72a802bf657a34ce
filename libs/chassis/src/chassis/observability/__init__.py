"""Logs, metrics and spans, without personal data or secrets."""
