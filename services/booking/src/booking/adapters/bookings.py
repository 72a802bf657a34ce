"""Table `booking`: lock, write, read."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from booking.adapters.booking_rows import details_parameters, to_booking, to_parameters, to_record
from booking.domain.booking import Booking
from booking.domain.details import BookingRecord, Details
from booking.domain.filters import BookingFilter
from chassis.messaging.failures import require_written
from chassis.postgres import Connection, stored_rows
from chassis.postgres.stored_rows import UnreadableRow
from contracts.ids import BookingId

_STATE = "booking_id, status, version, transitions, currency, total, captured, refunded, is_disputed"

# One order of locking: two batches that share bookings cannot deadlock.
_LOCK = f"SELECT {_STATE} FROM booking WHERE booking_id = ANY($1::uuid[]) ORDER BY booking_id FOR UPDATE"  # noqa: S608 - a constant

_LOCK_FREE = f"{_LOCK} SKIP LOCKED"

_LOCKED = "SELECT booking_id FROM booking WHERE booking_id = ANY($1::uuid[])"

_INSERT = """
INSERT INTO booking (
    booking_id, status, payment_status, version, transitions, currency, total, pricing,
    service, starts_at, ends_at, client_name, client_phone, client_email, pets, visits, notes, holiday
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
"""

_UPDATE = """
UPDATE booking SET
    status = now.status,
    payment_status = now.payment_status,
    version = now.version,
    transitions = now.transitions,
    captured = now.captured,
    refunded = now.refunded,
    is_disputed = now.is_disputed,
    updated_at = clock_timestamp(),
    confirmed_at = CASE
        WHEN now.status = 'pending' THEN NULL
        WHEN now.status = 'confirmed' AND booking.status <> 'confirmed' THEN clock_timestamp()
        ELSE booking.confirmed_at
    END
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::boolean[]
) AS now (booking_id, status, payment_status, version, transitions, captured, refunded, is_disputed)
WHERE booking.booking_id = now.booking_id
"""

_UPDATE_DETAILS = """
UPDATE booking SET
    service = $2, starts_at = $3, ends_at = $4, client_name = $5, client_phone = $6, client_email = $7,
    pets = $8, visits = $9, notes = $10, holiday = $11, updated_at = clock_timestamp()
WHERE booking_id = $1
"""

_UPDATE_PRICE = """
UPDATE booking SET currency = $2, total = $3, pricing = $4 WHERE booking_id = $1
"""

_SHOW = "SELECT * FROM booking WHERE booking_id = $1"

_LOCK_RECORD = f"{_SHOW} FOR UPDATE"

_EXISTS = "SELECT EXISTS (SELECT FROM booking WHERE booking_id = $1)"

_LIST = """
SELECT * FROM booking
WHERE ($1::text IS NULL OR status = $1)
    AND ($2::text IS NULL OR payment_status = $2)
    AND ($3::text IS NULL OR service = $3)
    AND ($4::uuid IS NULL OR booking_id < $4)
    AND ($5::text IS NULL OR strpos(lower(client_name), lower($5)) > 0)
    AND ($6::text IS NULL OR client_phone = $6)
    AND ($7::timestamptz IS NULL OR starts_at < $7)
    AND ($8::timestamptz IS NULL OR ends_at > $8)
ORDER BY booking_id DESC
LIMIT $9
"""


async def lock_bookings(connection: Connection, ids: Collection[BookingId]) -> dict[BookingId, Booking]:
    """Lock bookings until the transaction ends. Return the existing ones in their state after the lock."""
    if not ids:
        return {}
    rows = await connection.fetch(_LOCK, list(ids))
    bookings = [to_booking(row) for row in rows]
    return {booking.id: booking for booking in bookings}


async def try_lock_bookings(
    connection: Connection, ids: Collection[BookingId]
) -> tuple[dict[BookingId, Booking], set[BookingId]]:
    """Lock the bookings that no other session has locked, without waiting.

    Returns:
        The locked bookings in their state after the lock, and the ids of bookings locked by other sessions.
    """
    if not ids:
        return {}, set()
    rows = await connection.fetch(_LOCK_FREE, list(ids))
    bookings = {booking.id: booking for booking in map(to_booking, rows)}
    rest = [booking_id for booking_id in ids if booking_id not in bookings]
    rows = await connection.fetch(_LOCKED, rest) if rest else []
    return bookings, {BookingId(str(row["booking_id"])) for row in rows}


async def insert_booking(
    connection: Connection, booking: Booking, details: Details, pricing: Mapping[str, Any]
) -> None:
    status = await connection.execute(_INSERT, *to_parameters(booking, details, pricing))
    require_written("booking", int(status.removeprefix("INSERT 0 ")), 1)


async def update_bookings(connection: Connection, bookings: Sequence[Booking]) -> None:
    """Write the state of bookings that this transaction has locked."""
    if not bookings:
        return
    status = await connection.execute(
        _UPDATE,
        [booking.id for booking in bookings],
        [booking.status.value for booking in bookings],
        [booking.payment_status.value for booking in bookings],
        [booking.version for booking in bookings],
        [booking.transitions for booking in bookings],
        [booking.funds.captured for booking in bookings],
        [booking.funds.refunded for booking in bookings],
        [booking.funds.is_disputed for booking in bookings],
    )
    require_written("booking", int(status.removeprefix("UPDATE ")), len(bookings))


async def update_details(connection: Connection, booking_id: BookingId, details: Details) -> None:
    """Write the details of a booking that this transaction has locked."""
    status = await connection.execute(_UPDATE_DETAILS, booking_id, *details_parameters(details))
    require_written("booking", int(status.removeprefix("UPDATE ")), 1)


async def update_price(connection: Connection, booking: Booking, pricing: Mapping[str, Any]) -> None:
    """Write the price of a booking that this transaction has locked."""
    status = await connection.execute(
        _UPDATE_PRICE, booking.id, booking.total.currency, booking.total.amount, json.dumps(pricing)
    )
    require_written("booking", int(status.removeprefix("UPDATE ")), 1)


async def lock_booking(connection: Connection, booking_id: BookingId) -> BookingRecord | None:
    """Lock a booking until the transaction ends and return it; None for an unknown id."""
    row = await connection.fetchrow(_LOCK_RECORD, booking_id)
    return None if row is None else stored_rows.read_row(row, to_record, key="booking_id")


async def find_booking(connection: Connection, booking_id: BookingId) -> BookingRecord | None:
    """Return a booking; None for an unknown id."""
    row = await stored_rows.fetch_one(connection, _SHOW, booking_id)
    return None if row is None else stored_rows.read_row(row, to_record, key="booking_id")


async def booking_exists(connection: Connection, booking_id: BookingId) -> bool:
    return bool(await connection.fetchval(_EXISTS, booking_id))


async def list_bookings(
    connection: Connection, query: BookingFilter, *, rows_max: int
) -> list[BookingRecord | UnreadableRow]:
    """Return bookings, newest first."""
    day_starts, day_ends = query.day or (None, None)
    arguments = (
        query.status,
        query.payment_status,
        query.service,
        query.before,
        query.client,
        query.phone,
        day_ends,
        day_starts,
        rows_max,
    )
    rows = await stored_rows.fetch(connection, _LIST, *arguments, key="booking_id")
    return stored_rows.read_rows(rows, to_record, key="booking_id")
