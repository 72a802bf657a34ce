"""Queries of sweeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from chassis.postgres import Connection, stored_rows
from chassis.postgres.stored_rows import UnreadableRow

_COLUMNS = """
    id, status, trigger, slot, since, is_dry_run AS dry_run, requested_by, requested_at, started_at,
    finished_at, events_since, until, position->>'step' AS step, seen, known, pending, missed, compared,
    mismatches, requests, error
"""

_GET = f"SELECT {_COLUMNS} FROM sweep WHERE id = $1"  # noqa: S608 - a constant

_LIST = f"""
SELECT {_COLUMNS} FROM sweep
WHERE $1::timestamptz IS NULL OR (requested_at, id) < ($1, $2)
ORDER BY requested_at DESC, id DESC
LIMIT $3
"""  # noqa: S608 - a constant

_FOUND = """
SELECT type, severity, booking_id, object_id, title FROM sweep_found
WHERE sweep_id = $1 ORDER BY type, object_id, fingerprint LIMIT $2
"""

# A failed sweep that nothing has followed yet.
_FAILED = """
SELECT id::text FROM sweep AS failed
WHERE status = 'failed' AND NOT is_dry_run AND finished_at <= $1
    AND NOT EXISTS (
        SELECT FROM sweep AS later
        WHERE NOT later.is_dry_run AND later.requested_at >= failed.requested_at AND later.id <> failed.id
    )
ORDER BY requested_at DESC LIMIT 1
"""

_COVERED = """
SELECT coalesce(
    (SELECT until FROM sweep WHERE status = 'completed' AND is_gapless ORDER BY until DESC LIMIT 1),
    (SELECT min(requested_at) FROM sweep WHERE NOT is_dry_run),
    (SELECT in_force_since FROM schedule WHERE cron = $1 AND time_zone = $2)
)
"""


@dataclass(frozen=True, slots=True)
class SweepRecord:
    """A sweep. seen = known + pending + missed (events); compared counts objects."""

    id: str
    status: str
    trigger: str
    slot: datetime | None
    since: datetime | None
    dry_run: bool
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    events_since: datetime | None
    until: datetime | None
    step: str | None
    seen: int
    known: int
    pending: int
    missed: int
    compared: int
    mismatches: int
    requests: int
    error: str | None


@dataclass(frozen=True, slots=True)
class SweepFound:
    """One thing that a sweep has found."""

    type: str
    severity: str
    booking_id: str | None
    object_id: str
    title: str


async def get(connection: Connection, sweep_id: str) -> SweepRecord | None:
    """Return one sweep; None for an unknown id.

    Raises:
        UnreadableRowError: the row is damaged.
    """
    row = await stored_rows.fetch_one(connection, _GET, UUID(sweep_id))
    return None if row is None else stored_rows.read_row(row, _record, key="id")


async def newest(
    connection: Connection, *, before: tuple[datetime, str] | None, rows_max: int
) -> Sequence[SweepRecord | UnreadableRow]:
    """Return sweeps, newest request first; `before` is time and id of the previous page's last sweep."""
    requested_at, sweep_id = before or (None, None)
    arguments = (requested_at, None if sweep_id is None else UUID(sweep_id), rows_max)
    rows = await stored_rows.fetch(connection, _LIST, *arguments, key="id")
    return stored_rows.read_rows(
        rows, _record, key="id", position=lambda row: (row["requested_at"].isoformat(), str(row["id"]))
    )


async def found(connection: Connection, sweep_id: str, *, rows_max: int) -> Sequence[SweepFound]:
    """Return what a sweep has found, by type."""
    return [SweepFound(**row) for row in await connection.fetch(_FOUND, UUID(sweep_id), rows_max)]


async def failed_before(connection: Connection, moment: datetime) -> str | None:
    """Return the newest sweep if it failed before a time; None if another one has followed."""
    return await connection.fetchval(_FAILED, moment)


async def covered_until(connection: Connection, cron: str, time_zone: str) -> datetime | None:
    """Return up to when finished sweeps have read Stripe's events; before the first, since when it is due."""
    return await connection.fetchval(_COVERED, cron, time_zone)


def _record(row: asyncpg.Record) -> SweepRecord:
    columns = {name: row[name] for name in SweepRecord.__slots__ if name != "id"}
    return SweepRecord(id=str(row["id"]), **columns)
