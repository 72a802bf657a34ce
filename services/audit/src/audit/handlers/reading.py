"""Asking the EventLog and the status histories."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime

from audit.adapters import event_log_reading, status_history
from audit.adapters.event_log_reading import StoredEntry
from audit.domain.history import MISSING_VERSIONS_SHOWN_MAX, gap_free, missing_versions
from audit.domain.query import Filters, Position
from audit.handlers.items import TransitionItem, UnreadableTransition, entry_items, transition_items
from chassis.postgres import Connection, Database
from chassis.postgres.stored_rows import UnreadableRow
from chassis.process.terminal import json_line

EXPORT_PAGE_ROWS = 1000
_BIGINT_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class History:
    """A booking's status history.

    Attributes:
        transitions: without a gap, by version.
        missing_versions: what later transitions, already here, wait for.
        waiting_versions: those transitions; of both at most MISSING_VERSIONS_SHOWN_MAX.
    """

    transitions: list[TransitionItem | UnreadableTransition]
    missing_versions: list[int]
    waiting_versions: list[int]


@dataclass(frozen=True, slots=True)
class Databases:
    """Where reads get their connections, so that long ones keep none from the others.

    Attributes:
        ordinary: served by an index.
        searches: look at many entries.
        exports: go on as long as their reader takes.
    """

    ordinary: Database
    searches: Database
    exports: Database


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of entries.

    Attributes:
        complete_until: of the entries that the filters mean, all recorded before this time are known. What a
            writer that is still at work records is later.
    """

    entries: list[StoredEntry | UnreadableRow]
    complete_until: datetime


@dataclass(frozen=True, slots=True)
class Export:
    """Entries as lines of JSON (NDJSON), oldest first, up to `complete_until`."""

    complete_until: datetime
    lines: AsyncGenerator[bytes]


async def list_entries(
    databases: Databases, filters: Filters, *, after: Position | None, rows_max: int
) -> Listed:
    """Return entries newest first, up to the oldest writer that is still at work."""
    database = databases.searches if filters.is_search else databases.ordinary
    async with database.connection() as connection:
        bounded, until = await _bounded(connection, filters)
        entries = await event_log_reading.page_of_entries(
            connection, bounded, after=after, rows_max=rows_max, order="newest first"
        )
    return Listed(entries, until)


async def incomplete_seconds(database: Database) -> float:
    """Return the age of the oldest writer that is still at work; about 0 if there is none."""
    async with database.connection() as connection:
        until = await event_log_reading.complete_until(connection)
        now = await event_log_reading.database_time(connection)
    return (now - until).total_seconds()


async def find_entry(database: Database, entry_id: int) -> StoredEntry | None:
    """One entry, or None."""
    if not 0 < entry_id <= _BIGINT_MAX:
        return None
    async with database.connection() as connection:
        return await event_log_reading.entry_by_id(connection, entry_id)


async def export_entries(database: Database, filters: Filters) -> Export:
    """Return all entries, up to the oldest writer at work when the export begins.

    Reads page by page, so that neither memory nor a long transaction grows with the log. The export keeps one
    connection until its lines are read or given up. The first page is read at once: what hinders an export
    is raised here, before anything of it is sent.
    """
    began = asyncio.get_running_loop().create_future()
    lines = _lines(database, filters, began)
    first = await anext(lines, b"")
    return Export(await began, _chained(first, lines))


async def _chained(first: bytes, others: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(others):
        yield first
        async for lines in others:
            yield lines


async def _lines(
    database: Database, filters: Filters, began: asyncio.Future[datetime]
) -> AsyncGenerator[bytes]:
    after: Position | None = None
    async with database.connection() as connection:
        bounded, until = await _bounded(connection, filters)
        began.set_result(until)
        while True:
            entries = await event_log_reading.page_of_entries(
                connection, bounded, after=after, rows_max=EXPORT_PAGE_ROWS, order="oldest first"
            )
            if entries:
                yield b"".join(json_line(item) for item in entry_items(entries))
                known = (position for entry in reversed(entries) if (position := position_of(entry)))
                after = next(known, None)
            if len(entries) < EXPORT_PAGE_ROWS or after is None:
                return


def position_of(entry: StoredEntry | UnreadableRow) -> Position | None:
    """Return where the log goes on behind an entry; None where that cannot be read."""
    if isinstance(entry, StoredEntry):
        return entry.position
    return None if entry.position is None else Position.from_key(*map(int, entry.position))


async def _bounded(connection: Connection, filters: Filters) -> tuple[Filters, datetime]:
    until = await event_log_reading.complete_until(connection)
    if filters.recorded_to is not None:
        until = min(until, filters.recorded_to)
    return replace(filters, recorded_to=until), until


async def booking_history(database: Database, booking_id: str) -> History | None:
    """A booking's history up to its first gap; None where nothing is known of the booking."""
    async with database.connection() as connection:
        recorded = await status_history.of_booking(connection, booking_id)
    if not recorded:
        return None
    versions = [
        int(each.id) if isinstance(each, UnreadableRow) else each.transition.version for each in recorded
    ]
    whole = gap_free(versions)
    return History(
        transitions=transition_items(recorded[:whole]),
        missing_versions=missing_versions(versions),
        waiting_versions=versions[whole:][:MISSING_VERSIONS_SHOWN_MAX],
    )
