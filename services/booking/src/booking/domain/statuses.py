"""The statuses of a booking and the table of allowed transitions (BK-1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Status(StrEnum):
    """Status of a booking; `completed` and `cancelled` are final."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


TRANSITIONS: Mapping[Status, tuple[Status, ...]] = MappingProxyType(
    {
        Status.PENDING: (Status.CONFIRMED, Status.CANCELLED),
        Status.CONFIRMED: (Status.PENDING, Status.IN_PROGRESS, Status.COMPLETED, Status.CANCELLED),
        Status.IN_PROGRESS: (Status.COMPLETED, Status.CANCELLED),
        Status.COMPLETED: (),
        Status.CANCELLED: (),
    }
)

OPERATOR_TRANSITIONS = frozenset({(Status.CONFIRMED, Status.PENDING)})
"""Transitions that only a person may make."""


@dataclass(frozen=True, slots=True)
class Actor:
    """An actor that changes a booking.

    Attributes:
        name: stored as `changed_by` (BK-4): a user id, `system`, `stripe` or `sms:<person>`.
        is_operator: True for a person of the business; False for an event of a provider.
    """

    name: str
    is_operator: bool


STRIPE = Actor("stripe", is_operator=False)


def allowed_transitions(status: Status, actor: Actor) -> tuple[Status, ...]:
    """Return the statuses to which this actor may change a booking of this status."""
    return tuple(
        to for to in TRANSITIONS[status] if actor.is_operator or (status, to) not in OPERATOR_TRANSITIONS
    )
