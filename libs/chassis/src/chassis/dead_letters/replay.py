"""Replay: a line's messages through the service's own `apply`, in order, up to the first that fails.

Each message has a transaction of its own, which holds the line (`lines` says why nothing overtakes).
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from chassis.dead_letters import history
from chassis.dead_letters.history import Replaying
from chassis.dead_letters.misplaced import assert_in_place
from chassis.dead_letters.ordering import Line, lock_lines
from chassis.dead_letters.queries import DeadLetter, first_waiting
from chassis.messaging.failures import classify
from chassis.messaging.message import Apply, KeysInUseError, describe
from chassis.observability.logs import get_logger
from chassis.observability.redaction import loggable
from chassis.postgres.database import Connection, Database

_log = get_logger(__name__)

LOCK_SECONDS_MAX = 5.0
"""As the `lock_timeout` of a session."""
LOCK_AGAIN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Failure:
    """The message at which a replay stopped: it waits on, and those behind it."""

    dead_letter_id: str
    error: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay of a line achieved. Without a failure the line is released, or the limit was reached."""

    replayed: int
    failure: Failure | None = None


class Replayer:
    """Replays the dead letters of one consumer.

    Args:
        database: of the service, with its own role.
        consumer: the service's name.
        apply: what its consumer does with a batch.
    """

    def __init__(self, database: Database, consumer: str, apply: Apply) -> None:
        self.database = database
        self.consumer = consumer
        self._apply = apply

    async def replay(
        self,
        line: Line,
        by: Replaying,
        *,
        messages_max: int | None = None,
        rate_per_second_max: float | None = None,
        advance: Callable[[], object] = lambda: None,
    ) -> Outcome:
        """Apply what waits in a line, in order.

        Args:
            line: the topic and key.
            by: recorded with every message.
            messages_max: stop after so many; None goes on until nothing waits.
            rate_per_second_max: spare the database; None does not.
            advance: called after each message that was applied.

        Raises:
            Exception: of kind STORE or BUSY (`chassis.messaging.failures`): the database fails, or another
                session has locked a row. What was replayed stays so, the rest waits: replay again.
        """
        replayed = 0
        while messages_max is None or replayed < messages_max:
            turn = await self._next_turn(line, by)
            if not isinstance(turn, DeadLetter):
                return Outcome(replayed, turn)
            replayed += 1
            advance()
            if rate_per_second_max is not None:
                await asyncio.sleep(1 / rate_per_second_max)
        return Outcome(replayed)

    async def _next_turn(self, line: Line, by: Replaying) -> DeadLetter | Failure | None:
        """Replay the first message of a line; wait a while for a row that another session has locked."""
        give_up_at = time.monotonic() + LOCK_SECONDS_MAX
        while True:
            try:
                async with self.database.transaction() as connection:
                    return await self._replay_first(connection, line, by)
            except KeysInUseError:
                if time.monotonic() >= give_up_at:
                    raise
                await asyncio.sleep(LOCK_AGAIN_SECONDS)

    async def _replay_first(
        self, connection: Connection, line: Line, by: Replaying
    ) -> DeadLetter | Failure | None:
        """The letter if it was applied, why not, or None when nothing waits."""
        await lock_lines(connection, self.consumer, [line])
        letter = await first_waiting(connection, self.consumer, line)
        if letter is None:
            return None
        try:
            # A savepoint: what fails leaves no effect, and the line stays locked for the record of it.
            async with connection.transaction():
                assert_in_place(letter.message)
                await self._apply(connection, [letter.message])
                await history.replayed(connection, self.consumer, letter, by)
        except Exception as error:
            if not classify(error).may_set_aside:
                raise
            failure = Failure(letter.id, describe(error))
            await history.replay_failed(connection, letter, by, error=failure.error)
            _log.warning("replay failed", dead_letter_id=failure.dead_letter_id, error=loggable(error))
            return failure
        return letter
