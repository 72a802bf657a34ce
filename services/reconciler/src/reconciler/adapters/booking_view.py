"""The booking service's published view `reconciliation_v1`, read page by page (REC-2).

A page is one statement in a read-only repeatable-read transaction. A run compares values within one booking,
and a booking with its payments is one row, so each booking is evaluated as of one moment. One snapshot over
all pages would hold back vacuum in booking's database for the whole run.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from chassis.postgres import Database
from reconciler.domain.bookings import StoredBooking, UnreadableBooking

PAGE_ROWS_MAX = 5_000
# Longest snapshot of booking's database.
READ_SECONDS_MAX = 10.0

_FIRST = UUID(int=0)

# The view is a barrier and is planned without the LIMIT. Without a sort, a page follows the primary key and
# stops. With a sort, every page would read all bookings after its beginning.
IN_ORDER = "SET LOCAL enable_sort = off"

# Times as text: for a time that Python cannot hold ('infinity', 4714 BC) the driver fails the whole page.
PAGE = """
SELECT
    booking_id, status, currency, total, pricing::text AS pricing, captured, refunded, charge_count,
    payment_currencies, coalesce(confirmed_at, created_at)::text AS due_at,
    cancelled_at::text AS cancelled_at, held, contradictory_payments
FROM booking.reconciliation_v1
WHERE booking_id > $1
ORDER BY booking_id
LIMIT $2
"""
# The service gives no booking the nil UUID; a row with it is evaluated like others.
_FIRST_PAGE = PAGE.replace("booking_id > $1", "booking_id >= $1")

_EVALUATED = "SELECT booking_id FROM booking.reconciliation_v1 WHERE booking_id = ANY($1::uuid[])"
_STATUSES = """
SELECT booking_id, status FROM booking.reconciliation_status_v1 WHERE booking_id = ANY($1::uuid[])
"""

_OPTIONAL = frozenset({"pricing", "cancelled_at"})


async def read_page(
    database: Database, *, after_booking_id: str | None, rows_max: int = PAGE_ROWS_MAX
) -> Sequence[StoredBooking | UnreadableBooking]:
    """Return the next bookings by id; an empty page means that all were read.

    Args:
        database: as the SELECT-only role.
        after_booking_id: last id of the previous page; None for the first page.
        rows_max: of the page.
    """
    async with (
        asyncio.timeout(READ_SECONDS_MAX),
        database.transaction(isolation="repeatable_read", readonly=True) as connection,
    ):
        await connection.execute(IN_ORDER)
        if after_booking_id is None:
            rows = await connection.fetch(_FIRST_PAGE, _FIRST, rows_max)
        else:
            rows = await connection.fetch(PAGE, UUID(after_booking_id), rows_max)
    return [_booking(row) for row in rows]


async def statuses_of_unevaluated(database: Database, booking_ids: Sequence[str]) -> Mapping[str, str | None]:
    """Return the bookings that no run evaluates, with their status; None for a deleted booking."""
    known = {booking_id: _uuid(booking_id) for booking_id in booking_ids}
    identifiers = [identifier for identifier in known.values() if identifier is not None]
    async with (
        asyncio.timeout(READ_SECONDS_MAX),
        database.transaction(isolation="repeatable_read", readonly=True) as connection,
    ):
        evaluated = {row["booking_id"] for row in await connection.fetch(_EVALUATED, identifiers)}
        statuses = {
            row["booking_id"]: row["status"] for row in await connection.fetch(_STATUSES, identifiers)
        }
    return {
        booking_id: None if identifier is None else statuses.get(identifier)
        for booking_id, identifier in known.items()
        if identifier not in evaluated
    }


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _booking(row: asyncpg.Record) -> StoredBooking | UnreadableBooking:
    """Return the row's booking, or the row's error: a damaged row affects no other booking (REC-12)."""
    columns: dict[str, Any] = dict(row) | {"booking_id": str(row["booking_id"])}
    try:
        _refuse_null(columns)
        exact: dict[str, Any] = {
            "payment_currencies": tuple(columns["payment_currencies"]),
            "due_at": _moment("confirmed_at", columns["due_at"]),
            "cancelled_at": _moment("cancelled_at", columns["cancelled_at"]),
            "held": int(columns["held"]),
        }
        return StoredBooking(**columns | exact)
    except ValueError as error:
        return UnreadableBooking(columns["booking_id"], str(error))


def _refuse_null(columns: Mapping[str, Any]) -> None:
    for name, value in columns.items():
        if value is None and name not in _OPTIONAL:
            raise ValueError(f"{name}: NULL, or a sum beyond 64 bits")
    if None in columns["payment_currencies"]:
        raise ValueError("payments: one has no currency")


def _moment(name: str, text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{name}: {text} is a time that no calendar here has") from error
