"""Limits of waiting dead letters, and counts that read no more rows than the limit."""

from collections.abc import Collection
from dataclasses import dataclass

from chassis.messaging.message import OrderingKey
from chassis.postgres.database import Connection
from contracts.reasons import SetAsideReason

# Waiting messages of an ordering key. A sender that never stops must not fill the table.
ROWS_PER_KEY_MAX = 1_000
# Ordering keys of a consumer with waiting messages. More than that are not bad messages, but a fault of ours.
# Members that block a new key at the same moment can exceed the limit by one each.
KEYS_MAX = 1_000

_ROWS = """
SELECT ordering_key.topic, ordering_key.key, (
    SELECT count(*) FROM (
        SELECT FROM dead_letter AS letter
        WHERE letter.consumer = $1 AND letter.status = 'waiting' AND letter.reason <> 'out_of_place'
            AND letter.topic = ordering_key.topic AND letter.key = ordering_key.key
        LIMIT $4
    ) AS counted
) AS rows
FROM unnest($2::text[], $3::bytea[]) AS ordering_key (topic, key)
"""

# From key to key through the index, one probe each: DISTINCT would read every waiting message.
_KEYS = """
WITH RECURSIVE waiting AS (
    (
        SELECT topic, key FROM dead_letter
        WHERE consumer = $1 AND status = 'waiting' AND reason <> 'out_of_place' ORDER BY topic, key LIMIT 1
    )
    UNION ALL
    SELECT following.topic, following.key
    FROM waiting
    CROSS JOIN LATERAL (
        SELECT topic, key FROM dead_letter
        WHERE consumer = $1 AND status = 'waiting' AND reason <> 'out_of_place'
            AND (topic, key) > (waiting.topic, waiting.key)
        ORDER BY topic, key LIMIT 1
    ) AS following
)
SELECT count(*) FROM (SELECT FROM waiting LIMIT $2) AS counted
"""

_BY_REASON = """
SELECT known.reason, (
    SELECT count(*) FROM (
        SELECT FROM dead_letter AS letter
        WHERE letter.consumer = $1 AND letter.status = 'waiting' AND letter.reason = known.reason
        LIMIT $3
    ) AS counted
) AS rows, (
    SELECT extract(epoch FROM clock_timestamp() - min(letter.set_aside_at))::float8 FROM dead_letter AS letter
    WHERE letter.consumer = $1 AND letter.status = 'waiting' AND letter.reason = known.reason
) AS oldest_seconds
FROM unnest($2::text[]) AS known (reason)
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Waiting messages of one reason.

    Attributes:
        rows: messages, counted up to a limit.
        oldest_seconds: age of the oldest; 0 if none waits.
    """

    rows: int
    oldest_seconds: float


async def count_rows(
    connection: Connection, consumer: str, ordering_keys: Collection[OrderingKey], *, up_to: int
) -> dict[OrderingKey, int]:
    """Count the waiting messages of each ordering key, up to `up_to`. Misplaced ones do not count."""
    if not ordering_keys:
        return {}
    topics, keys = zip(*ordering_keys, strict=True)
    rows = await connection.fetch(_ROWS, consumer, topics, keys, up_to)
    return {(row["topic"], row["key"]): row["rows"] for row in rows}


async def count_keys(connection: Connection, consumer: str, *, up_to: int) -> int:
    """Count the ordering keys with waiting messages, up to `up_to`. Misplaced ones do not count."""
    return await connection.fetchval(_KEYS, consumer, up_to)


async def waiting_by_reason(
    connection: Connection, consumer: str, *, up_to: int
) -> dict[SetAsideReason, Waiting]:
    """Return the waiting messages of every reason, each counted up to `up_to`."""
    rows = await connection.fetch(_BY_REASON, consumer, [reason.value for reason in SetAsideReason], up_to)
    return {
        SetAsideReason(row["reason"]): Waiting(row["rows"], max(0.0, row["oldest_seconds"] or 0.0))
        for row in rows
    }
