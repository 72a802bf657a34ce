"""Filters and positions of the list of exceptions."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ExceptionFilter:
    """Filter of the list of exceptions; None does not filter."""

    type: str | None = None
    status: str | None = None
    severity: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Position of an exception in the order of the list."""

    severity_rank: int
    first_seen_at: datetime
    exception_id: str

    def to_key(self) -> tuple[int, str, str]:
        """Return the position as a cursor holds it."""
        return self.severity_rank, self.first_seen_at.isoformat(), self.exception_id
