"""Table `run`: request, queue, claim, advance page by page, finish. The caller holds the transaction."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from reconciler.domain.counts import PageCounts
from reconciler.domain.runs import ActiveRun, RequestedRun

_INSERT = """
INSERT INTO run (id, trigger, slot, requested_by, requested_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO NOTHING
RETURNING id
"""

_KNOWN = "SELECT id FROM run WHERE id = ANY($1::uuid[])"

# A command of another sender than our outbox inserts the row.
_QUEUE = """
INSERT INTO run (id, trigger, slot, requested_by, requested_at, queued_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET queued_at = coalesce(run.queued_at, excluded.queued_at)
"""

# A running run comes first: its executor is gone, because only the holder of the executor's lock claims.
_CLAIM = """
UPDATE run SET status = 'running', attempts = attempts + 1, started_at = coalesce(started_at, $1)
WHERE id = (
    SELECT id FROM run
    WHERE status IN ('requested', 'running') AND (status = 'running' OR queued_at IS NOT NULL)
    ORDER BY status = 'running' DESC, requested_at, id
    LIMIT 1
)
RETURNING id, trigger, slot, after_booking_id, attempts, error, old.status = 'requested' AS is_new
"""

_ADVANCE = """
UPDATE run SET
    after_booking_id = $3, attempts = 0, error = NULL,
    scanned = scanned + $4, clean = clean + $5, drifted = drifted + $6,
    skipped = skipped + $7, errored = errored + $8
WHERE id = $1 AND status = 'running' AND after_booking_id IS NOT DISTINCT FROM $2
RETURNING id
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


async def advance(
    connection: Connection, run_id: str, *, expected: str | None, reached: str, page: PageCounts
) -> None:
    """Move the cursor from `expected` to `reached` and count the page in between.

    Raises:
        RunNotOursError: the cursor is not at `expected`, or the run has ended; the page must not be
            committed.
    """
    counts = (page.scanned, page.clean, page.drifted, page.skipped, page.errored)
    moved = await connection.fetchval(_ADVANCE, UUID(run_id), _uuid(expected), UUID(reached), *counts)
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


async def finish(
    connection: Connection, run_id: str, *, status: str, error: str | None, finished_at: datetime
) -> asyncpg.Record:
    """End a run as completed or failed. Return its counts.

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
    )


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)
