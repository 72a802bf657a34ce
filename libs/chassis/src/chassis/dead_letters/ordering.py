"""Locks that keep the messages of an ordering key (topic and key) in order.

A transaction that stores a message behind others of its ordering key, or takes one out, holds the key's
lock until COMMIT:

* A consumer that sees messages of a key waiting locks the key and reads again. If they still wait, the new
  message is stored behind them before a replay can read on. If the last one has left, its effect is
  committed, and the new message is applied like any other. The consumer does not wait for a lock of another
  session, because a slow replay of one key would stop all other keys: it tries the message again later.
* A replay locks the key, takes its first message, applies it and marks it in one transaction. The effect of
  the last message and the release of the key become visible at the same moment.
* A key without waiting messages needs no lock while its messages are applied: there is nothing to replay, so
  consuming pays nothing. The transaction that stores the first message of a key locks it, because a process
  that was stopped and wakes up late may try the same.

Locks are taken before anything else and in one order, so that there is no deadlock.
"""

import hashlib
from collections.abc import Iterable

from chassis.messaging.message import OrderingKey
from chassis.postgres.database import Connection

_TRY_LOCK = "SELECT number, pg_try_advisory_xact_lock(number) AS is_held FROM unnest($1::bigint[]) AS number"
_LOCK = "SELECT pg_advisory_xact_lock(number) FROM unnest($1::bigint[]) AS number"


async def lock_keys(connection: Connection, consumer: str, ordering_keys: Iterable[OrderingKey]) -> None:
    """Lock ordering keys until the transaction ends.

    Raises:
        LockNotAvailableError: another transaction holds one for longer than `lock_timeout`; try again.
    """
    await connection.execute(_LOCK, sorted({_lock_number(consumer, each) for each in ordering_keys}))


async def try_lock_keys(
    connection: Connection, consumer: str, ordering_keys: Iterable[OrderingKey]
) -> set[OrderingKey]:
    """Lock the ordering keys that no other transaction holds, until the transaction ends. Return them."""
    numbers = {each: _lock_number(consumer, each) for each in ordering_keys}
    rows = await connection.fetch(_TRY_LOCK, sorted(set(numbers.values())))
    locked = {row["number"] for row in rows if row["is_held"]}
    return {ordering_key for ordering_key, number in numbers.items() if number in locked}


def _lock_number(consumer: str, ordering_key: OrderingKey) -> int:
    # Two keys with the same number only wait for each other in vain. With 64 bits that is rare.
    topic, key = ordering_key
    digest = hashlib.sha256(b"\0".join((consumer.encode(), topic.encode(), key))).digest()
    return int.from_bytes(digest[:8], signed=True)
