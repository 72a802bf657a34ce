"""Replay: apply the waiting messages of an ordering key in order, up to the first that fails again.

Each message has its own transaction, which holds the ordering key's lock (`ordering` explains the order).
"""

import asyncio
import time
from collections.abc import Callable

from chassis.dead_letters import history
from chassis.dead_letters.history import Failure, Outcome, ReplayedBy
from chassis.dead_letters.misplaced import require_in_place
from chassis.dead_letters.ordering import lock_keys
from chassis.dead_letters.queries import DeadLetter, first_waiting
from chassis.messaging.failures import classify
from chassis.messaging.message import Apply, KeysInUseError, OrderingKey, describe
from chassis.observability.logs import get_logger
from chassis.observability.redaction import loggable
from chassis.postgres.database import Connection, Database
from chassis.postgres.stored_rows import UnreadableRowError

_log = get_logger(__name__)

# The same as the `lock_timeout` of a session.
LOCK_SECONDS_MAX = 5.0
LOCK_RETRY_SECONDS = 0.1


class Replayer:
    """Replays the dead letters of one consumer.

    Args:
        database: the service's, with its own role.
        consumer: the service's name.
        apply: the handler of the service's consumer.
    """

    def __init__(self, database: Database, consumer: str, apply: Apply) -> None:
        self._database = database
        self._consumer = consumer
        self._apply = apply

    async def replay(
        self,
        ordering_key: OrderingKey,
        by: ReplayedBy,
        *,
        messages_max: int | None = None,
        rate_per_second_max: float | None = None,
        advance: Callable[[], object] = lambda: None,
    ) -> Outcome:
        """Apply the waiting messages of an ordering key in order, up to the first that fails.

        A message whose stored row cannot be read is such a failure too; it is not recorded as an attempt.

        Args:
            ordering_key: topic and key.
            by: recorded with every message.
            messages_max: stop after this many; None replays until none waits.
            rate_per_second_max: limit for the database's sake; None is no limit.
            advance: called after each message that was applied.

        Raises:
            Exception: of kind STORE or BUSY (`chassis.messaging.failures`): the database fails, or another
                session holds a lock. Finished messages stay replayed, the others wait: replay again.
        """
        done = 0
        while messages_max is None or done < messages_max:
            result = await self._replay_next(ordering_key, by)
            if isinstance(result, Failure):
                return Outcome(done, (result,))
            if result is None:
                break
            done += 1
            advance()
            if rate_per_second_max is not None:
                await asyncio.sleep(1 / rate_per_second_max)
        return Outcome(done)

    async def _replay_next(self, ordering_key: OrderingKey, by: ReplayedBy) -> DeadLetter | Failure | None:
        """Replay the first message; retry for LOCK_SECONDS_MAX while another session locks a row."""
        give_up_at = time.monotonic() + LOCK_SECONDS_MAX
        while True:
            try:
                async with self._database.transaction() as connection:
                    return await self._replay_first(connection, ordering_key, by)
            except KeysInUseError:
                if time.monotonic() >= give_up_at:
                    raise
                await asyncio.sleep(LOCK_RETRY_SECONDS)

    async def _replay_first(
        self, connection: Connection, ordering_key: OrderingKey, by: ReplayedBy
    ) -> DeadLetter | Failure | None:
        """Return the message if it was applied, its failure if not, None if none waits."""
        await lock_keys(connection, self._consumer, [ordering_key])
        try:
            letter = await first_waiting(connection, self._consumer, ordering_key)
        except UnreadableRowError as error:
            return Failure(error.row.id, str(error))
        if letter is None:
            return None
        try:
            # The savepoint undoes the effects of a failure and keeps the lock, so that it can be recorded.
            async with connection.transaction():
                require_in_place(letter.message)
                await self._apply(connection, [letter.message])
                await history.record_replay(connection, self._consumer, letter, by)
        except Exception as error:
            if not classify(error).may_set_aside:
                raise
            failure = Failure(letter.id, describe(error))
            await history.record_failed_replay(connection, letter, by, error=failure.error)
            _log.warning("replay failed", dead_letter_id=failure.dead_letter_id, error=loggable(error))
            return failure
        return letter
