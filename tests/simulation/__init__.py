"""Simulate consuming, inbox and dead letters in small worlds with virtual time (docs/simulation.md)."""
