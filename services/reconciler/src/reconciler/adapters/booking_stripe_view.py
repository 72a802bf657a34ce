"""What booking knows of Stripe's events, payments and objects, through its published views (REC-13)."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from chassis.postgres import Database
from contracts.money import Money
from reconciler.domain.stripe_comparison import Own, OwnObject, OwnPayment

READ_SECONDS_MAX = 10.0

_KNOWN = "SELECT DISTINCT event_id FROM booking.stripe_event_v1 WHERE event_id = ANY($1::text[])"

_COLUMNS = "row_id, payment_id, booking_id::text, currency, captured, refunded, state, is_void"
_PAYMENTS = f"SELECT {_COLUMNS} FROM booking.stripe_payment_v1 WHERE payment_id = ANY($1::text[])"  # noqa: S608 - a constant
_OBJECTS = """
SELECT object_id, kind, state, amount, currency FROM booking.stripe_object_v1
WHERE object_id = ANY($1::text[])
"""
# By recording: ids are in its order. Without a sort a page stops at its last row, as in `booking_view`.
_RECORDED = f"""
SELECT {_COLUMNS} FROM booking.stripe_payment_v1
WHERE row_id > $1 AND row_id < $2 AND state = 'succeeded' AND NOT is_void AND captured > 0
ORDER BY row_id LIMIT $3
"""  # noqa: S608 - a constant
_IN_ORDER = "SET LOCAL enable_sort = off"

_MILLISECOND_BITS = 80


async def known_events(database: Database, event_ids: Sequence[str]) -> set[str]:
    """Return which of these events reached booking, applied or not."""
    return {row["event_id"] for row in await _fetch(database, _KNOWN, list(event_ids))}


async def read_own(database: Database, object_ids: Sequence[str]) -> Own:
    """Return the payments and facts with these ids of Stripe's objects."""
    payments = [_payment(row) for row in await _fetch(database, _PAYMENTS, list(object_ids))]
    objects: defaultdict[str, list[OwnObject]] = defaultdict(list)
    for row in await _fetch(database, _OBJECTS, list(object_ids)):
        amount = None if row["amount"] is None else Money(row["amount"], row["currency"])
        objects[row["object_id"]].append(OwnObject(row["kind"], row["state"], amount))
    return Own({payment.payment_id: payment for payment in payments}, objects)


async def recorded_payments(
    database: Database, *, since: datetime, until: datetime, after: str | None, rows_max: int
) -> tuple[Sequence[OwnPayment], str | None]:
    """Return the next payments with money that were recorded in a window, and the last row's id.

    The id is None after the last page.
    """
    first = _first_id(since) if after is None else UUID(after)
    rows = await _fetch(database, _RECORDED, first, _first_id(until), rows_max)
    return [_payment(row) for row in rows], str(rows[-1]["row_id"]) if len(rows) == rows_max else None


async def _fetch(database: Database, query: str, *arguments: object) -> Sequence[asyncpg.Record]:
    async with (
        asyncio.timeout(READ_SECONDS_MAX),
        database.transaction(isolation="repeatable_read", readonly=True) as connection,
    ):
        if query is _RECORDED:
            await connection.execute(_IN_ORDER)
        return await connection.fetch(query, *arguments)


def _payment(row: asyncpg.Record) -> OwnPayment:
    return OwnPayment(
        payment_id=row["payment_id"],
        booking_id=row["booking_id"],
        captured=Money(row["captured"], row["currency"]),
        refunded=row["refunded"],
        state=row["state"],
        is_void=row["is_void"],
    )


def _first_id(moment: datetime) -> UUID:
    """Return the lowest UUID of version 7 of a time."""
    return UUID(int=int(moment.timestamp() * 1000) << _MILLISECOND_BITS)
