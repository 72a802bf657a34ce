"""Table `sweep`: request, claim, advance page by page, finish. The caller holds the transaction."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from reconciler.domain.findings import Finding
from reconciler.domain.stripe_pages import Position
from reconciler.domain.sweep_windows import Coverage, Window
from reconciler.domain.sweeps import ActiveSweep, Cursor, RequestedSweep

_INSERT = """
INSERT INTO sweep (id, trigger, slot, requested_by, requested_at, since, is_dry_run)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO NOTHING
RETURNING id
"""

# A running sweep comes first: only the holder of the lock claims, so the process that worked on it is gone.
# While it waits for Stripe, the others wait too.
_NEXT = """
SELECT id, status, since, is_dry_run, events_since, objects_since, objects_until, until, position, attempts
FROM (
    SELECT * FROM sweep WHERE status IN ('requested', 'running')
    ORDER BY status = 'running' DESC, requested_at, id
    LIMIT 1
) AS following
WHERE due_at IS NULL OR due_at <= $1
"""

_BEGIN = """
UPDATE sweep SET
    status = 'running', started_at = $2, events_since = $3, objects_since = $4, objects_until = $5,
    until = $6, is_gapless = $7
WHERE id = $1 AND status = 'requested'
RETURNING id
"""

_COVERAGE = """
SELECT until, pending_since, objects_until FROM sweep
WHERE status = 'completed' AND is_gapless ORDER BY until DESC LIMIT 1
"""

_ADVANCE = """
UPDATE sweep SET
    position = $3::jsonb, attempts = 0, error = NULL, due_at = NULL,
    seen = seen + $4, known = known + $5, pending = pending + $6, missed = missed + $7,
    compared = compared + $8, mismatches = mismatches + $9, requests = requests + $10,
    pending_since = least(pending_since, $11)
