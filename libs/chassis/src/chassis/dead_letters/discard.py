"""Discard: a message is never applied, for a reason that a person gives.

Messages behind a discarded one move only by a replay. The inbox records the event of a discarded message as
processed, so that later copies, as providers and producers send them, have no effect either. Exceptions:

* A copy of the event still waits. That copy was not discarded, so it shall be applied.
* A waiting message of the same ordering key cannot be read. It may be such a copy.
* The body could not be decoded, or the message was out of place. The genuine message with the same id is
  still wanted.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from chassis.dead_letters import history, queries
from chassis.dead_letters.history import DiscardedBy, Failure, Outcome
from chassis.dead_letters.ordering import lock_keys
from chassis.dead_letters.queries import DeadLetter, Filter, Reference
from chassis.messaging import inbox
from chassis.messaging.message import Message, OrderingKey
from chassis.postgres.database import Connection, Database
from chassis.postgres.stored_rows import UnreadableRow, UnreadableRowError
from contracts.reasons import SetAsideReason

_NOT_THE_EVENT = (SetAsideReason.MALFORMED, SetAsideReason.OUT_OF_PLACE)

# Discarded in one transaction, which holds the locks of their ordering keys.
PAGE_ROWS = 100


async def discard(database: Database, consumer: str, letter: DeadLetter, by: DiscardedBy) -> bool:
    """Discard one message, at any position of its ordering key. Return False if it no longer waits.

    Raises:
        UnreadableRowError: its row cannot be read.
    """
    async with database.transaction() as connection:
        return await discard_within(connection, consumer, letter, by)


async def discard_within(connection: Connection, consumer: str, letter: DeadLetter, by: DiscardedBy) -> bool:
    """Discard one message inside the caller's transaction. Return and raise as `discard` does."""
    reference = Reference(letter.number, UUID(letter.id), letter.ordering_key)
    await lock_keys(connection, consumer, [letter.ordering_key])
    current = await _discard_locked(connection, consumer, reference, by)
    await _mark_processed(connection, consumer, [current] if current else [])
    return current is not None


async def discard_matching(
    database: Database,
    consumer: str,
    criteria: Filter,
    by: DiscardedBy,
    *,
    messages_max: int | None = None,
    rate_per_second_max: float | None = None,
    advance: Callable[[], object] = lambda: None,
) -> Outcome:
    """Discard the waiting messages that meet the criteria and no others, oldest first, page by page.

    Messages set aside after the start of the call are not discarded: no person has seen them. A call that is
    interrupted keeps the pages it has finished. Messages whose stored row cannot be read are failures.

    Args:
        database: the service's, with its own role.
        consumer: the service's name.
        criteria: of status waiting.
        by: recorded with every message.
        messages_max: stop after this many, failures included; None is no limit.
        rate_per_second_max: limit for the database's sake; None is no limit.
        advance: called after each message that was discarded.
    """
    async with database.connection() as connection:
        began_at: datetime = await connection.fetchval("SELECT clock_timestamp()")
    criteria = replace(criteria, set_aside_before=min(criteria.set_aside_before or began_at, began_at))
    page_rows = PAGE_ROWS if rate_per_second_max is None else max(1, min(PAGE_ROWS, int(rate_per_second_max)))
    done, failures, after = 0, list[Failure](), 0
    while messages_max is None or done + len(failures) < messages_max:
        rows_max = page_rows if messages_max is None else min(page_rows, messages_max - done - len(failures))
        async with database.connection() as connection:
            page = await queries.list_references(
                connection, consumer, criteria, after=after, rows_max=rows_max
            )
        if not page:
            break
        if rate_per_second_max is not None and after:
            await asyncio.sleep(page_rows / rate_per_second_max)
        outcome = await _discard_page(database, consumer, page, by, advance)
        done += outcome.done
        failures += outcome.failures
        after = page[-1].number
    return Outcome(done, tuple(failures))


async def _discard_page(
    database: Database,
    consumer: str,
    page: Sequence[Reference],
    by: DiscardedBy,
    advance: Callable[[], object],
) -> Outcome:
    discarded, failures = list[DeadLetter](), list[Failure]()
    async with database.transaction() as connection:
        await lock_keys(connection, consumer, {reference.ordering_key for reference in page})
        for reference in page:
            try:
                letter = await _discard_locked(connection, consumer, reference, by)
            except UnreadableRowError as error:
                failures.append(Failure(error.row.id, str(error)))
                continue
            if letter is not None:
                discarded.append(letter)
                advance()
        await _mark_processed(connection, consumer, discarded)
    return Outcome(len(discarded), tuple(failures))


async def _discard_locked(
    connection: Connection, consumer: str, reference: Reference, by: DiscardedBy
) -> DeadLetter | None:
    """Discard a message whose ordering key is locked. Return None if it no longer waits."""
    current = await queries.find(connection, consumer, reference.id)
    if current is None or current.status != "waiting":
        return None
    await history.record_discard(connection, consumer, current, by)
    return current


async def _mark_processed(connection: Connection, consumer: str, discarded: Sequence[DeadLetter]) -> None:
    # A copy has the key of its event, so copies that wait have the same ordering key.
    messages = defaultdict[OrderingKey, list[Message]](list)
    for letter in discarded:
        if letter.reason not in _NOT_THE_EVENT:
            messages[letter.ordering_key].append(letter.message)
    for ordering_key, copied in messages.items():
        waiting = await queries.waiting_messages(connection, consumer, ordering_key)
        if any(isinstance(message, UnreadableRow) for message in waiting):
            continue
        identities = {inbox.identity_or_none(m) for m in waiting if not isinstance(m, UnreadableRow)}
        for message in copied:
            if inbox.identity_or_none(message) not in identities:
                await inbox.mark_processed(connection, message)
