"""Decisions about a booking: `(booking, command) → (booking, events)`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from booking.domain.funds import Funds, PaymentStatus
from booking.domain.statuses import Actor, Status, allowed_transitions
from contracts.ids import BookingId
from contracts.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """One booking at one version.

    Attributes:
        version: number of events of the booking (BK-12).
        transitions: number of status transitions, including the creation (BK-4).
        total: price.
        funds: sums of the payments without an anomaly, in the total's currency.
    """

    id: BookingId
    status: Status
    version: int
    transitions: int
    total: Money
    funds: Funds = field(default_factory=Funds)

    @property
    def payment_status(self) -> PaymentStatus:
        return self.funds.payment_status(self.total.amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One row of a booking's status history (BK-4).

    Attributes:
        sequence: the booking's version after the transition.
        version: number in the history: 1, 2, 3… without gaps.
        from_status: None for the creation.
        changed_by: name of the actor.
        is_reason_typed: True if a person wrote the reason, which may then hold personal data.
        metadata: ids of the cause; no personal data.
    """

    booking_id: BookingId
    sequence: int
    version: int
    from_status: Status | None
    to_status: Status
    changed_by: str
    reason: str | None = None
    is_reason_typed: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


class IllegalTransitionError(ValueError):
    """The booking's status does not allow this change; `allowed` lists the allowed ones (BK-2)."""

    def __init__(self, from_status: Status, to_status: Status, allowed: tuple[Status, ...]) -> None:
        choice = f"choose one of {', '.join(allowed)}" if allowed else "that status is final"
        super().__init__(f"a booking that is {from_status} cannot become {to_status}: {choice}")
        self.from_status = from_status
        self.to_status = to_status
        self.allowed = allowed


def parse_booking_id(text: str) -> BookingId | None:
    """Return a text as booking id: a UUID in canonical form, in any case. None for another text."""
    try:
        canonical = str(UUID(text))
    except ValueError:
        return None
    return BookingId(canonical) if text.lower() == canonical else None


def open_booking(booking_id: BookingId, total: Money, *, by: Actor) -> tuple[Booking, Transition]:
    """Return a new booking and the first entry of its history."""
    booking = Booking(id=booking_id, status=Status.PENDING, version=1, transitions=1, total=total)
    created = Transition(
        booking_id=booking_id,
        sequence=1,
        version=1,
        from_status=None,
        to_status=Status.PENDING,
        changed_by=by.name,
    )
    return booking, created


def change_status(
    booking: Booking,
    to: Status,
    *,
    by: Actor,
    reason: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> tuple[Booking, tuple[Transition, ...]]:
    """Return the booking in its new status and the transition; its current status is no transition (BK-2).

    Raises:
        IllegalTransitionError: the table does not allow the change to this actor.
    """
    if to is booking.status:
        return booking, ()
    allowed = allowed_transitions(booking.status, by)
    if to not in allowed:
        raise IllegalTransitionError(booking.status, to, allowed)
    changed = replace(booking, status=to, version=booking.version + 1, transitions=booking.transitions + 1)
    transition = Transition(
        booking_id=booking.id,
        sequence=changed.version,
        version=changed.transitions,
        from_status=booking.status,
        to_status=to,
        changed_by=by.name,
        reason=reason,
        is_reason_typed=reason is not None and by.is_operator,
        metadata=metadata or {},
    )
    return changed, (transition,)
