"""Table `imported_booking`, and the rows of imported bookings (BK-15)."""

from collections.abc import Collection, Sequence

from booking.adapters.booking_rows import to_parameters
from booking.domain.booking import Booking
from booking.domain.imports import ImportedBooking
from chassis.messaging.failures import require_written
from chassis.postgres import Connection

TABLE = "imported_booking"

_KNOWN = "SELECT external_id FROM imported_booking WHERE external_id = ANY($1::text[])"

_TAKEN = "SELECT booking_id FROM booking WHERE booking_id = ANY($1::uuid[])"

_MARK = """
INSERT INTO imported_booking (booking_id, external_id) SELECT * FROM unnest($1::uuid[], $2::text[])
"""

_INSERT = """
INSERT INTO booking (
    booking_id, status, payment_status, version, transitions, currency, total, pricing, service, starts_at,
    ends_at, client_name, client_phone, client_email, pets, visits, notes, holiday, confirmed_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
"""


async def known_external_ids(connection: Connection, external_ids: Collection[str]) -> set[str]:
    """Return those of the ids whose bookings are here already."""
    return {row["external_id"] for row in await connection.fetch(_KNOWN, list(external_ids))}


async def taken_ids(connection: Connection, booking_ids: Collection[str]) -> set[str]:
    """Return those of the ids that are bookings here."""
    return {str(row["booking_id"]) for row in await connection.fetch(_TAKEN, list(booking_ids))}


async def insert_imported(
    connection: Connection, bookings: Sequence[tuple[ImportedBooking, Booking]]
) -> None:
    """Insert bookings in their last status, marked as imported."""
    await connection.executemany(
        _INSERT,
        [
            (*to_parameters(booking, line.details, line.pricing), line.confirmed_at)
            for line, booking in bookings
        ],
    )
    status = await connection.execute(
        _MARK, [line.id for line, _ in bookings], [line.external_id for line, _ in bookings]
    )
    require_written(TABLE, int(status.removeprefix("INSERT 0 ")), len(bookings))
