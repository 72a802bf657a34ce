"""The booking service's published view `reconciliation_v1`, read page by page (REC-2).

A page is one statement in a read-only repeatable-read transaction. A run compares values within one booking,
and a booking with its payments is one row, so each booking is evaluated as of one moment. One snapshot over
all pages would hold back vacuum in booking's database for the whole run.

Rows come in slices, and a slice is evaluated while PostgreSQL computes the next one.

A page of a run with a narrower scope passes as many bookings as any other, and returns those in the scope:
its snapshot is as short, however few they are.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from chassis.postgres import Connection, Database
from reconciler.adapters.booking_rows import IS_PLAIN, ROW, read_row
from reconciler.domain.bookings import StoredBooking, UnreadableBooking
from reconciler.domain.scopes import Scope, month_bounds

PAGE_ROWS_MAX = 5_000
# Longest snapshot of booking's database.
READ_SECONDS_MAX = 10.0
# A page of all bookings ends early instead: slow ones would fail the run at every attempt.
SHORT_OF_SECONDS = 5.0
# More would keep the event loop from other work, less would wait more often for PostgreSQL.
SLICE_ROWS = 250

_FIRST = UUID(int=0)

# The view is a barrier and is planned without the LIMIT. Without a sort, a page follows the primary key and
# stops. With a sort, every page would read all bookings after its beginning.
IN_ORDER = "SET LOCAL enable_sort = off"

# The service gives no booking the nil UUID; a row with it is read like others.
_BEFORE_ALL = "booking_id >= $1"
_AFTER = "booking_id > $1"

_PAGE = f"""
SELECT {ROW}
FROM (
    SELECT *, {IS_PLAIN} AS is_plain
    FROM booking.reconciliation_v1
    WHERE {{place}}
    ORDER BY booking_id
    LIMIT $2
) AS page
ORDER BY page.booking_id
"""  # noqa: S608 - constants

PAGE_AFTER = _PAGE.replace("{place}", _AFTER)
"""The statement of a page that is not the first: $1 is the id before it, $2 its number of bookings."""

_ONE = f"""
SELECT {ROW}
FROM (SELECT *, {IS_PLAIN} AS is_plain FROM booking.reconciliation_v1 WHERE booking_id = $1) AS page
"""  # noqa: S608 - constants

# A row without a booking says how far the page went.
_PAGE_OF_SCOPE = f"""
WITH page AS MATERIALIZED (
    SELECT *, {IS_PLAIN} AS is_plain
    FROM booking.reconciliation_v1
    WHERE {{place}}
    ORDER BY booking_id
    LIMIT $2
)
SELECT {ROW}, passed.bookings AS passed_bookings, passed.last_booking_id
FROM (
    SELECT
        count(*)::integer AS bookings,
        (array_agg(booking_id ORDER BY booking_id DESC))[1]::text AS last_booking_id
    FROM page
) AS passed
LEFT JOIN page ON {{column}} >= $3 AND ($4::timestamptz IS NULL OR {{column}} < $4)
ORDER BY page.booking_id
"""  # noqa: S608 - constants

_ESTIMATE = "EXPLAIN (FORMAT JSON) SELECT booking_id FROM booking.reconciliation_v1"

# Of all clients. PostgreSQL adds up a session's transactions once a second.
_TRANSACTIONS = """
SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()
"""

_EVALUATED = "SELECT booking_id FROM booking.reconciliation_v1 WHERE booking_id = ANY($1::uuid[])"
_STATUSES = """
SELECT booking_id, status FROM booking.reconciliation_status_v1 WHERE booking_id = ANY($1::uuid[])
"""


class ViewMismatchError(Exception):
    """The view lacks a column, or is another one than the reconciler reads: no later attempt can succeed."""


class ViewRefusedError(Exception):
    """The role may not read the view. Waiting does not give it the right: attempts count."""


Slice: TypeAlias = Sequence[StoredBooking | UnreadableBooking]

_Bounds: TypeAlias = tuple[str, datetime, datetime | None]
"""A column, and times that its bookings begin at and end before."""


@dataclass(frozen=True, slots=True)
class Passed:
    """How far a page went.

    Attributes:
        rows: number of bookings in the scope.
        bookings: number of bookings passed, with those outside of the scope.
        last_booking_id: last one passed; None if none was left.
    """

    rows: int
    bookings: int
    last_booking_id: str | None


async def read_page(
    database: Database,
    scope: Scope,
    zone: ZoneInfo,
    *,
    after_booking_id: str | None,
    rows_max: int = PAGE_ROWS_MAX,
    take: Callable[[Slice], None],
) -> Passed:
    """Hand over the next bookings by id, in slices; a page that passed none means that all were read.

    Args:
        database: as the SELECT-only role.
        scope: which bookings are wanted.
        zone: of the business; a month begins and ends in it.
        after_booking_id: last id of the previous page; None for the first page.
        rows_max: bookings to pass.
        take: is called with each slice of bookings in the scope.

    Raises:
        ViewMismatchError: the view is not the one that this release reads.
    """
    async with (
        _refuse_another_view(),
        asyncio.timeout(READ_SECONDS_MAX),
        database.transaction(isolation="repeatable_read", readonly=True) as connection,
    ):
        await connection.execute(IN_ORDER)
        if scope.booking_id is not None:
            rows, passed = await _read_one(connection, scope.booking_id, after_booking_id)
        elif (bounds := _bounds(scope, zone)) is not None:
            rows, passed = await _read_of_scope(connection, after_booking_id, rows_max, bounds)
        else:
            return await _read_all(connection, after_booking_id, rows_max, take)
    for first in range(0, len(rows), SLICE_ROWS):
        take([read_row(row) for row in rows[first : first + SLICE_ROWS]])
        await asyncio.sleep(0)
    return passed


@asynccontextmanager
async def _refuse_another_view() -> AsyncGenerator[None]:
    try:
        yield
    except (asyncpg.UndefinedColumnError, asyncpg.UndefinedTableError) as error:
        raise ViewMismatchError(
            f"booking's view does not fit this release: {error.message}; run `booking migrate` of this"
            " release on booking's database, then request the run again"
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise ViewRefusedError(
            f"{error.message}; run `plumbline databases apply` and `booking migrate`"
        ) from error


async def estimate_bookings(database: Database, scope: Scope) -> int:
    """Return how many bookings a run of this scope passes, as the planner estimates."""
    if scope.booking_id is not None:
        return 1
    async with _refuse_another_view(), database.connection() as connection:
        [plan] = json.loads(await connection.fetchval(_ESTIMATE))
    return int(plan["Plan"]["Plan Rows"])


async def count_transactions(database: Database) -> int:
    """Return the number of transactions that all clients of booking's database have ended so far."""
    async with database.connection() as connection:
        return await connection.fetchval(_TRANSACTIONS)


