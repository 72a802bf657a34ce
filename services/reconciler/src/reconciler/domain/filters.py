"""The filter of exceptions: one for list, summary, groups, export, views and bulk operations (REC-9d)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

NOBODY = "nobody"
"""As `assignee`: exceptions that nobody has."""

ResolvedBy = Literal["machine", "person"]
RESOLVED_BY: tuple[ResolvedBy, ...] = ("machine", "person")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionFilter:
    """Filter of exceptions; None does not filter. `filter_members` reads it.

    Attributes:
        unresolved: leaves resolved ones out. No member: clients choose a status.
        waiting: exceptions that may pass by themselves. They are a list of their own.
        cause: key of a group (REC-9a).
        overdue: the time to acknowledge or to resolve is over.
        regressed: came back after a resolution.
        escalated: grew while acknowledged or suppressed.
        amount_min: size of the difference in minor units, without its sign.
        first_seen_from, first_seen_to: `first_seen_to` is excluded.
        q: part of the title's first 200 characters, in any case of letters.
    """

    type: str | None = None
    drift_class: str | None = None
    status: str | None = None
    unresolved: bool = False
    severity: str | None = None
    assignee: str | None = None
    booking_id: str | None = None
    cause: str | None = None
    currency: str | None = None
    waiting: bool = False
    overdue: bool | None = None
    regressed: bool | None = None
    escalated: bool | None = None
    resolved_by: str | None = None
    resolution: str | None = None
    amount_min: int | None = None
    first_seen_from: datetime | None = None
    first_seen_to: datetime | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Position of an exception in the order of the list."""

    severity_rank: int
    first_seen_at: datetime
    exception_id: str

    def to_key(self) -> tuple[int, str, str]:
        """Return the position as a cursor holds it."""
        return self.severity_rank, self.first_seen_at.isoformat(), self.exception_id


@dataclass(frozen=True, slots=True)
class GroupPosition:
    """Position of a group in the order of groups; `stake` is a number without limits, as text."""

    stake: str
    exceptions: int
    cause: str

    def to_key(self) -> tuple[str, int, str]:
        """Return the position as a cursor holds it."""
        return self.stake, self.exceptions, self.cause
