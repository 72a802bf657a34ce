"""Use cases of the audit service: appending what topics hold, and reading it back."""
