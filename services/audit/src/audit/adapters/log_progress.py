"""How far the log is sealed, for metrics and readiness."""

from dataclasses import dataclass

from chassis.postgres import Connection

UNSEALED_COUNTED_MAX = 10_000
"""Counting stops here, so that a poll costs the same however long the backlog is."""

# After sealed_through a few entries can have a leaf already, and others not.
_PROGRESS = """
WITH head AS (
    SELECT coalesce(max(tree_size), 0) AS tree_size, coalesce(max(sealed_through), 0) AS sealed_through
    FROM log_head
), unsealed AS (
    SELECT recorded_at FROM event_log AS entry
    WHERE entry_id > (SELECT sealed_through FROM head)
        AND NOT EXISTS (
            SELECT FROM log_leaf
            WHERE log_leaf.entry_id = entry.entry_id
                AND log_leaf.entry_id > (SELECT sealed_through FROM head)
        )
    ORDER BY entry_id
    LIMIT $1
)
SELECT
    (SELECT tree_size FROM head) AS sealed,
    count(*) AS unsealed,
    coalesce(extract(epoch FROM clock_timestamp() - min(recorded_at)), 0)::float8 AS oldest_seconds,
    coalesce(extract(epoch FROM clock_timestamp() - (
        SELECT signed_at FROM log_checkpoint ORDER BY tree_size DESC LIMIT 1
    )), 0)::float8 AS published_seconds
FROM unsealed
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the log is sealed.

    Attributes:
        sealed: entries that the newest checkpoint covers.
        unsealed: entries that wait, counted up to UNSEALED_COUNTED_MAX.
        oldest_seconds: age of the entry that waits longest; 0 if none waits.
        published_seconds: age of the newest checkpoint that left the database; 0 if none has.
    """

    sealed: int
    unsealed: int
    oldest_seconds: float
    published_seconds: float


async def read_progress(connection: Connection) -> Progress:
    """Return how far the log is sealed."""
    row = await connection.fetchrow(_PROGRESS, UNSEALED_COUNTED_MAX)
    assert row is not None, "an aggregate has one row"
    return Progress(**dict(row))
