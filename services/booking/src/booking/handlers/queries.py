"""Queries: bookings and their payments."""

from booking.adapters import bookings, payments
from booking.adapters.payments import PaymentRecord
from booking.domain.details import BookingRecord
from booking.domain.filters import BookingFilter
from chassis.postgres import Database
from chassis.postgres.stored_rows import UnreadableRow
from contracts.ids import BookingId


async def get_booking(database: Database, booking_id: BookingId) -> BookingRecord | None:
    """Return a booking; None for an unknown id."""
    async with database.connection() as connection:
        return await bookings.find_booking(connection, booking_id)


async def list_bookings(
    database: Database, searches: Database, query: BookingFilter, *, rows_max: int
) -> list[BookingRecord | UnreadableRow]:
    """Return bookings, newest first. Filters without an index use the connections of `searches`."""
    async with (searches if query.is_search else database).connection() as connection:
        return await bookings.list_bookings(connection, query, rows_max=rows_max)


async def list_payments(
    database: Database, booking_id: BookingId, *, after: str | None, rows_max: int
) -> list[PaymentRecord | UnreadableRow] | None:
    """Return a booking's payments in order of recording; None for an unknown id."""
    async with database.connection() as connection:
        if not await bookings.booking_exists(connection, booking_id):
            return None
        return await payments.read_payments(connection, booking_id, after=after, rows_max=rows_max)
