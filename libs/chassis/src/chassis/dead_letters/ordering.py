"""A line is a topic and a key: what waits in order. Its lock keeps every message of it in that order.

Whoever puts a message behind others, or takes one out, holds the line's lock until COMMIT:

* A consumer that sees a line waiting locks it and looks again. Either the line still waits, and its message
  stands behind the others before a replay can look for the next one; or the last one has left, its effect is
  committed, and the message is applied like any other. It does not wait for a lock that somebody else has, or
  a slow replay of one key would stop all the others: it comes back later.
* A replay locks the line, takes its first message, applies it and marks it in one transaction. So the effect
  of the last message and the release of the line become visible in the same moment.
* A line in which nothing waits needs no lock while its messages are applied, and consuming pays nothing for
  it: there is nothing to replay. Whoever puts the first message into it locks it, because a process that was
  stopped and wakes up late may try the same.

Lines are locked before anything else and in one order, so that nobody waits in a circle.
"""

import hashlib
from collections.abc import Iterable

from chassis.postgres.database import Connection

OrderingKey = tuple[str, bytes]
"""Topic and key: what waits in order."""

_TRY_LOCK = "SELECT number, pg_try_advisory_xact_lock(number) AS is_held FROM unnest($1::bigint[]) AS number"
_LOCK = "SELECT pg_advisory_xact_lock(number) FROM unnest($1::bigint[]) AS number"


async def lock_keys(connection: Connection, consumer: str, lines: Iterable[OrderingKey]) -> None:
    """Hold these lines until the transaction ends.

    Raises:
        LockNotAvailableError: another transaction holds one for longer than `lock_timeout`; try again.
    """
    await connection.execute(_LOCK, sorted({_number(consumer, line) for line in lines}))


async def try_lock_keys(
    connection: Connection, consumer: str, lines: Iterable[OrderingKey]
) -> set[OrderingKey]:
    """Hold those of these lines that nobody else holds, until the transaction ends. Returns them."""
    numbers = {line: _number(consumer, line) for line in lines}
    rows = await connection.fetch(_TRY_LOCK, sorted(set(numbers.values())))
    locked = {row["number"] for row in rows if row["is_held"]}
    return {line for line, number in numbers.items() if number in locked}


def _number(consumer: str, line: OrderingKey) -> int:
    """Two lines of one number only wait for each other in vain, which 64 bits make rare."""
    topic, key = line
    digest = hashlib.sha256(b"\0".join((consumer.encode(), topic.encode(), key))).digest()
    return int.from_bytes(digest[:8], signed=True)
