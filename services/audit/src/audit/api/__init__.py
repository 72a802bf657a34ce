"""HTTP edge of audit: EventLog, histories (AU-5), evidence (AU-9), sealed log (AU-7), witness (AU-8)."""
