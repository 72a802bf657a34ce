"""Discard: a message is not applied, and a person says why. The next of its line moves only by a replay."""

from uuid import UUID

from chassis.dead_letters import recording
from chassis.dead_letters.lines import Line, lock_lines
from chassis.dead_letters.reading import DeadLetter, find, first_waiting
from chassis.dead_letters.recording import Discarding
from chassis.postgres import Database


async def discard(database: Database, consumer: str, letter: DeadLetter, by: Discarding) -> bool:
    """Discard one message, wherever it stands in its line. False if it no longer waits."""
    async with database.transaction() as connection:
        await lock_lines(connection, consumer, [letter.line])
        current = await find(connection, consumer, UUID(letter.id))
        if current is None or current.status != "waiting":
            return False
        await recording.discarded(connection, consumer, current, by)
        return True


async def discard_line(database: Database, consumer: str, line: Line, by: Discarding) -> int:
    """Discard all that waits in a line, which releases it. Returns how many those were."""
    count = 0
    async with database.transaction() as connection:
        await lock_lines(connection, consumer, [line])
        while (letter := await first_waiting(connection, consumer, line)) is not None:
            await recording.discarded(connection, consumer, letter, by)
            count += 1
    return count
