"""Table `offer`: offers of bookings to people. Every change is made under the lock of the booking's row."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from booking.domain.offers import ClosedReason, Offer, OfferStatus
from chassis.messaging.failures import require_written
from chassis.postgres import Connection, stored_rows
from chassis.postgres.stored_rows import UnreadableRow
from contracts.ids import BookingId

LATE_DAYS_MAX = 7
"""A yes to an offer that was decided longer ago is a yes to something else."""

_STATE = """
SELECT
    offer_id, offer.booking_id, person_id, phone, offer.status, closed_reason, expires_at,
    expires_at <= clock_timestamp() AS has_expired, booking.ends_at <= clock_timestamp() AS is_past
FROM offer JOIN booking ON booking.booking_id = offer.booking_id
"""

_OF_BOOKINGS = f"{_STATE} WHERE offer.booking_id = ANY($1::uuid[]) ORDER BY offer_id"

_OF_PHONES = f"""
{_STATE}
WHERE phone = ANY($1::text[])
    AND (offer.status = 'open' OR decided_at > clock_timestamp() - make_interval(days => {LATE_DAYS_MAX}))
ORDER BY offer_id DESC
"""

_PAST = "SELECT ends_at <= clock_timestamp() FROM booking WHERE booking_id = $1"

_DUE_BOOKINGS = """
SELECT DISTINCT offer.booking_id
FROM offer JOIN booking ON booking.booking_id = offer.booking_id
WHERE offer.status = 'open' AND (
    expires_at <= clock_timestamp()
    OR booking.ends_at <= clock_timestamp()
    OR booking.status IN ('completed', 'cancelled')
)
LIMIT $1
"""

_INSERT = """
INSERT INTO offer (offer_id, booking_id, person_id, name, phone, expires_at)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING created_at
"""

_UPDATE = """
UPDATE offer SET status = now.status, closed_reason = now.closed_reason, decided_at = clock_timestamp()
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS now (offer_id, status, closed_reason)
WHERE offer.offer_id = now.offer_id
"""

_RECORD = """
SELECT offer_id, booking_id, person_id, name, phone, status, closed_reason, created_at, expires_at, decided_at
FROM offer
"""

_SHOW = f"{_RECORD} WHERE booking_id = $1 AND offer_id = $2"

_LIST = f"""
{_RECORD}
WHERE booking_id = $1 AND ($2::uuid IS NULL OR offer_id < $2)
ORDER BY offer_id DESC
LIMIT $3
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRecord:
    """A stored offer. `decided_at`: when it was accepted or closed last; None while it is open."""

    id: str
    booking_id: BookingId
    person_id: str
    name: str
    phone: str
    status: OfferStatus
    closed_reason: ClosedReason | None
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None


async def read_offers(connection: Connection, booking_ids: Collection[BookingId]) -> list[Offer]:
    """Return all offers of these bookings, oldest first."""
    rows = await connection.fetch(_OF_BOOKINGS, list(booking_ids)) if booking_ids else []
    return [_offer(row) for row in rows]


async def read_offers_to(connection: Connection, phones: Collection[str]) -> list[Offer]:
    """Return the offers to these phones that are open or were decided lately, newest first."""
    rows = await connection.fetch(_OF_PHONES, list(phones)) if phones else []
    return [_offer(row) for row in rows]


async def has_ended(connection: Connection, booking_id: BookingId) -> bool:
    """Return True if the booking has ended, by the database's clock."""
    return bool(await connection.fetchval(_PAST, booking_id))


async def find_due_bookings(connection: Connection, *, rows_max: int) -> list[BookingId]:
    """Return bookings with an open offer that has expired, or that nobody can take any more."""
    rows = await connection.fetch(_DUE_BOOKINGS, rows_max)
    return [BookingId(str(row["booking_id"])) for row in rows]


async def insert_offer(connection: Connection, offer: Offer, *, name: str) -> None:
    """Insert an offer. `name` is the person's."""
    arguments = (offer.id, offer.booking_id, offer.person_id, name, offer.phone, offer.expires_at)
    created_at = await connection.fetchval(_INSERT, *arguments)
    require_written("offer", int(created_at is not None), 1)


async def update_offers(connection: Connection, offers: Sequence[Offer]) -> None:
    """Write the status of offers that were accepted or closed."""
    if not offers:
        return
    status = await connection.execute(
        _UPDATE,
        [offer.id for offer in offers],
        [offer.status.value for offer in offers],
        [offer.closed_reason for offer in offers],
    )
    require_written("offer", int(status.removeprefix("UPDATE ")), len(offers))


async def find_offer(connection: Connection, booking_id: BookingId, offer_id: str) -> OfferRecord | None:
    """Return an offer of this booking; None for an unknown id."""
    row = await stored_rows.fetch_one(connection, _SHOW, booking_id, offer_id)
    return None if row is None else stored_rows.read_row(row, _record, key="offer_id")


async def list_offers(
    connection: Connection, booking_id: BookingId, *, before: str | None, rows_max: int
) -> list[OfferRecord | UnreadableRow]:
    """Return a booking's offers, newest first."""
    rows = await stored_rows.fetch(connection, _LIST, booking_id, before, rows_max, key="offer_id")
    return stored_rows.read_rows(rows, _record, key="offer_id")


def _offer(row: asyncpg.Record) -> Offer:
    return Offer(
        id=str(row["offer_id"]),
        booking_id=BookingId(str(row["booking_id"])),
        person_id=row["person_id"],
        phone=row["phone"],
        status=OfferStatus(row["status"]),
        closed_reason=None if row["closed_reason"] is None else ClosedReason(row["closed_reason"]),
        expires_at=row["expires_at"],
        has_expired=row["has_expired"],
        is_past=row["is_past"],
    )


def _record(row: asyncpg.Record) -> OfferRecord:
    return OfferRecord(
        id=str(row["offer_id"]),
        booking_id=BookingId(str(row["booking_id"])),
        person_id=row["person_id"],
        name=row["name"],
        phone=row["phone"],
        status=OfferStatus(row["status"]),
        closed_reason=None if row["closed_reason"] is None else ClosedReason(row["closed_reason"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        decided_at=row["decided_at"],
    )
