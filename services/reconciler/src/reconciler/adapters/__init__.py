"""PostgreSQL: the reconciler's own tables, and the booking service's published view."""
