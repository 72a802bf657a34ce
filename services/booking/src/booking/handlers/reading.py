"""What is asked about bookings, without changing them."""

from dataclasses import dataclass

from booking.adapters import bookings, payments, transitions
from booking.adapters.payments import PaymentRecord
from booking.adapters.transitions import HistoryEntry
from booking.domain.details import BookingRecord
from booking.domain.funds import PaymentStatus
from booking.domain.statuses import Status
from chassis.postgres import Database
from chassis.postgres.stored_rows import UnreadableRow
from contracts.ids import BookingId


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which bookings: None does not filter. `before` is the last one of the page before."""

    status: Status | None = None
    payment_status: PaymentStatus | None = None
    service: str | None = None
    before: BookingId | None = None

    @property
    def is_search(self) -> bool:
        """Whether many bookings may have to be looked at: no index serves these filters."""
        return self.payment_status is not None or self.service is not None


async def read_booking(database: Database, booking_id: BookingId) -> BookingRecord | None:
    """A booking whole; None if there is none."""
    async with database.connection() as connection:
        return await bookings.show_booking(connection, booking_id)


async def read_bookings(
    database: Database, searches: Database, wanted: Filter, *, rows_max: int
) -> list[BookingRecord | UnreadableRow]:
    """Return bookings newest first."""
    async with (searches if wanted.is_search else database).connection() as connection:
        return await bookings.list_bookings(
            connection,
            status=wanted.status,
            payment_status=wanted.payment_status,
            service=wanted.service,
            before=wanted.before,
            rows_max=rows_max,
        )


async def read_status_history(
    database: Database, booking_id: BookingId
) -> list[HistoryEntry | UnreadableRow] | None:
    """A booking's transitions, oldest first; None if there is no such booking."""
    async with database.connection() as connection:
        # Every booking has a history from its creation on: none means no booking.
        return await transitions.read_history(connection, booking_id) or None


async def read_booking_payments(
    database: Database, booking_id: BookingId, *, after: str | None, rows_max: int
) -> list[PaymentRecord | UnreadableRow] | None:
    """A booking's payments in order of recording; None if there is no such booking."""
    async with database.connection() as connection:
        if not await bookings.booking_exists(connection, booking_id):
            return None
        return await payments.read_payments(connection, booking_id, after=after, rows_max=rows_max)
