"""Use cases of the reconciler: one function per message, request or page, one transaction each."""
