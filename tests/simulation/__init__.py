"""Consuming, inbox, dead letters and relay in small worlds with virtual time; docs/simulation.md."""
