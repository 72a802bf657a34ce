"""How much may wait, and counting it cheaply: never more rows are looked at than the bound allows."""

from collections.abc import Collection
from dataclasses import dataclass

from chassis.dead_letters.ordering import OrderingKey
from chassis.postgres.database import Connection
from contracts.reasons import SetAsideReason

ROWS_PER_KEY_MAX = 1_000
"""A line takes no more: a sender that goes on for ever must not fill the table."""
KEYS_MAX = 1_000
"""So many keys of a consumer may wait. More is no longer bad messages but a fault of ours. Members that begin
lines at the same moment can exceed it by one each."""

_ROWS = """
SELECT line.topic, line.key, (
    SELECT count(*) FROM (
        SELECT FROM dead_letter AS kept
        WHERE kept.consumer = $1 AND kept.status = 'waiting'
            AND kept.topic = line.topic AND kept.key = line.key AND kept.reason <> 'out_of_place'
        LIMIT $4
    ) AS counted
) AS rows
FROM unnest($2::text[], $3::bytea[]) AS line (topic, key)
"""

# From line to line through the index, one probe each: a DISTINCT would read every message of every line.
_LINES = """
WITH RECURSIVE line AS (
    (
        SELECT topic, key FROM dead_letter
        WHERE consumer = $1 AND status = 'waiting' AND reason <> 'out_of_place' ORDER BY topic, key LIMIT 1
    )
    UNION ALL
    SELECT following.topic, following.key
    FROM line
    CROSS JOIN LATERAL (
        SELECT topic, key FROM dead_letter
        WHERE consumer = $1 AND status = 'waiting' AND reason <> 'out_of_place'
            AND (topic, key) > (line.topic, line.key)
        ORDER BY topic, key LIMIT 1
    ) AS following
)
SELECT count(*) FROM (SELECT FROM line LIMIT $2) AS counted
"""

_BY_REASON = """
SELECT wanted.reason, (
    SELECT count(*) FROM (
        SELECT FROM dead_letter AS kept
        WHERE kept.consumer = $1 AND kept.status = 'waiting' AND kept.reason = wanted.reason
        LIMIT $3
    ) AS counted
) AS rows, (
    SELECT extract(epoch FROM clock_timestamp() - min(kept.set_aside_at))::float8 FROM dead_letter AS kept
    WHERE kept.consumer = $1 AND kept.status = 'waiting' AND kept.reason = wanted.reason
) AS oldest_seconds
FROM unnest($2::text[]) AS wanted (reason)
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for one reason.

    Attributes:
        rows: messages; with a limit, at most so many.
        oldest_seconds: since the first of them was set aside; 0 when none waits.
    """

    rows: int
    oldest_seconds: float


async def rows_waiting(
    connection: Connection, consumer: str, lines: Collection[OrderingKey], *, up_to: int
) -> dict[OrderingKey, int]:
    """How many messages wait in each of these lines; no more than `up_to` are counted."""
    if not lines:
        return {}
    topics, keys = zip(*lines, strict=True)
    rows = await connection.fetch(_ROWS, consumer, topics, keys, up_to)
    return {(row["topic"], row["key"]): row["rows"] for row in rows}


async def keys_waiting(connection: Connection, consumer: str, *, up_to: int) -> int:
    """In how many lines of a consumer messages wait; no more than `up_to` are counted."""
    return await connection.fetchval(_LINES, consumer, up_to)


async def waiting_by_reason(
    connection: Connection, consumer: str, *, up_to: int
) -> dict[SetAsideReason, Waiting]:
    """What waits for each reason there is; no more than `up_to` messages of each are counted."""
    rows = await connection.fetch(_BY_REASON, consumer, [reason.value for reason in SetAsideReason], up_to)
    return {
        SetAsideReason(row["reason"]): Waiting(row["rows"], max(0.0, row["oldest_seconds"] or 0.0))
        for row in rows
    }
