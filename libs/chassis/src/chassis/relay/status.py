"""Backlog and owner of each shard of an outbox, for metrics and operators."""

from dataclasses import dataclass
from datetime import datetime

from chassis.messaging.outbox import SHARDS
from chassis.postgres.advisory_locks import OUTBOX_RELAY
from chassis.postgres.database import Connection

# LIMIT NULL means no limit. The rows of a shard are read by id. A transaction draws ids after its start time
# was taken, so the oldest row by time is among the first.
_BACKLOG = """
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

# A plan made while the table was empty would read the whole table, deleted rows too, for each shard.
_BY_INDEX = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"


@dataclass(frozen=True, slots=True)
class ShardBacklog:
    """The unsent rows of one shard.

    Attributes:
        shard: number of the shard.
        rows: how many; counted up to the limit, if there is one.
        oldest_seconds: age of the oldest row; None without rows.
    """

    shard: int
    rows: int
    oldest_seconds: float | None


@dataclass(frozen=True, slots=True)
class ShardOwner:
    """The database session of the relay that owns a shard."""

    application_name: str
    pid: int
    address: str | None
    connected_at: datetime


async def read_backlog(connection: Connection, *, rows_max: int | None = None) -> list[ShardBacklog]:
    """Return the backlog of each shard. Call it inside a transaction.

    Args:
        connection: of a role that may read the outbox.
        rows_max: count up to this number in each shard; None counts all rows.
    """
    await connection.execute(_BY_INDEX)
    rows = await connection.fetch(_BACKLOG, SHARDS, rows_max)
    return [ShardBacklog(row["shard"], row["rows"], row["oldest_seconds"]) for row in rows]


async def read_owners(connection: Connection) -> dict[int, ShardOwner]:
    """Return the owner of each shard that has one."""
    rows = await connection.fetch(_OWNERS, OUTBOX_RELAY, SHARDS)
    return {
        row["shard"]: ShardOwner(row["application_name"], row["pid"], row["address"], row["backend_start"])
        for row in rows
    }
