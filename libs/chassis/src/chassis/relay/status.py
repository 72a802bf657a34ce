"""What waits in an outbox, per shard, and who owns the shard: for metrics and operators."""

from dataclasses import dataclass
from datetime import datetime

from chassis.messaging.outbox import SHARDS
from chassis.postgres.advisory_locks import OUTBOX_RELAY
from chassis.postgres.database import Connection

# LIMIT NULL is none. Of each shard the rows are walked once, oldest first: by id, which a transaction draws
# after its time was taken, so that the oldest by time is among the first.
_WAITING = """
SELECT shard, rows, extract(epoch FROM clock_timestamp() - oldest)::float8 AS oldest_seconds
FROM generate_series(0, $1::smallint - 1) AS shard
CROSS JOIN LATERAL (
    SELECT count(*) AS rows, min(created_at) AS oldest FROM (
        SELECT created_at FROM outbox WHERE outbox.shard = shard.shard ORDER BY id LIMIT $2
    ) AS present
) AS counted
ORDER BY shard
"""

_OWNERS = """
SELECT objid::integer AS shard, pid, application_name, host(client_addr) AS address, backend_start
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND classid = $1 AND objid < $2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

# A plan of a time when the table was empty would read all of it, deleted rows too, for each shard.
_BY_INDEX = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in one shard.

    Attributes:
        rows: unsent events; with a limit, at most so many.
        oldest_seconds: age of the oldest; None when nothing waits.
    """

    shard: int
    rows: int
    oldest_seconds: float | None


@dataclass(frozen=True, slots=True)
class Owner:
    """The relay that owns a shard, as the database knows its session."""

    application_name: str
    pid: int
    address: str | None
    connected_at: datetime


async def read_waiting(connection: Connection, *, rows_max: int | None = None) -> list[Waiting]:
    """What waits, shard by shard; call it inside a transaction.

    Args:
        connection: of a role that may read the outbox.
        rows_max: count no further than this in each shard; None counts all there are.
    """
    await connection.execute(_BY_INDEX)
    rows = await connection.fetch(_WAITING, SHARDS, rows_max)
    return [Waiting(row["shard"], row["rows"], row["oldest_seconds"]) for row in rows]


async def read_owners(connection: Connection) -> dict[int, Owner]:
    """The owner of each shard that has one."""
    rows = await connection.fetch(_OWNERS, OUTBOX_RELAY, SHARDS)
    return {
        row["shard"]: Owner(row["application_name"], row["pid"], row["address"], row["backend_start"])
        for row in rows
    }
