"""Answers of the routes of a booking's history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NotRequired, TypedDict

from booking.domain.revisions import FieldDifference
from booking.domain.statuses import Status
from chassis.postgres.stored_rows import UnreadableItem
from contracts.money import Money


class TransitionAnswer(TypedDict):
    """A transition.

    `reason_erased` is present if a person gave a reason and it was erased later. `event_id` is the event that
    published the transition and `event_log` the path of its EventLog entry, from which its proof follows;
    both are missing for an older transition.
    """

    id: str
    from_status: Status | None
    to_status: Status
    changed_by: str
    reason: str | None
    reason_erased: NotRequired[bool]
    metadata: dict[str, str]
    version: int
    recorded_at: datetime
    event_id: NotRequired[str]
    event_log: NotRequired[str]


class StatusHistory(TypedDict):
    """Transitions, oldest first."""

    booking_id: str
    history: list[TransitionAnswer | UnreadableItem]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingStateAnswer:
    """A booking as it was at `as_of`, the version or time of the request. Money is in minor units.

    `complete` is false for a moment before states were recorded: then only `status` is known. `written_by` is
    the database role that made the change; another one than `booking` tells of hand-written SQL.
    """

    booking_id: str
    as_of: str
    complete: bool
    status: Status
    version: int | None = None
    recorded_at: datetime | None = None
    written_by: str | None = None
    payment_status: str | None = None
    total: Money | None = None
    captured: Money | None = None
    refunded: Money | None = None
    pricing: Mapping[str, Any] | None = None
    payments: Sequence[Mapping[str, Any]] | None = None


class AllowedStep(TypedDict):
    """A status that the booking may get. `needs_role` is present if the caller may not make the step."""

    to: Status
    needs_role: NotRequired[str]


class RefusedStep(TypedDict):
    """A status that the booking cannot get now."""

    to: Status
    why: str


class NextSteps(TypedDict):
    """Statuses that may follow; `final` means that none does."""

    booking_id: str
    status: Status
    version: int
    final: bool
    allowed: list[AllowedStep]
    refused: list[RefusedStep]


class VersionAnswer(TypedDict):
    """A version, and when it was recorded."""

    version: int
    recorded_at: datetime


class LineAnswer(TypedDict):
    """A price line that differs; amounts in minor units."""

    change: str
    code: str
    before: int
    after: int
    difference: int


class PriceAnswer(TypedDict):
    """The differences of the lines and `other` add up to `difference`, in minor units."""

    currency: str
    difference: int
    lines: list[LineAnswer]
    other: int


# The functional form, because `from` is a keyword.
DifferencesAnswer = TypedDict(
    "DifferencesAnswer",
    {
        "booking_id": str,
        "from": VersionAnswer,
        "to": VersionAnswer,
        "fields": list[FieldDifference],
        "price": PriceAnswer | None,
    },
)
