"""Audit: an EventLog entry for every event, and a status history that nobody can change."""
