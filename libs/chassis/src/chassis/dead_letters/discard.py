"""Discard: a message is not applied, and a person says why. The next of its line moves only by a replay.

Its event is entered into the inbox: a copy of it, as providers and producers send now and then, has no effect
either. Not where a copy waits that nobody discarded, for that one shall be applied; and not where the body
could not be decoded, or the message was out of place, for then the true one under the same id is wanted.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from chassis.dead_letters import history, queries
from chassis.dead_letters.history import Discarding
from chassis.dead_letters.limits import ROWS_PER_LINE_MAX
from chassis.dead_letters.ordering import Line, lock_lines
from chassis.dead_letters.queries import DeadLetter, Filter
from chassis.messaging import inbox
from chassis.postgres.database import Connection, Database
from contracts.reasons import SetAsideReason

_NOT_THE_EVENT = (SetAsideReason.MALFORMED, SetAsideReason.OUT_OF_PLACE)

PAGE_ROWS = 100
"""Discarded in one transaction, which holds their lines."""


async def discard(database: Database, consumer: str, letter: DeadLetter, by: Discarding) -> bool:
    """Discard one message, wherever it stands in its line. False if it no longer waits."""
    return await _discard_page(database, consumer, [letter], by, lambda: None) == 1


async def discard_matching(
    database: Database,
    consumer: str,
    wanted: Filter,
    by: Discarding,
    *,
    messages_max: int | None = None,
    rate_per_second_max: float | None = None,
    advance: Callable[[], object] = lambda: None,
) -> int:
    """Discard the waiting messages that are meant and no others, oldest first, a page in a transaction.

    What is set aside after the call began waits on: nobody can have looked at it. Ended half-way, what was
    discarded stays so. Stops after `messages_max`, does no more in a second than `rate_per_second_max`, calls
    `advance` after each one, returns how many.
    """
    async with database.connection() as connection:
        began_at: datetime = await connection.fetchval("SELECT clock_timestamp()")
    wanted = replace(wanted, set_aside_before=min(wanted.set_aside_before or began_at, began_at))
    done, after = 0, 0
    page_rows = PAGE_ROWS if rate_per_second_max is None else max(1, min(PAGE_ROWS, int(rate_per_second_max)))
    while messages_max is None or done < messages_max:
        rows_max = min(page_rows, page_rows if messages_max is None else messages_max - done)
        async with database.connection() as connection:
            letters = await queries.letters(connection, consumer, wanted, after=after, rows_max=rows_max)
        if not letters:
            break
        if rate_per_second_max is not None and after:
            await asyncio.sleep(page_rows / rate_per_second_max)
        done += await _discard_page(database, consumer, letters, by, advance)
        after = letters[-1].number
    return done


async def _discard_page(
    database: Database,
    consumer: str,
    letters: Sequence[DeadLetter],
    by: Discarding,
    advance: Callable[[], object],
) -> int:
    discarded: list[DeadLetter] = []
    async with database.transaction() as connection:
        lines = {letter.line for letter in letters}
        await lock_lines(connection, consumer, lines)
        for letter in letters:
            current = await queries.find(connection, consumer, UUID(letter.id))
            if current is not None and current.status == "waiting":
                await history.discarded(connection, consumer, current, by)
                discarded.append(current)
                advance()
        await _let_copies_count_as_known(connection, consumer, lines, discarded)
    return len(discarded)


async def _let_copies_count_as_known(
    connection: Connection, consumer: str, lines: Collection[Line], discarded: Sequence[DeadLetter]
) -> None:
    """A copy has the key of its event, so those that wait stand in the same lines."""
    waiting = {
        inbox.identity_or_none(letter.message)
        for topic, key in lines
        for letter in await queries.letters(
            connection, consumer, Filter(topic=topic, key=key), rows_max=ROWS_PER_LINE_MAX
        )
    }
    for letter in discarded:
        if letter.reason not in _NOT_THE_EVENT and inbox.identity_or_none(letter.message) not in waiting:
            await inbox.mark_processed(connection, letter.message)
