"""A person changes a booking's status (BK-1, BK-2)."""

from collections.abc import Collection
from dataclasses import dataclass

from booking.adapters.bookings import lock_bookings, show_booking
from booking.domain.booking import change_status
from booking.domain.details import BookingRecord
from booking.domain.statuses import Actor, Status
from booking.handlers.recording import Happening, record
from chassis.postgres import Database
from contracts.ids import BookingId


@dataclass(frozen=True, slots=True)
class StatusChange:
    """What a person wants.

    Attributes:
        to: the status wanted.
        reason: theirs, kept in the history.
        actor: who asks.
        versions: the versions of the booking that the wish is based on; None does not ask for one.
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
    """The booking afterwards; None if there is none.

    Raises:
        StaleVersionError: it is not at one of the versions asked for.
        IllegalTransitionError: the table does not allow the change.
    """
    async with database.transaction() as connection:
        booking = (await lock_bookings(connection, [booking_id])).get(booking_id)
        if booking is None:
            return None
        if change.versions is not None and booking.version not in change.versions:
            raise StaleVersionError(booking.version)
        changed, transitions = change_status(booking, change.to, by=change.actor, reason=change.reason)
        if transitions:
            await record(connection, [changed], [Happening(transition) for transition in transitions])
        return await show_booking(connection, booking_id)
