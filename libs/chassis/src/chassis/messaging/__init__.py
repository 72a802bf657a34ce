"""Messages, failures of handling them, inbox and outbox."""
