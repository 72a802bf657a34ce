"""Adapters of the gateway to its process and to other workers."""
