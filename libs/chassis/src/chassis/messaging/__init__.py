"""Messages, kinds of failure, inbox and outbox."""
