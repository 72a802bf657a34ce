"""Table `run`: request, queue, claim, cancel, advance page by page, finish, in the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from reconciler.domain.counts import PageCounts
from reconciler.domain.runs import ActiveRun, RequestedRun, RunEnd

_INSERT = """
INSERT INTO run (id, trigger, slot, requested_by, requested_at, scope, is_dry_run)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO NOTHING
RETURNING id
"""

_KNOWN = "SELECT id FROM run WHERE id = ANY($1::uuid[])"

# A command of another sender than our outbox inserts the row.
_QUEUE = """
INSERT INTO run (id, trigger, slot, requested_by, requested_at, scope, is_dry_run, queued_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO UPDATE SET queued_at = coalesce(run.queued_at, excluded.queued_at)
"""

# A running run comes first: its executor is gone, because only the holder of the executor's lock claims.
_CLAIM = """
UPDATE run SET
    status = 'running', attempts = attempts + 1, started_at = coalesce(started_at, $1),
    pages = CASE WHEN status = 'requested' THEN 0 ELSE pages END
WHERE id = (
    SELECT id FROM run
    WHERE status IN ('requested', 'running') AND (status = 'running' OR queued_at IS NOT NULL)
    ORDER BY status = 'running' DESC, requested_at, id
    LIMIT 1
)
RETURNING
    id, trigger, slot, after_booking_id, attempts, error, scope, is_dry_run,
    coalesce(page_committed_at, started_at) AS progressed_at,
    old.status = 'requested' AS is_new
"""

_ESTIMATE = "UPDATE run SET estimated_bookings = $2 WHERE id = $1"

_CANCEL_REQUESTED = "SELECT cancelled_by FROM run WHERE id = $1 AND cancel_requested_at IS NOT NULL"

# A requested run ends at once, a running one at its next page. The first request to cancel is kept.
_CANCEL = """
UPDATE run SET
    cancelled_by = coalesce(cancelled_by, $2),
    cancel_requested_at = coalesce(cancel_requested_at, $3),
    finished_at = CASE WHEN status = 'requested' THEN $3::timestamptz END,
    status = CASE WHEN status = 'requested' THEN 'cancelled' ELSE status END
WHERE id = $1 AND status IN ('requested', 'running')
RETURNING new.status
"""

_ADVANCE = """
UPDATE run SET
    after_booking_id = $3, attempts = 0, error = NULL,
    scanned = scanned + $4, clean = clean + $5, drifted = drifted + $6,
    skipped = skipped + $7, errored = errored + $8,
    passed = passed + $9, page_committed_at = $10, pages = pages + 1
WHERE id = $1 AND status = 'running' AND after_booking_id IS NOT DISTINCT FROM $2
RETURNING id, pages
"""

_ADD_SUMS = """
INSERT INTO run_sum (run_id, currency, snapshot, recomputed, charged)
SELECT $1, * FROM unnest($2::text[], $3::numeric[], $4::numeric[], $5::numeric[])
ON CONFLICT (run_id, currency) DO UPDATE SET
    snapshot = run_sum.snapshot + excluded.snapshot,
    recomputed = run_sum.recomputed + excluded.recomputed,
    charged = run_sum.charged + excluded.charged
"""

_FINISH = """
UPDATE run SET status = $2, error = $3, finished_at = $4 WHERE id = $1 AND status = 'running'
RETURNING scanned, clean, drifted, skipped, errored
"""

_NOTE_ERROR = """
UPDATE run SET error = $2, attempts = CASE WHEN $3 THEN attempts ELSE greatest(attempts - 1, 0) END
WHERE id = $1 AND status = 'running'
"""


class RunNotOursError(Exception):
    """Another process has advanced or finished the run: leave the run to it."""


async def insert(connection: Connection, request: RequestedRun) -> bool:
    """Insert a requested run; return False if it was requested before."""
    return await connection.fetchval(_INSERT, *_columns(request)) is not None


async def known(connection: Connection, run_ids: Sequence[UUID]) -> set[UUID]:
    """Return the ids that have a row."""
    rows = await connection.fetch(_KNOWN, run_ids)
    return {row["id"] for row in rows}


async def queue(connection: Connection, request: RequestedRun, *, queued_at: datetime) -> None:
    """Mark a run as queued, because its command has arrived. A second arrival changes nothing."""
    await connection.execute(_QUEUE, *_columns(request), queued_at)


async def claim(connection: Connection, *, now: datetime) -> tuple[ActiveRun, bool] | None:
    """Set the next run to running. Return it and True if it is new; None without a run."""
    row = await connection.fetchrow(_CLAIM, now)
    return None if row is None else (_active(row), row["is_new"])


async def estimate(connection: Connection, run_id: str, bookings: int) -> None:
    """Store how many bookings the run will pass, as the planner estimates."""
    await connection.execute(_ESTIMATE, UUID(run_id), bookings)


async def cancel(connection: Connection, run_id: str, *, cancelled_by: str, now: datetime) -> str | None:
    """Cancel a requested run, or ask the executor of a running one to. Return the status then.

    Return None for a run that has ended, and for an unknown one.
    """
    return await connection.fetchval(_CANCEL, UUID(run_id), cancelled_by, now)


async def cancel_requested(connection: Connection, run_id: str) -> str | None:
    """Return who asked to cancel the run; None if nobody did."""
    return await connection.fetchval(_CANCEL_REQUESTED, UUID(run_id))


async def advance(
    connection: Connection,
    run_id: str,
    *,
    expected: str | None,
    reached: str,
    page: PageCounts,
    passed: int,
    now: datetime,
) -> int | None:
    """Move the cursor from `expected` to `reached` and count the page in between. Return the page's number.

    Return None if the run began before its pages were recorded.

    Args:
        connection: in the page's transaction.
        run_id: the run.
        expected: the cursor before.
        reached: the cursor after.
        page: counts and sums of the page.
        passed: bookings of the page, with those outside of the run's scope.
        now: time of the page.

    Raises:
        RunNotOursError: the cursor is not at `expected`, or the run has ended; the page must not be
            committed.
    """
    counts = (page.scanned, page.clean, page.drifted, page.skipped, page.errored)
    moved = await connection.fetchrow(
        _ADVANCE, UUID(run_id), _uuid(expected), UUID(reached), *counts, passed, now
    )
    if moved is None:
        raise RunNotOursError(f"run {run_id} is no longer at booking {expected}")
    await connection.execute(
        _ADD_SUMS,
        UUID(run_id),
        [amounts.currency for amounts in page.sums],
        [amounts.snapshot for amounts in page.sums],
        [amounts.recomputed for amounts in page.sums],
        [amounts.charged for amounts in page.sums],
    )
    return moved["pages"]


async def finish(
    connection: Connection, run_id: str, *, status: RunEnd, error: str | None, finished_at: datetime
) -> asyncpg.Record:
    """End a run. Return its counts.

    Raises:
        RunNotOursError: the run is not running.
    """
    row = await connection.fetchrow(_FINISH, UUID(run_id), status, error, finished_at)
    if row is None:
        raise RunNotOursError(f"run {run_id} is not running")
    return row


async def note_error(connection: Connection, run_id: str, error: str, *, counts: bool) -> None:
    """Store why an attempt failed; `counts` says whether it counts as an attempt."""
    await connection.execute(_NOTE_ERROR, UUID(run_id), error, counts)


def _columns(request: RequestedRun) -> Sequence[object]:
    return (
        UUID(request.run_id),
        request.trigger,
        request.slot,
        request.requested_by,
        request.requested_at,
        str(request.scope),
        request.is_dry_run,
    )


def _active(row: asyncpg.Record) -> ActiveRun:
    after = row["after_booking_id"]
    return ActiveRun(
        run_id=str(row["id"]),
        trigger=row["trigger"],
        slot=row["slot"],
        after_booking_id=None if after is None else str(after),
        attempts=row["attempts"],
        last_error=row["error"],
        progressed_at=row["progressed_at"],
        scope=row["scope"],
        is_dry_run=row["is_dry_run"],
    )


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)
