"""Status changes made by a person (BK-1, BK-2)."""

from collections.abc import Collection
from dataclasses import dataclass

from booking.adapters.bookings import find_booking, lock_bookings
from booking.domain.booking import change_status
from booking.domain.details import BookingRecord
from booking.domain.statuses import Actor, Status
from booking.handlers.persistence import CausedEvent, save
from chassis.postgres import Database
from contracts.ids import BookingId


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A requested change of status.

    Attributes:
        to: the new status.
        reason: kept in the history.
        actor: the caller.
        versions: versions of the booking that the change may be based on; None accepts any.
    """

    to: Status
    reason: str | None
    actor: Actor
    versions: Collection[int] | None


class StaleVersionError(Exception):
    """The booking has changed since the caller read it: read it again, then decide."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the booking is at version {version} now: read it again, then decide")
        self.version = version


async def change_booking_status(
    database: Database, booking_id: BookingId, change: StatusChange
) -> BookingRecord | None:
    """Change a booking's status. Return the changed booking; None for an unknown id.

    Raises:
        StaleVersionError: the booking is not at one of `change.versions`.
        IllegalTransitionError: the transition table does not allow the change.
    """
    async with database.transaction() as connection:
        booking = (await lock_bookings(connection, [booking_id])).get(booking_id)
        if booking is None:
            return None
        if change.versions is not None and booking.version not in change.versions:
            raise StaleVersionError(booking.version)
        changed, transitions = change_status(booking, change.to, by=change.actor, reason=change.reason)
        if transitions:
            await save(connection, [changed], [CausedEvent(transition) for transition in transitions])
        return await find_booking(connection, booking_id)
