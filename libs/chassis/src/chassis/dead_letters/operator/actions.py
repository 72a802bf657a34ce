"""Operator actions on the dead letters of one consumer.

Command line and HTTP parse, call an action and present its result. Each action opens its own transactions.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from chassis.dead_letters import queries
from chassis.dead_letters.discard import discard_matching, discard_within
from chassis.dead_letters.history import DiscardedBy, Failure, Outcome, ReplayedBy
from chassis.dead_letters.queries import ActionTaken, DeadLetter, Filter, WaitingKey
from chassis.dead_letters.replay import Replayer
from chassis.messaging.message import Apply
from chassis.postgres.database import Connection, Database
from chassis.postgres.stored_rows import UnreadableRow

Target = UUID | Filter
"""One dead letter by id, or all waiting ones that meet a filter."""


class DeadLetterNotFoundError(Exception):
    """The consumer has no dead letter of this id."""

    def __init__(self, dead_letter_id: object) -> None:
        super().__init__(f"there is no dead letter {dead_letter_id}")


class DeadLetterSettledError(Exception):
    """The dead letter does not wait: it was replayed or discarded."""

    def __init__(self, letter: DeadLetter) -> None:
        super().__init__(
            f"dead letter {letter.id} was {letter.status} already; "
            "only a waiting one can be replayed or discarded"
        )
        self.status = letter.status


class Actions:
    """List, show, count, replay and discard dead letters.

    Every action on a `UUID` raises `DeadLetterNotFoundError` for an unknown id, `UnreadableRowError` for a
    row that cannot be read and, except `show`, `DeadLetterSettledError` for a message that does not wait.

    Args:
        database: the service's, with its own role.
        consumer: the service's name, as its `DeadLetters` has it.
        apply: the handler of the service's consumer.
    """

    def __init__(self, database: Database, consumer: str, apply: Apply) -> None:
        self._database = database
        self._consumer = consumer
        self._replayer = Replayer(database, consumer, apply)

    async def now(self) -> datetime:
        """Return the time of the database's clock, which stamps dead letters."""
        async with self._database.connection() as connection:
            return await connection.fetchval("SELECT clock_timestamp()")

    async def list_letters(
        self, criteria: Filter, *, after: int = 0, rows_max: int
    ) -> Sequence[DeadLetter | UnreadableRow]:
        """Return dead letters without bodies, in order of number, from the one behind `after` on."""
        async with self._database.connection() as connection:
            return await queries.list_letters(
                connection, self._consumer, criteria, after=after, rows_max=rows_max
            )

    async def show(self, dead_letter_id: UUID) -> tuple[DeadLetter, Sequence[ActionTaken]]:
        """Return one dead letter of any status, with the recorded actions on it."""
        letter = await self._find(dead_letter_id)
        async with self._database.connection() as connection:
            return letter, await queries.actions(connection, letter.id)

    async def count(self, target: Target) -> int:
        """Count the waiting messages that a discard would take."""
        if isinstance(target, UUID):
            await self._find_waiting(target)
            return 1
        async with self._database.connection() as connection:
            return await queries.count(connection, self._consumer, target)

    async def waiting_keys(self, target: Target) -> list[WaitingKey]:
        """Return the ordering keys that a replay would take: each that holds a message of the target."""
        if isinstance(target, UUID):
            topic, key = (await self._find_waiting(target)).ordering_key
            target = Filter(topic=topic, key=key)
        async with self._database.connection() as connection:
            return await queries.waiting_keys(connection, self._consumer, target)

    async def count_waiting(self, keys: Sequence[WaitingKey]) -> int:
        """Count the messages that wait under these ordering keys now."""
        async with self._database.connection() as connection:
            return await queries.count_waiting(connection, self._consumer, [key.ordering_key for key in keys])

    async def replay(
        self,
        keys: Sequence[WaitingKey],
        by: ReplayedBy,
        *,
        messages_max: int | None = None,
        rate_per_second_max: float | None = None,
        advance: Callable[[], object] = lambda: None,
    ) -> Outcome:
        """Replay ordering key by ordering key. A failure stops its own key and no other.

        Args:
            keys: as `waiting_keys` returns them.
            by: recorded with every message.
            messages_max: stop after this many, failures included; None is no limit.
            rate_per_second_max: limit for the database's sake; None is no limit.
            advance: called after each message that was applied.
        """
        done, failures = 0, list[Failure]()
        for key in keys:
            left = None if messages_max is None else messages_max - done - len(failures)
            if left is not None and left <= 0:
                break
            outcome = await self._replayer.replay(
                key.ordering_key,
                by,
                messages_max=left,
                rate_per_second_max=rate_per_second_max,
                advance=advance,
            )
            done += outcome.done
            failures += outcome.failures
        return Outcome(done, tuple(failures))

    async def discard(
        self,
        target: Target,
        by: DiscardedBy,
        *,
        messages_max: int | None = None,
        rate_per_second_max: float | None = None,
        advance: Callable[[], object] = lambda: None,
    ) -> Outcome:
        """Discard the messages of a target. The arguments are those of `discard_matching`."""
        if isinstance(target, UUID):
            async with self._database.transaction() as connection:
                outcome = await self.discard_one(connection, target, by)
            advance()
            return outcome
        return await discard_matching(
            self._database,
            self._consumer,
            target,
            by,
            messages_max=messages_max,
            rate_per_second_max=rate_per_second_max,
            advance=advance,
        )

    async def discard_one(self, connection: Connection, dead_letter_id: UUID, by: DiscardedBy) -> Outcome:
        """Discard one message inside the caller's transaction."""
        letter = await self._find_waiting(dead_letter_id)
        if not await discard_within(connection, self._consumer, letter, by):
            raise DeadLetterSettledError(await self._find(dead_letter_id))  # settled since it was found
        return Outcome(1)

    async def _find(self, dead_letter_id: UUID) -> DeadLetter:
        async with self._database.connection() as connection:
            letter = await queries.find(connection, self._consumer, dead_letter_id)
        if letter is None:
            raise DeadLetterNotFoundError(dead_letter_id)
        return letter

    async def _find_waiting(self, dead_letter_id: UUID) -> DeadLetter:
        letter = await self._find(dead_letter_id)
        if letter.status != "waiting":
            raise DeadLetterSettledError(letter)
        return letter
