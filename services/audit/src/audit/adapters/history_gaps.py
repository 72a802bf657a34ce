"""Table `history_gap`: histories that wait for a version, so that nothing searches the history (AU-2)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from audit.domain.events import Origin
from audit.domain.history_gaps import RecordedVersion
from chassis.postgres import Connection
from chassis.postgres.advisory_locks import AUDIT_HISTORY_GAPS

_LOCK = "SELECT pg_try_advisory_xact_lock($1)"

# DO UPDATE, not DO NOTHING: it waits for a job that has locked the row and may delete it.
_OPEN = """
INSERT INTO history_gap AS gap (booking_id) SELECT * FROM unnest($1::text[]) AS waiting (booking_id)
ORDER BY booking_id
ON CONFLICT (booking_id) DO UPDATE SET reported_to = gap.reported_to
"""

_LOCK_PAGE = """
SELECT booking_id, reported_to FROM history_gap WHERE booking_id > $1 ORDER BY booking_id LIMIT $2 FOR UPDATE
"""

_VERSIONS = """
SELECT history.booking_id, version, event_log.recorded_at, topic, partition, record_offset
FROM unnest($1::text[]) AS locked (booking_id)
JOIN status_history AS history USING (booking_id)
JOIN event_log USING (entry_id)
ORDER BY version
"""

_SET_REPORTED = """
UPDATE history_gap SET reported_to = new.reported_to
FROM unnest($1::text[], $2::bigint[]) AS new (booking_id, reported_to)
WHERE history_gap.booking_id = new.booking_id
"""

_CLOSE = "DELETE FROM history_gap WHERE booking_id = ANY($1::text[])"

_COUNT = """
SELECT count(*) FILTER (WHERE reported_to = 0) AS waiting, count(*) FILTER (WHERE reported_to > 0) AS reported
FROM history_gap
"""


@dataclass(frozen=True, slots=True)
class WaitingHistory:
    """A history with a gap, locked until the transaction ends.

    Attributes:
        reported_to: missing versions up to this one are reported in the EventLog; 0 if none is.
        recorded_versions: the history's versions, ascending.
    """

    booking_id: str
    reported_to: int
    recorded_versions: Sequence[RecordedVersion]


async def open_gaps(connection: Connection, booking_ids: Collection[str]) -> None:
    """Insert histories that wait, in the transaction that appended after a gap."""
    if booking_ids:
        await connection.execute(_OPEN, list(booking_ids))


async def try_lock(connection: Connection) -> bool:
    """Take the lock of the only process that reports, until the transaction ends; False if it is taken."""
    return await connection.fetchval(_LOCK, AUDIT_HISTORY_GAPS)


async def lock_page(connection: Connection, *, after: str, rows_max: int) -> list[WaitingHistory]:
    """Lock and return waiting histories by ascending booking id."""
    # A statement of its own locks the rows: the next statement sees every version that an earlier holder of
    # the locks appended.
    reported_to = {
        row["booking_id"]: row["reported_to"] for row in await connection.fetch(_LOCK_PAGE, after, rows_max)
    }
    recorded_versions: dict[str, list[RecordedVersion]] = {booking_id: [] for booking_id in reported_to}
    for row in await connection.fetch(_VERSIONS, list(reported_to)):
        origin = Origin(row["topic"], row["partition"], row["record_offset"])
        recorded_versions[row["booking_id"]].append(
            RecordedVersion(row["version"], row["recorded_at"], origin)
        )
    return [
        WaitingHistory(booking_id, version, recorded_versions[booking_id])
        for booking_id, version in reported_to.items()
    ]


async def update(connection: Connection, *, reported_to: dict[str, int], whole: Collection[str]) -> None:
    """Write what was reported of histories that still wait, and delete the whole ones."""
    if reported_to:
        await connection.execute(_SET_REPORTED, list(reported_to), list(reported_to.values()))
    if whole:
        await connection.execute(_CLOSE, list(whole))


async def count(connection: Connection) -> dict[str, int]:
    """Return the number of waiting histories by state: `waiting` (not reported yet) and `reported`."""
    row = await connection.fetchrow(_COUNT)
    return dict(row) if row is not None else {}
