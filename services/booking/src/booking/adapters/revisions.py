"""Table `booking_revision`, which triggers of the database write: a booking as it was (BK-14)."""

import json
from datetime import datetime
from typing import Any

import asyncpg

from booking.domain.funds import PaymentStatus
from booking.domain.revisions import Revision
from booking.domain.statuses import Status
from chassis.postgres import Connection, stored_rows
from contracts.ids import BookingId
from contracts.money import Money

TABLE = "booking_revision"

_COLUMNS = """
revision_id, booking_id, version, recorded_at, written_by, status, payment_status, currency, total, captured,
refunded, pricing, payments, is_first_known
"""

# Versions that one transaction made are one revision, under the last of them.
_AT_VERSION = f"""
SELECT {_COLUMNS} FROM booking_revision
WHERE version >= $1 AND booking_id = $2
ORDER BY version, revision_id DESC LIMIT 1
"""  # noqa: S608 - constants

_AT_MOMENT = f"""
SELECT {_COLUMNS} FROM booking_revision
WHERE recorded_at <= $1 AND booking_id = $2
ORDER BY revision_id DESC LIMIT 1
"""  # noqa: S608 - constants

_FIRST = f"""
SELECT {_COLUMNS} FROM booking_revision WHERE booking_id = $1 ORDER BY revision_id LIMIT 1
"""  # noqa: S608 - constants

_LAST = f"""
SELECT {_COLUMNS} FROM booking_revision WHERE booking_id = $1 ORDER BY revision_id DESC LIMIT 1
"""  # noqa: S608 - constants

_STATUS_AT = """
SELECT to_status FROM status_transition
WHERE booking_id = $1 AND recorded_at <= $2 ORDER BY version DESC LIMIT 1
"""


async def find_at_version(connection: Connection, booking_id: BookingId, version: int) -> Revision | None:
    """Return the revision that holds a version; None for a version after the last one.

    A version before the first known revision gives that revision: the caller looks at `is_first_known`.
    """
    return _read(await stored_rows.fetch_one(connection, _AT_VERSION, version, booking_id))


async def find_at_moment(connection: Connection, booking_id: BookingId, moment: datetime) -> Revision | None:
    """Return the revision that was current at a moment; None if none was recorded by then."""
    return _read(await stored_rows.fetch_one(connection, _AT_MOMENT, moment, booking_id))


async def find_first(connection: Connection, booking_id: BookingId) -> Revision | None:
    """Return the first revision; None for an unknown booking."""
    return _read(await stored_rows.fetch_one(connection, _FIRST, booking_id))


async def find_last(connection: Connection, booking_id: BookingId) -> Revision:
    """Return the last revision of a known booking."""
    last = _read(await stored_rows.fetch_one(connection, _LAST, booking_id))
    assert last is not None, "revisions are never removed"
    return last


async def find_status_at(connection: Connection, booking_id: BookingId, moment: datetime) -> Status | None:
    """Return the status that the history gives for a moment; None before the creation."""
    status = await connection.fetchval(_STATUS_AT, booking_id, moment)
    return None if status is None else Status(status)


async def database_time(connection: Connection) -> datetime:
    """Return the time of the database's clock, which dates the revisions."""
    moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return moment


def _read(row: asyncpg.Record | None) -> Revision | None:
    return None if row is None else stored_rows.read_row(row, _revision, key="revision_id")


def _revision(row: asyncpg.Record) -> Revision:
    pricing: Any = None if row["pricing"] is None else json.loads(row["pricing"])
    return Revision(
        id=row["revision_id"],
        booking_id=BookingId(str(row["booking_id"])),
        version=row["version"],
        recorded_at=row["recorded_at"],
        written_by=row["written_by"],
        status=Status(row["status"]),
        payment_status=PaymentStatus(row["payment_status"]),
        total=Money(row["total"], row["currency"]),
        captured=row["captured"],
        refunded=row["refunded"],
        pricing=pricing,
        payments=json.loads(row["payments"]),
        is_first_known=row["is_first_known"],
    )
