"""Decisions of the audit service, pure: what an entry says of an event, what a history is."""
