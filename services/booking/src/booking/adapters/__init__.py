"""What booking reads and writes: its tables, and the events of providers."""
