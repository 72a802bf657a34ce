"""What booking does: one function per request or batch of messages, one transaction each."""
