"""The exception queue's table and history (REC-8). Nothing here commits."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from chassis import clock
from chassis.messaging.failures import require_written
from chassis.postgres import Connection
from reconciler.domain.sightings import RUN_TYPES, ExceptionType, RunType, Sighting

# The partial unique index decides what is new, whoever else sees the same at this moment.
_SEE = """
INSERT INTO exception (
    id, type, drift_class, severity, booking_id, fingerprint, difference, title, explanation,
    first_seen_at, last_seen_at, last_run_id
)
SELECT
    id, type, drift_class, severity, booking_id, fingerprint, difference, title, explanation::jsonb,
    $10, $10, $11
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[]
) AS seen (id, type, drift_class, severity, booking_id, fingerprint, difference, title, explanation)
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

_RESOLVE_UNSEEN = """
UPDATE exception SET status = 'resolved', resolution = $3, resolved_at = $4
WHERE status <> 'resolved' AND type = ANY($1::text[]) AND booking_id = ANY($2::text[])
    AND last_run_id IS DISTINCT FROM $5
RETURNING id, type, booking_id
"""

_UNSEEN = """
SELECT DISTINCT booking_id FROM exception
WHERE status <> 'resolved' AND type = ANY($1::text[]) AND last_run_id IS DISTINCT FROM $2
    AND booking_id > $3
ORDER BY booking_id
LIMIT $4
"""

# The history keeps the explanation as it was then.
_RECORD = """
INSERT INTO exception_event (exception_id, kind, revision, actor, reason, run_id, explanation)
SELECT exception.id, happened.kind, exception.revision, $3, $4, $5, exception.explanation
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS happened (id, kind, position)
JOIN exception USING (id)
ORDER BY position
"""


Change = Literal["opened", "revised", "resolved"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A sighting that is in the queue now.

    Attributes:
        change: opened; revised, for its difference is another one; None where it was seen again as it was.
    """

    exception_id: str
    change: Change | None
    sighting: Sighting


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run closes exceptions: `resolution` for machines, `reason` for people."""

    resolution: Literal["fixed", "not_evaluated"]
    reason: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """An exception that a run closed."""

    exception_id: str
    type: ExceptionType
    booking_id: str | None


async def see(
    connection: Connection, sightings: Sequence[Sighting], *, now: datetime, run_id: str | None
) -> list[Seen]:
    """Enter sightings, each of another fingerprint; what became of them, in no order."""
    by_fingerprint = {sighting.fingerprint: sighting for sighting in sightings}
    rows = await connection.fetch(
        _SEE,
        [clock.new_id() for _ in sightings],
        [sighting.type for sighting in sightings],
        [sighting.drift_class for sighting in sightings],
        [sighting.severity for sighting in sightings],
        [sighting.booking_id for sighting in sightings],
        [sighting.fingerprint for sighting in sightings],
        [sighting.difference for sighting in sightings],
        [sighting.title for sighting in sightings],
        [json.dumps(sighting.explanation) for sighting in sightings],
        now,
        None if run_id is None else UUID(run_id),
    )
    require_written("exception", len(rows), len(sightings))
    return [
        Seen(
            str(row["id"]),
            _change(row["revision_before"], row["revision"]),
            by_fingerprint[row["fingerprint"]],
        )
        for row in rows
    ]


async def resolve_unseen(
    connection: Connection,
    booking_ids: Sequence[str],
    ending: Ending,
    *,
    run_id: str,
    now: datetime,
    types: Sequence[RunType],
) -> list[Resolved]:
    """Close what a run looks for in these bookings and did not see this time (REC-8)."""
    if not booking_ids:
        return []
    rows = await connection.fetch(_RESOLVE_UNSEEN, types, booking_ids, ending.resolution, now, UUID(run_id))
    return [Resolved(str(row["id"]), row["type"], row["booking_id"]) for row in rows]


async def bookings_unseen(connection: Connection, run_id: str, *, after: str, rows_max: int) -> Sequence[str]:
    """Return the next bookings, by id, with an exception that runs look for and this run did not see."""
    rows = await connection.fetch(_UNSEEN, RUN_TYPES, UUID(run_id), after, rows_max)
    return [row["booking_id"] for row in rows]


async def record(
    connection: Connection,
    happened: Sequence[tuple[str, Change]],
    *,
    actor: str,
    reason: str,
    run_id: str | None,
) -> None:
    """Write history: exception ids and what happened to them, in order."""
    status = await connection.execute(
        _RECORD,
        [UUID(exception_id) for exception_id, _ in happened],
        [kind for _, kind in happened],
        actor,
        reason,
        None if run_id is None else UUID(run_id),
    )
    require_written("exception_event", int(status.removeprefix("INSERT 0 ")), len(happened))


def _change(revision_before: int | None, revision: int) -> Change | None:
    if revision_before is None:
        return "opened"
    return "revised" if revision > revision_before else None
