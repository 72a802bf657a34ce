"""Queries of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from chassis.postgres import Connection, stored_rows
from chassis.postgres.stored_rows import UnreadableRow
from reconciler.domain.progress import Progress, progress_of

_COLUMNS = """
    id, status, trigger, slot, requested_by, requested_at, queued_at, started_at, finished_at,
    scanned, clean, drifted, skipped, errored, error,
    scope, is_dry_run, cancelled_by, cancel_requested_at, passed, estimated_bookings, page_committed_at,
    (SELECT coalesce(array_agg(s ORDER BY currency), '{}') FROM run_sum AS s WHERE run_id = run.id) AS sums
"""

_GET = f"SELECT {_COLUMNS} FROM run WHERE id = $1"  # noqa: S608 - a constant

_LIST = f"""
SELECT {_COLUMNS} FROM run
WHERE $1::timestamptz IS NULL OR (requested_at, id) < ($1, $2)
ORDER BY requested_at DESC, id DESC
LIMIT $3
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Sums:
    """Amounts of all bookings evaluated in one currency, in minor units; drift = recomputed - snapshot."""

    snapshot: int
    recomputed: int
    charged: int
    drift: int


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run. scanned = clean + drifted + skipped + errored; one that found drift has completed (REC-7)."""

    id: str
    status: str
    trigger: str
    slot: datetime | None
    requested_by: str
    requested_at: datetime
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    scanned: int
    clean: int
    drifted: int
    skipped: int
    errored: int
    sums: Mapping[str, Sums]
    error: str | None
    scope: str
    is_dry_run: bool
    cancelled_by: str | None
    cancel_requested_at: datetime | None
    progress: Progress | None


async def get(connection: Connection, run_id: str) -> RunRecord | None:
    """Return one run; None for an unknown id.

    Raises:
        UnreadableRowError: the row is damaged.
    """
    row = await stored_rows.fetch_one(connection, _GET, UUID(run_id))
    return None if row is None else stored_rows.read_row(row, _view, key="id")


async def newest(
    connection: Connection, *, before: tuple[datetime, str] | None, rows_max: int
) -> Sequence[RunRecord | UnreadableRow]:
    """Return runs, newest request first; `before` is request time and id of the previous page's last run."""
    requested_at, run_id = before or (None, None)
    arguments = (requested_at, None if run_id is None else UUID(run_id), rows_max)
    rows = await stored_rows.fetch(connection, _LIST, *arguments, key="id")
    return stored_rows.read_rows(
        rows, _view, key="id", position=lambda row: (row["requested_at"].isoformat(), str(row["id"]))
    )


async def count(connection: Connection) -> int:
    """Count the runs."""
    return await connection.fetchval("SELECT count(*) FROM run")


def _view(row: asyncpg.Record) -> RunRecord:
    columns = {name: row[name] for name in RunRecord.__slots__ if name not in {"id", "sums", "progress"}}
    progress = progress_of(
        status=row["status"],
        scanned=row["scanned"],
        passed=row["passed"],
        estimated=row["estimated_bookings"],
        started_at=row["started_at"],
        last_at=row["finished_at"] or row["page_committed_at"],
    )
    sums = {each["currency"]: _sums(each) for each in row["sums"]}
    return RunRecord(id=str(row["id"]), sums=sums, progress=progress, **columns)


def _sums(row: asyncpg.Record) -> Sums:
    snapshot, recomputed, charged = (int(row[name]) for name in ("snapshot", "recomputed", "charged"))
    return Sums(snapshot, recomputed, charged, recomputed - snapshot)
