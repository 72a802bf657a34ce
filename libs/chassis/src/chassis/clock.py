"""Time and identifiers: the only place that reads the wall clock, so that a test can set it."""

from datetime import UTC, datetime

from uuid_utils.compat import uuid7


def now() -> datetime:
    """The current moment in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one place


def new_id() -> str:
    """A new UUIDv7 (RFC 9562 §5.7) in text form: unique, and sorted by time of creation."""
    return str(uuid7())
