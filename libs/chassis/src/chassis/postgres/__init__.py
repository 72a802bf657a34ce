"""PostgreSQL: the pool, migrations, append-only tables, rows changed behind the service."""

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
