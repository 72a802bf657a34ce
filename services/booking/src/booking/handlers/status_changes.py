"""Status changes made by a person (BK-1, BK-2)."""

from dataclasses import dataclass

from booking.adapters.bookings import find_booking, lock_bookings
from booking.domain.booking import change_status
from booking.domain.details import BookingRecord
from booking.domain.statuses import Actor, Status
from booking.handlers.persistence import CausedEvent, save
from booking.handlers.preconditions import Precondition, require
from chassis.postgres import Database
from contracts.ids import BookingId


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A requested change of status.

    Attributes:
        to: the new status.
        reason: kept in the history.
        actor: the caller.
        precondition: must be met by the booking; None accepts any state.
    """

    to: Status
    reason: str | None
    actor: Actor
    precondition: Precondition | None


async def change_booking_status(
    database: Database, booking_id: BookingId, change: StatusChange
) -> BookingRecord | None:
    """Change a booking's status. Return the changed booking; None for an unknown id.

    Raises:
        StaleVersionError: the precondition is not met.
        IllegalTransitionError: the transition table does not allow the change.
    """
    async with database.transaction() as connection:
        booking = (await lock_bookings(connection, [booking_id])).get(booking_id)
        if booking is None:
            return None
        await require(connection, booking, change.precondition)
        changed, transitions = change_status(booking, change.to, by=change.actor, reason=change.reason)
        if transitions:
            await save(connection, [changed], [CausedEvent(transition) for transition in transitions])
        return await find_booking(connection, booking_id)
