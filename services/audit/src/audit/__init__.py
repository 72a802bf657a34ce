"""The audit service: an EventLog entry for every event, and a status history nobody can rewrite."""
