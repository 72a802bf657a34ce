"""Queries: entries of the EventLog, exports, status histories."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime

from audit.adapters import event_log_queries, status_history
from audit.adapters.event_log_queries import EntryRecord
from audit.adapters.status_history import TransitionRecord
from audit.domain.filters import EntryFilter, Position
from audit.domain.history import MISSING_VERSIONS_SHOWN_MAX, gap_free, missing_versions
from chassis.postgres import Connection, Database
from chassis.postgres.stored_rows import UnreadableRow

EXPORT_PAGE_ROWS = 1000
_BIGINT_MAX = 2**63 - 1

Entries = Sequence[EntryRecord | UnreadableRow]


@dataclass(frozen=True, slots=True)
class History:
    """A booking's status history.

    Attributes:
        transitions: by version, up to the first gap.
        missing_versions: versions that have not arrived although later ones have.
        waiting_versions: the later versions. Both lists have at most MISSING_VERSIONS_SHOWN_MAX items.
    """

    transitions: Sequence[TransitionRecord | UnreadableRow]
    missing_versions: list[int]
    waiting_versions: list[int]


@dataclass(frozen=True, slots=True)
class EntryList:
    """A page of entries.

    Attributes:
        complete_until: every entry that matches the filter and was recorded before this time is known. A
            writer that has not committed yet records later.
    """

    entries: Entries
    complete_until: datetime


@dataclass(frozen=True, slots=True)
class Export:
    """All entries that match a filter, oldest first, recorded before `complete_until`."""

    complete_until: datetime
    pages: AsyncGenerator[Entries]


async def list_entries(
    database: Database, query: EntryFilter, *, after: Position | None, rows_max: int
) -> EntryList:
    """Return entries, newest first, older than the oldest writer that has not committed."""
    async with database.connection() as connection:
        bounded, until = await _bounded(connection, query)
        entries = await event_log_queries.page_of_entries(
            connection, bounded, after=after, rows_max=rows_max, order="newest first"
        )
    return EntryList(entries, until)


async def incomplete_seconds(database: Database) -> float:
    """Return the age of the oldest writer that has not committed; about 0 without one."""
    async with database.connection() as connection:
        until = await event_log_queries.complete_until(connection)
        now = await event_log_queries.database_time(connection)
    return (now - until).total_seconds()


async def get_entry(database: Database, entry_id: int) -> EntryRecord | None:
    """Return one entry; None for an unknown id."""
    if not 0 < entry_id <= _BIGINT_MAX:
        return None
    async with database.connection() as connection:
        return await event_log_queries.entry_by_id(connection, entry_id)


async def export_entries(database: Database, query: EntryFilter) -> Export:
    """Export all matching entries older than the oldest writer that is open when the export begins.

    The export reads page by page, so that memory and transactions do not grow with the log. It keeps one
    connection until its pages are read or closed. The first page is read at once: an error that prevents the
    export is raised here, before anything is sent.
    """
    began = asyncio.get_running_loop().create_future()
    pages = _pages(database, query, began)
    nothing: Entries = []  # a list: as a default of anext(), an empty tuple is an error
    first = await anext(pages, nothing)
    return Export(await began, _chained(first, pages))


async def _chained(first: Entries, others: AsyncGenerator[Entries]) -> AsyncGenerator[Entries]:
    async with aclosing(others):
        yield first
        async for entries in others:
            yield entries


async def _pages(
    database: Database, query: EntryFilter, began: asyncio.Future[datetime]
) -> AsyncGenerator[Entries]:
    after: Position | None = None
    async with database.connection() as connection:
        bounded, until = await _bounded(connection, query)
        began.set_result(until)
        while True:
            entries = await event_log_queries.page_of_entries(
                connection, bounded, after=after, rows_max=EXPORT_PAGE_ROWS, order="oldest first"
            )
            if entries:
                yield entries
                known = (position for entry in reversed(entries) if (position := position_of(entry)))
                after = next(known, None)
            if len(entries) < EXPORT_PAGE_ROWS or after is None:
                return


def position_of(entry: EntryRecord | UnreadableRow) -> Position | None:
    """Return the position after which the log continues; None for an unreadable position."""
    if isinstance(entry, EntryRecord):
        return entry.position
    return None if entry.position is None else Position.from_key(*map(int, entry.position))


async def _bounded(connection: Connection, query: EntryFilter) -> tuple[EntryFilter, datetime]:
    until = await event_log_queries.complete_until(connection)
    if query.recorded_to is not None:
        until = min(until, query.recorded_to)
    return replace(query, recorded_to=until), until


async def get_status_history(database: Database, booking_id: str) -> History | None:
    """Return a booking's history up to its first gap; None for an unknown booking."""
    async with database.connection() as connection:
        transitions = await status_history.of_booking(connection, booking_id)
    if not transitions:
        return None
    versions = [
        int(row.id) if isinstance(row, UnreadableRow) else row.transition.version for row in transitions
    ]
    whole = gap_free(versions)
    return History(
        transitions=transitions[:whole],
        missing_versions=missing_versions(versions),
        waiting_versions=versions[whole:][:MISSING_VERSIONS_SHOWN_MAX],
    )
