"""Table `thin_event`: a queue of objects to be fetched (BK-7b)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from booking.domain.thin_events import ThinEvent
from chassis.postgres import Connection

_COLUMNS = (
    "source",
    "event_id",
    "event_type",
    "object_type",
    "object_id",
    "occurred_at",
    "correlation_id",
    "traceparent",
)

# An event whose facts are on record was applied already: a copy fetches nothing.
_INSERT = """
INSERT INTO thin_event (
    source, event_id, event_type, object_type, object_id, occurred_at, correlation_id, traceparent
)
SELECT DISTINCT ON (source, event_id) *
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[])
    AS row (source, event_id, event_type, object_type, object_id, occurred_at, correlation_id, traceparent)
WHERE NOT EXISTS (
    SELECT FROM money_fact WHERE money_fact.provider = 'stripe' AND money_fact.event_id = row.event_id
)
ORDER BY source, event_id
ON CONFLICT DO NOTHING
"""

_CLAIM = """
UPDATE thin_event SET attempts = attempts + 1, due_at = now() + make_interval(secs => $2)
WHERE (source, event_id) IN (
    SELECT source, event_id FROM thin_event WHERE due_at <= now()
    ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
RETURNING
    source, event_id, event_type, object_type, object_id, occurred_at, correlation_id, traceparent, attempts
"""

_DELETE = "DELETE FROM thin_event WHERE source = $1 AND event_id = $2"

_POSTPONE = """
UPDATE thin_event SET due_at = now() + make_interval(secs => $3), attempts = $4, failure = $5
WHERE source = $1 AND event_id = $2
"""

_WAITING = """
SELECT count(*) AS events, min(recorded_at) AS since,
    (array_agg(failure ORDER BY due_at DESC) FILTER (WHERE failure IS NOT NULL))[1] AS failure
FROM thin_event
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Events whose object is not fetched yet, the time of the oldest, and why an attempt failed."""

    events: int
    since: datetime | None
    failure: str | None


async def insert_thin_events(connection: Connection, events: Sequence[ThinEvent]) -> None:
    """Insert events that neither wait nor were applied."""
    if events:
        rows = [attrgetter(*_COLUMNS)(event) for event in events]
        await connection.execute(_INSERT, *zip(*rows, strict=True))


async def claim(connection: Connection, *, rows_max: int, seconds: float) -> list[ThinEvent]:
    """Claim due events for some seconds. Other sessions do not see them meanwhile."""
    return [ThinEvent(**row) for row in await connection.fetch(_CLAIM, rows_max, seconds)]


async def remove(connection: Connection, event: ThinEvent) -> bool:
    """Remove an event. Return False if another session removed it."""
    return await connection.execute(_DELETE, event.source, event.event_id) == "DELETE 1"


async def postpone(
    connection: Connection, event: ThinEvent, *, seconds: float, attempts: int, failure: str | None
) -> None:
    """Release an event for an attempt after some seconds."""
    await connection.execute(_POSTPONE, event.source, event.event_id, seconds, attempts, failure)


async def count_waiting(connection: Connection) -> Waiting:
    """Return what waits."""
    row = await connection.fetchrow(_WAITING)
    return Waiting(0, None, None) if row is None else Waiting(**row)
