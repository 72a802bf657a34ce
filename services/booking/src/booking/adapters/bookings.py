"""The table `booking`: locked for a change, written, shown."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from booking.adapters.booking_rows import to_booking, to_parameters, to_record
from booking.domain.booking import Booking
from booking.domain.details import BookingRecord, Details
from booking.domain.funds import PaymentStatus
from booking.domain.statuses import Status
from chassis.messaging.failures import require_written
from chassis.postgres import Connection, stored_rows
from chassis.postgres.stored_rows import UnreadableRow
from contracts.ids import BookingId

_STATE = "booking_id, status, version, transitions, currency, total, captured, refunded, is_disputed"

# One order for everybody: two batches that share bookings cannot deadlock.
_LOCK = f"SELECT {_STATE} FROM booking WHERE booking_id = ANY($1::uuid[]) ORDER BY booking_id FOR UPDATE"  # noqa: S608 - a constant

_LOCK_FREE = f"{_LOCK} SKIP LOCKED"

_LOCKED = "SELECT booking_id FROM booking WHERE booking_id = ANY($1::uuid[])"

_INSERT = """
INSERT INTO booking (
    booking_id, status, payment_status, version, transitions, currency, total, pricing,
    service, starts_at, ends_at, client_name, client_phone, client_email, pets, visits, notes, holiday,
    idempotency_key, request_sha256
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
ON CONFLICT (idempotency_key) DO NOTHING
RETURNING booking_id
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

_SHOW = "SELECT * FROM booking WHERE booking_id = $1"

_EXISTS = "SELECT EXISTS (SELECT FROM booking WHERE booking_id = $1)"

_FIND_REQUEST = "SELECT booking_id, request_sha256 FROM booking WHERE idempotency_key = $1"

_LIST = """
SELECT * FROM booking
WHERE ($1::text IS NULL OR status = $1)
    AND ($2::text IS NULL OR payment_status = $2)
    AND ($3::text IS NULL OR service = $3)
    AND ($4::uuid IS NULL OR booking_id < $4)
ORDER BY booking_id DESC
LIMIT $5
"""


async def lock_bookings(connection: Connection, ids: Collection[BookingId]) -> dict[BookingId, Booking]:
    """Those of these bookings that exist, locked until the transaction ends, as they stand once locked."""
    if not ids:
        return {}
    rows = await connection.fetch(_LOCK, list(ids))
    bookings = [to_booking(row) for row in rows]
    return {booking.id: booking for booking in bookings}


async def lock_free_bookings(
    connection: Connection, ids: Collection[BookingId]
) -> tuple[dict[BookingId, Booking], set[BookingId]]:
    """Lock those of these bookings that nobody else has locked, without waiting.

    Returns:
        The bookings as they stand once locked, and the ids of those that exist and are locked by others.
    """
    if not ids:
        return {}, set()
    rows = await connection.fetch(_LOCK_FREE, list(ids))
    bookings = {booking.id: booking for booking in map(to_booking, rows)}
    rest = [booking_id for booking_id in ids if booking_id not in bookings]
    rows = await connection.fetch(_LOCKED, rest) if rest else []
    return bookings, {BookingId(str(row["booking_id"])) for row in rows}


async def insert_booking(
    connection: Connection,
    booking: Booking,
    details: Details,
    pricing: Mapping[str, Any],
    *,
    idempotency_key: str | None,
    request_sha256: bytes,
) -> bool:
    """Write a new booking; False if the key is taken, be it by a transaction that had to be waited for."""
    inserted = await connection.fetchval(
        _INSERT, *to_parameters(booking, details, pricing), idempotency_key, request_sha256
    )
    return inserted is not None


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


async def show_booking(connection: Connection, booking_id: BookingId) -> BookingRecord | None:
    """A booking whole."""
    row = await stored_rows.fetch_one(connection, _SHOW, booking_id)
    return None if row is None else stored_rows.read_row(row, to_record, key="booking_id")


async def booking_exists(connection: Connection, booking_id: BookingId) -> bool:
    """Whether there is such a booking."""
    return bool(await connection.fetchval(_EXISTS, booking_id))


async def find_request(connection: Connection, idempotency_key: str) -> tuple[BookingId, bytes] | None:
    """The booking made under this key and the digest of the request that made it."""
    row = await connection.fetchrow(_FIND_REQUEST, idempotency_key)
    return None if row is None else (BookingId(str(row["booking_id"])), row["request_sha256"])


async def list_bookings(
    connection: Connection,
    *,
    status: Status | None,
    payment_status: PaymentStatus | None,
    service: str | None,
    before: BookingId | None,
    rows_max: int,
) -> list[BookingRecord | UnreadableRow]:
    """Return bookings newest first, from the one after `before` on."""
    arguments = (status, payment_status, service, before, rows_max)
    rows = await stored_rows.fetch(connection, _LIST, *arguments, key="booking_id")
    return stored_rows.read_rows(rows, to_record, key="booking_id")
