"""SQL of the audit service."""