async def _read_all(
    connection: Connection, after: str | None, rows_max: int, take: Callable[[Slice], None]
) -> Passed:
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + SHORT_OF_SECONDS
    cursor = await connection.cursor(_placed(_PAGE, after), *_place(after), rows_max)
    passed, last = 0, None
    fetching = asyncio.create_task(cursor.fetch(SLICE_ROWS))
    try:
        while rows := await fetching:
            fetching = asyncio.create_task(cursor.fetch(SLICE_ROWS))
            await asyncio.sleep(0)  # the task sends its request
            take([read_row(row) for row in rows])
            passed, last = passed + len(rows), rows[-1]["booking_id"]
            if loop.time() > ends_at:
                break
    finally:
        # The transaction cannot end before.
        await asyncio.gather(fetching, return_exceptions=True)
    return Passed(passed, passed, last)


async def _read_one(
    connection: Connection, booking_id: str, after: str | None
) -> tuple[list[asyncpg.Record], Passed]:
    rows = [] if after is not None else await connection.fetch(_ONE, UUID(booking_id))
    return rows, Passed(len(rows), len(rows), booking_id if rows else None)


def _bounds(scope: Scope, zone: ZoneInfo) -> _Bounds | None:
    if scope.since is not None:
        return "changed_at", scope.since, None
    return None if scope.month is None else ("starts_at", *month_bounds(scope.month, zone))


async def _read_of_scope(
    connection: Connection, after: str | None, rows_max: int, bounds: _Bounds
) -> tuple[list[asyncpg.Record], Passed]:
    column, begins, ends = bounds
    query = _placed(_PAGE_OF_SCOPE, after).replace("{column}", column)
    rows = await connection.fetch(query, *_place(after), rows_max, begins, ends)
    passed, last = rows[0]["passed_bookings"], rows[0]["last_booking_id"]
    rows = [row for row in rows if row["booking_id"] is not None]
    return rows, Passed(len(rows), passed, last)


def _placed(query: str, after: str | None) -> str:
    return query.replace("{place}", _BEFORE_ALL if after is None else _AFTER)


def _place(after: str | None) -> tuple[UUID]:
    return (_FIRST if after is None else UUID(after),)


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
