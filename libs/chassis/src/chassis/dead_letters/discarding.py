"""Discard: a message is not applied, and a person says why. The next of its line moves only by a replay.

Its event is entered into the inbox: a copy of it, as providers and producers send now and then, has no effect
either.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from chassis import inbox
from chassis.dead_letters import reading, recording
from chassis.dead_letters.lines import lock_lines
from chassis.dead_letters.reading import DeadLetter, Filter
from chassis.dead_letters.recording import Discarding
from chassis.postgres import Database

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
            letters = await reading.letters(connection, consumer, wanted, after=after, rows_max=rows_max)
        if not letters:
            break
        done += await _discard_page(database, consumer, letters, by, advance)
        after = letters[-1].number
        if rate_per_second_max is not None:
            await asyncio.sleep(len(letters) / rate_per_second_max)
    return done


async def _discard_page(
    database: Database,
    consumer: str,
    letters: Sequence[DeadLetter],
    by: Discarding,
    advance: Callable[[], object],
) -> int:
    done = 0
    async with database.transaction() as connection:
        await lock_lines(connection, consumer, {letter.line for letter in letters})
        for letter in letters:
            current = await reading.find(connection, consumer, UUID(letter.id))
            if current is not None and current.status == "waiting":
                await recording.discarded(connection, consumer, current, by)
                await inbox.enter(connection, current.message)
                done += 1
                advance()
    return done