WHERE id = $1 AND status = 'running' AND position IS NOT DISTINCT FROM $2::jsonb
RETURNING id
"""

_NOTE_FAILURE = """
UPDATE sweep SET attempts = attempts + 1, error = $2, due_at = $3, requests = requests + $4
WHERE id = $1 AND status = 'running'
"""

_FINISH = """
UPDATE sweep SET status = $2, error = $3, finished_at = $4 WHERE id = $1 AND status = 'running'
RETURNING is_dry_run, seen, known, pending, missed, compared, mismatches, requests
"""

_SEE = """
INSERT INTO sweep_object (sweep_id, object_id)
SELECT $1, object_id FROM unnest($2::text[]) AS row (object_id)
ON CONFLICT DO NOTHING
RETURNING object_id
"""
_SEEN = "SELECT object_id FROM sweep_object WHERE sweep_id = $1 AND object_id = ANY($2::text[])"
_FORGET = "DELETE FROM sweep_object WHERE sweep_id = $1"

_ADD_FOUND = """
INSERT INTO sweep_found (sweep_id, fingerprint, type, severity, booking_id, object_id, title)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
ON CONFLICT DO NOTHING
RETURNING fingerprint
"""


class SweepNotOursError(Exception):
    """Another process has advanced or finished the sweep: leave the sweep to it."""


@dataclass(frozen=True, slots=True)
class SweepCounts:
    """Counts of a page; seen = known + pending + missed."""

    seen: int = 0
    known: int = 0
    pending: int = 0
    missed: int = 0
    compared: int = 0
    mismatches: int = 0
    pending_since: datetime | None = None
    requests: int = field(default=0, kw_only=True)


@dataclass(frozen=True, slots=True)
class EndedSweep:
    """The counts of all pages of a sweep that has ended; seen = known + pending + missed."""

    is_dry_run: bool
    seen: int
    known: int
    pending: int
    missed: int
    compared: int
    mismatches: int
    requests: int


@dataclass(frozen=True, slots=True)
class DueSweep:
    """A sweep that may be worked on; `active` is None if it has not begun."""

    sweep_id: str
    since: datetime | None
    is_dry_run: bool
    active: ActiveSweep | None


async def insert(connection: Connection, request: RequestedSweep) -> bool:
    """Insert a requested sweep; return False if it was requested before."""
    columns = (
        UUID(request.sweep_id),
        request.trigger,
        request.slot,
        request.requested_by,
        request.requested_at,
        request.since,
        request.is_dry_run,
    )
    return await connection.fetchval(_INSERT, *columns) is not None


async def next_due(connection: Connection, *, now: datetime) -> DueSweep | None:
    """Return the sweep to work on; None without one."""
    row = await connection.fetchrow(_NEXT, now)
    if row is None:
        return None
    active = _active(row) if row["status"] == "running" else None
    return DueSweep(str(row["id"]), row["since"], row["is_dry_run"], active)


async def begin(
    connection: Connection, sweep: DueSweep, window: Window, *, is_gapless: bool, now: datetime
) -> ActiveSweep:
    """Set a requested sweep to running.

    Raises:
        SweepNotOursError: it is not requested any more.
    """
    times = (window.events_since, window.objects_since, window.objects_until, window.until)
    if await connection.fetchval(_BEGIN, UUID(sweep.sweep_id), now, *times, is_gapless) is None:
        raise SweepNotOursError(f"sweep {sweep.sweep_id} is not requested any more")
    return ActiveSweep(sweep.sweep_id, window, sweep.is_dry_run, Cursor(), 0)


async def coverage(connection: Connection) -> Coverage | None:
    """Return how far finished sweeps have come without a gap; None before the first one."""
    row = await connection.fetchrow(_COVERAGE)
    return None if row is None else Coverage(row["until"], row["pending_since"], row["objects_until"])


async def advance(connection: Connection, sweep: ActiveSweep, reached: Cursor, page: SweepCounts) -> None:
    """Move the cursor past a page, and count the page.

    Raises:
        SweepNotOursError: the cursor is elsewhere, or the sweep has ended; the page must not be committed.
    """
    moved = await connection.fetchval(
        _ADVANCE,
        UUID(sweep.sweep_id),
        None if sweep.cursor == Cursor() else _pack(sweep.cursor),
        _pack(reached),
        *(page.seen, page.known, page.pending, page.missed, page.compared, page.mismatches, page.requests),
        page.pending_since,
    )
    if moved is None:
        raise SweepNotOursError(f"sweep {sweep.sweep_id} is no longer at {sweep.cursor}")


async def note_failure(
    connection: Connection, sweep_id: str, error: str, *, due_at: datetime, requests: int
) -> None:
    """Store why a request failed, and when the sweep goes on."""
    await connection.execute(_NOTE_FAILURE, UUID(sweep_id), error, due_at, requests)


async def finish(
    connection: Connection, sweep_id: str, *, status: str, error: str | None, now: datetime
) -> EndedSweep:
    """End a sweep as completed or failed, delete the ids that it has seen, and return its counts.

    Raises:
        SweepNotOursError: the sweep is not running.
    """
    row = await connection.fetchrow(_FINISH, UUID(sweep_id), status, error, now)
    if row is None:
        raise SweepNotOursError(f"sweep {sweep_id} is not running")
    await connection.execute(_FORGET, UUID(sweep_id))
    return EndedSweep(**row)


async def see(connection: Connection, sweep_id: str, object_ids: Sequence[str]) -> set[str]:
    """Record ids of a page; return those that the sweep sees for the first time."""
    rows = await connection.fetch(_SEE, UUID(sweep_id), sorted(set(object_ids)))
    return {row["object_id"] for row in rows}


async def seen(connection: Connection, sweep_id: str, object_ids: Sequence[str]) -> set[str]:
    """Return which of these ids the sweep has seen."""
    rows = await connection.fetch(_SEEN, UUID(sweep_id), object_ids)
    return {row["object_id"] for row in rows}


async def add_found(
    connection: Connection, sweep_id: str, found: Collection[tuple[str, Finding]]
) -> set[str]:
    """Record findings with the ids of their objects; return the fingerprints that are new in this sweep."""
    rows = await connection.fetch(
        _ADD_FOUND,
        UUID(sweep_id),
        [finding.fingerprint for _, finding in found],
        [finding.type for _, finding in found],
        [finding.severity for _, finding in found],
        [finding.booking_id for _, finding in found],
        [object_id for object_id, _ in found],
        [finding.title for _, finding in found],
    )
    return {row["fingerprint"] for row in rows}


def _active(row: asyncpg.Record) -> ActiveSweep:
    window = Window(row["events_since"], row["objects_since"], row["objects_until"], row["until"])
    cursor = Cursor() if row["position"] is None else _unpack(row["position"])
    return ActiveSweep(str(row["id"]), window, row["is_dry_run"], cursor, row["attempts"])


def _pack(cursor: Cursor) -> str:
    return json.dumps(asdict(cursor))


def _unpack(packed: str) -> Cursor:
    members = json.loads(packed)
    position = members.pop("position")
    return Cursor(**members, position=None if position is None else Position(**position))
