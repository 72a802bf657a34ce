"""Use cases of booking: one function per request or batch of messages, one transaction each."""
