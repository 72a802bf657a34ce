"""Use cases of audit: one function per batch of messages, request or page, one transaction each."""
