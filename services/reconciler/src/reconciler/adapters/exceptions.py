"""Tables `exception` and `exception_event` (REC-8). The caller holds the transaction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from chassis import clock
from chassis.messaging.failures import require_written
from chassis.postgres import Connection
from reconciler.domain.findings import RUN_TYPES, ExceptionType, Finding, RunType

# The partial unique index decides what is new, also between concurrent sessions.
_UPSERT = """
INSERT INTO exception (
    id, type, drift_class, severity, booking_id, fingerprint, difference, title, explanation,
    first_seen_at, last_seen_at, last_run_id
)
SELECT
    id, type, drift_class, severity, booking_id, fingerprint, difference, title, explanation::jsonb,
    $10, $10, $11
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[]
) AS found (id, type, drift_class, severity, booking_id, fingerprint, difference, title, explanation)
ORDER BY type, booking_id, fingerprint
ON CONFLICT (type, booking_id, fingerprint) WHERE status <> 'resolved' DO UPDATE SET
    occurrences = exception.occurrences + 1,
    revision = exception.revision + (exception.difference <> excluded.difference)::integer,
    difference = excluded.difference,
    drift_class = excluded.drift_class,
    severity = excluded.severity,
    title = excluded.title,
    explanation = excluded.explanation,
    last_seen_at = excluded.last_seen_at,
    last_run_id = excluded.last_run_id
RETURNING new.id, new.fingerprint, new.revision, old.revision AS revision_before
"""

_RESOLVE_REPORTED = """
UPDATE exception SET status = 'resolved', resolution = $3, resolved_at = $4
WHERE status <> 'resolved' AND type = $1 AND fingerprint = $2
RETURNING id, type, booking_id
"""

_RESOLVE_NOT_FOUND = """
UPDATE exception SET status = 'resolved', resolution = $3, resolved_at = $4
WHERE status <> 'resolved' AND type = ANY($1::text[]) AND booking_id = ANY($2::text[])
    AND last_run_id IS DISTINCT FROM $5
RETURNING id, type, booking_id
"""

_NOT_FOUND = """
SELECT DISTINCT booking_id FROM exception
WHERE status <> 'resolved' AND type = ANY($1::text[]) AND last_run_id IS DISTINCT FROM $2
    AND booking_id > $3
ORDER BY booking_id
LIMIT $4
"""

# The history stores the explanation of that time.
_RECORD = """
INSERT INTO exception_event (exception_id, kind, revision, actor, reason, run_id, explanation)
SELECT exception.id, change.kind, exception.revision, $3, $4, $5, exception.explanation
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS change (id, kind, position)
JOIN exception USING (id)
ORDER BY position
"""


Change = Literal["opened", "revised", "resolved"]


@dataclass(frozen=True, slots=True)
class UpsertedException:
    """An exception that a finding opened, revised or counted.

    Attributes:
        change: opened; revised if the difference changed; None if the finding is the same as before.
    """

    exception_id: str
    change: Change | None
    finding: Finding


@dataclass(frozen=True, slots=True)
class Resolution:
    """Resolution of an exception by a service: `code` for machines, `reason` for people."""

    code: Literal["fixed", "not_evaluated"]
    reason: str


@dataclass(frozen=True, slots=True)
class ResolvedException:
    """An exception that was resolved."""

    exception_id: str
    type: ExceptionType
    booking_id: str | None


async def upsert(
    connection: Connection, findings: Sequence[Finding], *, now: datetime, run_id: str | None
) -> list[UpsertedException]:
    """Insert or update exceptions; fingerprints must be distinct.

    Return what changed for each, in no particular order.
    """
    by_fingerprint = {finding.fingerprint: finding for finding in findings}
    rows = await connection.fetch(
        _UPSERT,
        [clock.new_id() for _ in findings],
        [finding.type for finding in findings],
        [finding.drift_class for finding in findings],
        [finding.severity for finding in findings],
        [finding.booking_id for finding in findings],
        [finding.fingerprint for finding in findings],
        [finding.difference for finding in findings],
        [finding.title for finding in findings],
        [json.dumps(finding.explanation) for finding in findings],
        now,
        None if run_id is None else UUID(run_id),
    )
    require_written("exception", len(rows), len(findings))
    return [
        UpsertedException(
            str(row["id"]),
            _change(row["revision_before"], row["revision"]),
            by_fingerprint[row["fingerprint"]],
        )
        for row in rows
    ]


async def resolve_not_found(
    connection: Connection,
    booking_ids: Sequence[str],
    resolution: Resolution,
    *,
    run_id: str,
    now: datetime,
    types: Sequence[RunType],
) -> list[ResolvedException]:
    """Resolve the exceptions of these bookings and types that this run did not find (REC-8)."""
    if not booking_ids:
        return []
    rows = await connection.fetch(_RESOLVE_NOT_FOUND, types, booking_ids, resolution.code, now, UUID(run_id))
    return [ResolvedException(str(row["id"]), row["type"], row["booking_id"]) for row in rows]


async def resolve_reported(
    connection: Connection, type_: ExceptionType, fingerprint: str, resolution: Resolution, *, now: datetime
) -> list[ResolvedException]:
    """Resolve the exception of this fingerprint, if it is not resolved yet."""
    rows = await connection.fetch(_RESOLVE_REPORTED, type_, fingerprint, resolution.code, now)
    return [ResolvedException(str(row["id"]), row["type"], row["booking_id"]) for row in rows]


async def bookings_not_found(
    connection: Connection, run_id: str, *, after: str, rows_max: int
) -> Sequence[str]:
    """Return the next bookings by id with an exception of a run type that this run did not find."""
    rows = await connection.fetch(_NOT_FOUND, RUN_TYPES, UUID(run_id), after, rows_max)
    return [row["booking_id"] for row in rows]


async def record(
    connection: Connection,
    changes: Sequence[tuple[str, Change]],
    *,
    actor: str,
    reason: str,
    run_id: str | None,
) -> None:
    """Append to the history: exception ids and their changes, in order."""
    status = await connection.execute(
        _RECORD,
        [UUID(exception_id) for exception_id, _ in changes],
        [kind for _, kind in changes],
        actor,
        reason,
        None if run_id is None else UUID(run_id),
    )
    require_written("exception_event", int(status.removeprefix("INSERT 0 ")), len(changes))


def _change(revision_before: int | None, revision: int) -> Change | None:
    if revision_before is None:
        return "opened"
    return "revised" if revision > revision_before else None
