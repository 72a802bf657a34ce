"""Use cases: one function per message, request or page, one transaction each."""
