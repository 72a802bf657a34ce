"""Runs: requested, queued, worked off page by page, finished. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from reconciler.domain.runs import ActiveRun, Request
from reconciler.domain.tallies import Tally

_INSERT = """
INSERT INTO run (id, trigger, slot, requested_by, requested_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO NOTHING
RETURNING id
"""

_KNOWN = "SELECT id FROM run WHERE id = ANY($1::uuid[])"

# A command may also come from elsewhere than our own outbox: then it makes the row.
_QUEUE = """
INSERT INTO run (id, trigger, slot, requested_by, requested_at, queued_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET queued_at = coalesce(run.queued_at, excluded.queued_at)
"""

# A run in work goes first: whoever had it is gone, since only the holder of the executor's lock asks.
_TAKE_UP = """
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
    """The run is not where this process left it: another one works on it. Let it."""


async def insert(connection: Connection, request: Request) -> bool:
    """Enter a requested run; False if this very run was requested before."""
    return await connection.fetchval(_INSERT, *_columns(request)) is not None


async def known(connection: Connection, run_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of these runs that were requested."""
    rows = await connection.fetch(_KNOWN, run_ids)
    return {row["id"] for row in rows}


async def queue(connection: Connection, request: Request, *, queued_at: datetime) -> None:
    """The run's command has arrived: it may start. A second arrival changes nothing."""
    await connection.execute(_QUEUE, *_columns(request), queued_at)


async def take_up(connection: Connection, *, now: datetime) -> tuple[ActiveRun, bool] | None:
    """The run to work on, now in status running, and whether it begins; None if there is nothing to do."""
    row = await connection.fetchrow(_TAKE_UP, now)
    return None if row is None else (_active(row), row["is_new"])


async def advance(
    connection: Connection, run_id: str, *, expected: str | None, reached: str, page: Tally
) -> None:
    """Move the cursor from `expected` to `reached` and count the page in between.

    Raises:
        RunNotOursError: the cursor is elsewhere, or the run has ended; the page must not be committed.
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
    """End a run as completed or failed; its counts.

    Raises:
        RunNotOursError: it is not running.
    """
    row = await connection.fetchrow(_FINISH, UUID(run_id), status, error, finished_at)
    if row is None:
        raise RunNotOursError(f"run {run_id} is not running")
    return row


async def note_error(connection: Connection, run_id: str, error: str, *, counts: bool) -> None:
    """Keep why an attempt failed; one that does not count is taken back."""
    await connection.execute(_NOTE_ERROR, UUID(run_id), error, counts)


def _columns(request: Request) -> Sequence[object]:
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
