"""Questions to a booking's history: how it was, what may follow, what differs (BK-14)."""

from dataclasses import dataclass
from datetime import datetime

from booking.adapters import revisions, transitions
from booking.adapters.bookings import find_booking
from booking.adapters.transitions import HistoryEntry
from booking.domain.booking import Booking
from booking.domain.revisions import AsOf, Differences, Revision, compare
from booking.domain.statuses import Status
from chassis.postgres import Connection, Database
from chassis.postgres.stored_rows import UnreadableRow
from contracts.ids import BookingId


class NoSuchStateError(Exception):
    """The booking had no such state, or the state is not known. `kind` is the stable name of the reason."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class StatusOnly:
    """A state from before revisions began: the history still tells the status, nothing tells the rest."""

    status: Status


async def get_status_history(
    database: Database, booking_id: BookingId
) -> list[HistoryEntry | UnreadableRow] | None:
    """Return a booking's transitions, oldest first; None for an unknown id."""
    async with database.connection() as connection:
        # Every booking has a history from its creation on: no history means no booking.
        return await transitions.read_history(connection, booking_id) or None


async def get_booking_state(database: Database, booking_id: BookingId) -> Booking | None:
    """Return the current state of a booking; None for an unknown id."""
    async with database.connection() as connection:
        record = await find_booking(connection, booking_id)
    return None if record is None else record.booking


async def get_state_as_of(
    database: Database, booking_id: BookingId, as_of: AsOf
) -> Revision | StatusOnly | None:
    """Return a booking as it was at a version or moment; None for an unknown id.

    Raises:
        NoSuchStateError: a version or moment before the creation, in the future, or not recorded.
    """
    async with database.connection() as connection:
        first = await revisions.find_first(connection, booking_id)
        if first is None:
            return None
        if isinstance(as_of, datetime):
            return await _at_moment(connection, booking_id, as_of)
        return await _at_version(connection, first, as_of)


async def get_differences(
    database: Database, booking_id: BookingId, before: int, after: int | None
) -> tuple[Revision, Revision, Differences] | None:
    """Return two versions of a booking and what differs between them; None for an unknown id.

    Without `after` the second one is the last version.

    Raises:
        NoSuchStateError: a version in the future, or not recorded.
    """
    async with database.connection() as connection:
        first = await revisions.find_first(connection, booking_id)
        if first is None:
            return None
        old = await _at_version(connection, first, before)
        new = await (
            revisions.find_last(connection, booking_id)
            if after is None
            else _at_version(connection, first, after)
        )
    return old, new, compare(old, new)


async def _at_version(connection: Connection, first: Revision, version: int) -> Revision:
    if first.is_first_known and version < first.version:
        raise NoSuchStateError(
            "version-not-recorded",
            f"version {version} is from before states were recorded: the oldest one is {first.version}",
        )
    revision = await revisions.find_at_version(connection, first.booking_id, version)
    if revision is None:
        raise NoSuchStateError("version-unknown", f"the booking has no version {version} yet")
    return revision


async def _at_moment(
    connection: Connection, booking_id: BookingId, moment: datetime
) -> Revision | StatusOnly:
    if moment > await revisions.database_time(connection):
        raise NoSuchStateError("moment-in-the-future", f"{moment.isoformat()} lies in the future")
    revision = await revisions.find_at_moment(connection, booking_id, moment)
    if revision is not None:
        return revision
    status = await revisions.find_status_at(connection, booking_id, moment)
    if status is None:
        raise NoSuchStateError(
            "before-creation", f"at {moment.isoformat()} the booking did not exist: ask for a later moment"
        )
    return StatusOnly(status)
