"""Background jobs of booking."""
