"""Tables `event_payload` by month and `payload_retention`: since when payloads are kept (AU-10)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from audit.domain.payload_states import PayloadState, payload_state
from chassis.postgres import Connection

_RETAINED_FROM = "SELECT max(retained_from) FROM payload_retention"

_STATES = """
SELECT entry_id, recorded_at, payload.entry_id IS NOT NULL AS is_kept
FROM event_log LEFT JOIN event_payload AS payload USING (entry_id)
WHERE entry_id = ANY($1::bigint[])
"""

_ADD_MONTHS = "SELECT add_payload_months($1)"
_STATE = """
SELECT
    (SELECT count(*) FROM payload_months() AS month WHERE month > now() AT TIME ZONE 'UTC') AS months_ahead,
    (SELECT count(*) FROM event_payload WHERE tableoid = 'event_payload_other'::regclass) AS outside_months,
    (SELECT count(*) FROM payload_rewrite) AS rewrites_due
"""

_MONTHS = """
SELECT
    to_char(month, 'YYYY-MM') AS month, count(entry_id) AS payloads,
    pg_total_relation_size('event_payload_' || to_char(month, 'YYYY_MM')) AS bytes
FROM payload_months() AS month
LEFT JOIN event_payload ON stored_at >= month::timestamp AT TIME ZONE 'UTC'
    AND stored_at < (month + interval '1 month') AT TIME ZONE 'UTC'
WHERE month < $1
GROUP BY month ORDER BY month
"""
_DROP_MONTHS = "SELECT drop_payload_months($1)"

# What is left before the oldest month stands in the default partition.
_DELETE_OTHERS = """
WITH gone AS (DELETE FROM event_payload WHERE stored_at < $1 RETURNING entry_id) SELECT count(*) FROM gone
"""
_DELETE_RENDERINGS = """
WITH gone AS (
    DELETE FROM event_rendering USING event_log
    WHERE event_log.entry_id = event_rendering.entry_id AND event_log.recorded_at < $1
    RETURNING event_rendering.entry_id
)
SELECT count(*) FROM gone
"""
_OTHERS = "SELECT count(*) FROM event_payload WHERE stored_at < $1"
_RENDERINGS = """
SELECT count(*) FROM event_rendering JOIN event_log USING (entry_id) WHERE event_log.recorded_at < $1
"""


@dataclass(frozen=True, slots=True)
class MonthOfPayloads:
    """A month of payloads, such as 2026-11, with the size of its table and indexes."""

    month: str
    payloads: int
    bytes: int


@dataclass(frozen=True, slots=True)
class MonthsState:
    """State of the months.

    Attributes:
        months_ahead: months after the running one that have a partition.
        outside_months: payloads in the default partition.
        rewrites_due: tables whose files still have the bytes of erased rows.
    """

    months_ahead: int
    outside_months: int
    rewrites_due: int


async def oldest_retained(connection: Connection) -> datetime | None:
    """Return the time since which payloads are kept; None if none was ever dropped for its age.

    An entry recorded earlier has lost its payload by retention. Entries themselves are kept for ever.
    """
    return await connection.fetchval(_RETAINED_FROM)


async def payload_states(connection: Connection, entry_ids: Collection[int]) -> dict[int, PayloadState]:
    """Return by entry if its payload is kept, was erased, or has expired; unknown entries are missing."""
    if not entry_ids:
        return {}
    rows = await connection.fetch(_STATES, list(entry_ids))
    # Read after the payloads: a month that is dropped in between counts as expired.
    retained_from = await oldest_retained(connection)
    return {
        row["entry_id"]: payload_state(
            is_kept=row["is_kept"], recorded_at=row["recorded_at"], retained_from=retained_from
        )
        for row in rows
    }


async def add_months(connection: Connection, months_ahead: int) -> int:
    """Create the missing partitions of this month and of the next ones; return how many were created."""
    return await connection.fetchval(_ADD_MONTHS, months_ahead)


async def months_state(connection: Connection) -> MonthsState:
    """Return the state of the months."""
    row = await connection.fetchrow(_STATE)
    assert row is not None, "an aggregate has a row"
    return MonthsState(**row)


async def months_before(connection: Connection, first_kept: date) -> list[MonthOfPayloads]:
    """Return the months before `first_kept`, oldest first."""
    return [MonthOfPayloads(**row) for row in await connection.fetch(_MONTHS, first_kept)]


async def count_outside(connection: Connection, before: datetime) -> tuple[int, int]:
    """Return how many payloads were stored before a time, and renderings of entries recorded before it."""
    return await connection.fetchval(_OTHERS, before), await connection.fetchval(_RENDERINGS, before)


async def drop_months(connection: Connection, first_kept: date) -> int:
    """Drop the months before `first_kept` and record since when payloads are kept; return their number."""
    return await connection.fetchval(_DROP_MONTHS, first_kept)


async def delete_outside(connection: Connection, before: datetime) -> tuple[int, int]:
    """Delete payloads and renderings before a time that stand in no month; return the number of both."""
    return await connection.fetchval(_DELETE_OTHERS, before), await connection.fetchval(
        _DELETE_RENDERINGS, before
    )
