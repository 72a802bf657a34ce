"""Time and identifiers. Only this module reads the wall clock, so that a test can set it."""

from datetime import UTC, datetime

from uuid_utils.compat import uuid7


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one place


def new_id() -> str:
    """Return a new UUIDv7 (RFC 9562 §5.7) as text. Identifiers sort by time of creation."""
    return str(uuid7())
