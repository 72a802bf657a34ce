"""Histories that wait for a version: a small table beside the history, never a search through it (AU-2)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from audit.domain.events import Origin
from audit.domain.gaps import Arrival
from chassis.postgres import Connection
from chassis.postgres.advisory_locks import AUDIT_HISTORY_GAPS

_LOCK = "SELECT pg_try_advisory_xact_lock($1)"

# DO UPDATE and not DO NOTHING: it waits for a job that holds the row and may be deleting it this moment.
_OPEN = """
INSERT INTO history_gap AS gap (booking_id) SELECT * FROM unnest($1::text[]) AS waiting (booking_id)
ORDER BY booking_id
ON CONFLICT (booking_id) DO UPDATE SET reported_to = gap.reported_to
"""

_HOLD = """
SELECT booking_id, reported_to FROM history_gap WHERE booking_id > $1 ORDER BY booking_id LIMIT $2 FOR UPDATE
"""

_ARRIVALS = """
SELECT history.booking_id, version, event_log.recorded_at, topic, partition, record_offset
FROM unnest($1::text[]) AS held (booking_id)
JOIN status_history AS history USING (booking_id)
JOIN event_log USING (entry_id)
ORDER BY version
"""

_REMEMBER = """
UPDATE history_gap SET reported_to = told.reported_to
FROM unnest($1::text[], $2::bigint[]) AS told (booking_id, reported_to)
WHERE history_gap.booking_id = told.booking_id
"""

_CLOSE = "DELETE FROM history_gap WHERE booking_id = ANY($1::text[])"

_COUNT = """
SELECT count(*) FILTER (WHERE reported_to = 0) AS waiting, count(*) FILTER (WHERE reported_to > 0) AS reported
FROM history_gap
"""


@dataclass(frozen=True, slots=True)
class WaitingHistory:
    """A history with a gap, held until the transaction ends.

    Attributes:
        reported_to: up to this version the EventLog says what is missing; 0 if it says nothing.
        arrivals: its versions, ascending.
    """

    booking_id: str
    reported_to: int
    arrivals: Sequence[Arrival]


async def open_gaps(connection: Connection, booking_ids: Collection[str]) -> None:
    """Remember that these histories wait, in the transaction that appended behind a gap."""
    if booking_ids:
        await connection.execute(_OPEN, list(booking_ids))


async def try_lock(connection: Connection) -> bool:
    """Whether this process is the one that judges, until the transaction ends."""
    return await connection.fetchval(_LOCK, AUDIT_HISTORY_GAPS)


async def hold_page(connection: Connection, *, after: str, rows_max: int) -> list[WaitingHistory]:
    """Waiting histories by ascending booking id.

    The rows are locked by a statement of their own: the next one sees every version that was appended by
    whoever touched them before.
    """
    held = {row["booking_id"]: row["reported_to"] for row in await connection.fetch(_HOLD, after, rows_max)}
    arrivals: dict[str, list[Arrival]] = {booking_id: [] for booking_id in held}
    for row in await connection.fetch(_ARRIVALS, list(held)):
        origin = Origin(row["topic"], row["partition"], row["record_offset"])
        arrivals[row["booking_id"]].append(Arrival(row["version"], row["recorded_at"], origin))
    return [
        WaitingHistory(booking_id, reported_to, arrivals[booking_id])
        for booking_id, reported_to in held.items()
    ]


async def settle(connection: Connection, *, reported_to: dict[str, int], whole: Collection[str]) -> None:
    """Keep what was said of histories that wait on, and forget those that are whole."""
    if reported_to:
        await connection.execute(_REMEMBER, list(reported_to), list(reported_to.values()))
    if whole:
        await connection.execute(_CLOSE, list(whole))


async def count(connection: Connection) -> dict[str, int]:
    """How many histories wait without and with a report, by state."""
    row = await connection.fetchrow(_COUNT)
    return dict(row) if row is not None else {}
