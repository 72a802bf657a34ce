"""The booking service's published view `reconciliation_v1`, read page by page (REC-2).

A page is one statement in a read-only repeatable-read transaction. What is compared stands within one
booking, and a booking with its payments is one row of one statement, so every booking is judged as it stood
at one moment. One snapshot over all pages would add nothing but a transaction that holds back vacuum in
booking's database for as long as a run takes.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from chassis.postgres import Database
from reconciler.domain.bookings import StoredBooking

PAGE_ROWS_MAX = 5_000
READ_SECONDS_MAX = 10.0
"""No snapshot of booking's database is held longer."""

_BEFORE_THE_FIRST = UUID(int=0)
"""The nil UUID (RFC 9562 §5.9), which no booking has."""

# The view is a barrier and so planned without the LIMIT. In its own order a page walks the primary key and
# stops; sorted, every page would read and sum up all bookings behind its beginning.
IN_ORDER = "SET LOCAL enable_sort = off"

PAGE = """
SELECT
    booking_id, currency, total, pricing::text AS pricing, captured, refunded, charge_count,
    payment_currencies, coalesce(confirmed_at, created_at) AS due_at
FROM booking.reconciliation_v1
WHERE booking_id > $1
ORDER BY booking_id
LIMIT $2
"""


async def read_page(
    database: Database, *, after_booking_id: str | None, rows_max: int = PAGE_ROWS_MAX
) -> Sequence[StoredBooking]:
    """The next bookings by id; none of them means that all were read.

    Args:
        database: as the SELECT-only role.
        after_booking_id: where the page before ended; None begins.
        rows_max: of the page.
    """
    after = _BEFORE_THE_FIRST if after_booking_id is None else UUID(after_booking_id)
    async with (
        asyncio.timeout(READ_SECONDS_MAX),
        database.transaction(isolation="repeatable_read", readonly=True) as connection,
    ):
        await connection.execute(IN_ORDER)
        rows = await connection.fetch(PAGE, after, rows_max)
    return [_booking(row) for row in rows]


def _booking(row: asyncpg.Record) -> StoredBooking:
    return StoredBooking(
        booking_id=str(row["booking_id"]),
        currency=row["currency"],
        total=row["total"],
        pricing=row["pricing"],
        captured=row["captured"],
        refunded=row["refunded"],
        charge_count=row["charge_count"],
        payment_currencies=tuple(row["payment_currencies"]),
        due_at=row["due_at"],
    )
