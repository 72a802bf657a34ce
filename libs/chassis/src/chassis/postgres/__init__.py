"""PostgreSQL: pools, sessions, migrations, append-only tables, unreadable rows."""

from chassis.postgres.database import (
    DATABASE_ERRORS,
    Connection,
    Database,
    DatabaseNotReadyError,
    Isolation,
    Session,
    is_transient,
)

__all__ = [
    "DATABASE_ERRORS",
    "Connection",
    "Database",
    "DatabaseNotReadyError",
    "Isolation",
    "Session",
    "is_transient",
]
