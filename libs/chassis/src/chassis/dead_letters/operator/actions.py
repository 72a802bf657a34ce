"""What the commands do with the database: each opens its own transactions, and prints nothing."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from chassis.dead_letters import queries
from chassis.dead_letters.discard import discard, discard_matching
from chassis.dead_letters.history import Discarding, Replaying
from chassis.dead_letters.operator import serializers
from chassis.dead_letters.operator.selection import Selection, found_letter, selected_lines, waiting_letter
from chassis.dead_letters.queries import Filter, WaitingLine
from chassis.dead_letters.replay import Outcome, Replayer


async def now(replayer: Replayer) -> datetime:
    """The time by the database's clock."""
    async with replayer.database.connection() as connection:
        return await connection.fetchval("SELECT clock_timestamp()")


async def list_items(replayer: Replayer, wanted: Filter, rows_max: int) -> list[dict[str, Any]]:
    """What is to be listed."""
    async with replayer.database.connection() as connection:
        found = await queries.listed(connection, replayer.consumer, wanted, rows_max=rows_max)
    return serializers.items(found)


async def show(replayer: Replayer, dead_letter_id: str) -> dict[str, Any]:
    """One dead letter whole.

    Raises:
        CommandError: there is none of this id.
    """
    async with replayer.database.connection() as connection:
        letter = await found_letter(connection, replayer.consumer, dead_letter_id)
        return serializers.detail(letter, await queries.actions(connection, letter.id))


async def lines(replayer: Replayer, wanted: Selection) -> list[WaitingLine]:
    """The lines that are meant.

    Raises:
        CommandError: there is no waiting dead letter of this id.
    """
    async with replayer.database.connection() as connection:
        return await selected_lines(connection, replayer.consumer, wanted)


async def replay(
    replayer: Replayer,
    meant: Sequence[WaitingLine],
    by: Replaying,
    *,
    rate_per_second_max: float | None,
    advance: Callable[[], object],
) -> list[Outcome]:
    """Replay line by line: one that fails stops itself and no other."""
    return [
        await replayer.replay(entry.line, by, rate_per_second_max=rate_per_second_max, advance=advance)
        for entry in meant
    ]


async def count(replayer: Replayer, wanted: Selection) -> int:
    """How many waiting messages are meant themselves, without those of their lines.

    Raises:
        CommandError: there is no waiting dead letter of this id.
    """
    async with replayer.database.connection() as connection:
        if wanted.id is None:
            return await queries.count(connection, replayer.consumer, wanted.wanted)
        await waiting_letter(connection, replayer.consumer, wanted.id)
        return 1


async def discard_selected(
    replayer: Replayer,
    wanted: Selection,
    by: Discarding,
    *,
    rate_per_second_max: float | None,
    advance: Callable[[], object],
) -> int:
    """Discard what is meant. Returns how many messages.

    Raises:
        CommandError: there is no waiting dead letter of this id.
    """
    database, consumer = replayer.database, replayer.consumer
    if wanted.id is None:
        return await discard_matching(
            database, consumer, wanted.wanted, by, rate_per_second_max=rate_per_second_max, advance=advance
        )
    async with database.connection() as connection:
        letter = await waiting_letter(connection, consumer, wanted.id)
    return int(await discard(database, consumer, letter, by))
