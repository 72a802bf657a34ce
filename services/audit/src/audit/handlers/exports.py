"""Exports of the EventLog: page by page, and recorded in the log themselves (AU-5, AU-10)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime

from audit.adapters import event_log
from audit.adapters.event_log_queries import Order
from audit.domain.entries import Entry
from audit.domain.filters import EntryFilter, Position
from audit.domain.own_entries import export_started, exported
from audit.handlers.queries import bounded_query
from audit.handlers.search import Entries, page_of_entries, position_of
from chassis import clock
from chassis.observability.logs import get_logger
from chassis.observability.redaction import loggable
from chassis.postgres import Connection, Database
from chassis.postgres.database import DATABASE_ERRORS

EXPORT_PAGE_ROWS = 2000
_ORDER: Order = "oldest first"

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Exporter:
    """Who exports, for the log.

    Attributes:
        actor: caller of the API, or login of the command line.
        through: `http` or `cli`.
    """

    actor: str
    through: str


@dataclass(frozen=True, slots=True)
class Export:
    """All entries that match a filter, oldest first, recorded before `complete_until`."""

    complete_until: datetime
    pages: AsyncGenerator[Entries]


@dataclass(slots=True)
class _Progress:
    """An export on its way: what the log says about it."""

    exporter: Exporter
    query: EntryFilter
    export_id: str = field(default_factory=clock.new_id)
    entries: int = 0
    is_whole: bool = False

    @property
    def started(self) -> Entry:
        return export_started(
            self.export_id, actor=self.exporter.actor, through=self.exporter.through, query=self.query
        )

    @property
    def ended(self) -> Entry:
        return exported(
            clock.new_id(),
            self.export_id,
            actor=self.exporter.actor,
            query=self.query,
            entries=self.entries,
            is_whole=self.is_whole,
        )


async def export_entries(
    reads: Database, database: Database, query: EntryFilter, exporter: Exporter
) -> Export:
    """Export all matching entries older than the oldest writer that is open when the export begins.

    The export reads page by page, so that memory and transactions do not grow with the log. The first page is
    read, and the start is recorded, before this returns: an error that prevents the export is raised here.
    An export without an entry is not recorded: nothing was given out.

    Args:
        reads: lends one connection until the pages are read or closed.
        database: takes the entries about the export.
        query: which entries.
        exporter: who exports.
    """
    progress = _Progress(exporter, query)
    pages = _pages(reads, query)
    until, first = await anext(pages)
    try:
        if first:
            await _append(database, progress.started)
    except BaseException:
        await pages.aclose()
        raise
    return Export(until, _recorded(database, progress, first, pages))


async def _recorded(
    database: Database, progress: _Progress, first: Entries, pages: "AsyncGenerator[_Page]"
) -> AsyncGenerator[Entries]:
    """Yield the pages, and record at the end how many entries they had, also where the reader has left."""
    try:
        async with aclosing(pages):
            progress.entries = len(first)
            yield first
            async for _, entries in pages:
                progress.entries += len(entries)
                yield entries
            progress.is_whole = True
    finally:
        if first:
            await _record_end(database, progress)


async def _record_end(database: Database, progress: _Progress) -> None:
    try:
        await _append(database, progress.ended)
    except DATABASE_ERRORS as error:  # the entry of the start remains
        _log.warning("the end of an export is not recorded", error=loggable(error))


async def _append(database: Database, entry: Entry) -> None:
    async with database.transaction() as connection:
        await event_log.append(connection, [entry])


_Page = tuple[datetime, Entries]
"""Time until which the export is complete, and a page of its entries."""


async def _pages(reads: Database, query: EntryFilter) -> AsyncGenerator[_Page]:
    """Yield at least one page. The database reads the next one while the reader is busy with this one."""
    async with reads.connection() as connection:
        bounded, until = await bounded_query(connection, query)
        entries = await _page(connection, bounded, None)
        while (after := _last_position(entries)) is not None:
            following = asyncio.create_task(_page(connection, bounded, after))
            try:
                yield until, entries
                entries = await following
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
        yield until, entries


def _last_position(entries: Entries) -> Position | None:
    """Return the position behind which the next page begins; None if this page is the last one."""
    if len(entries) < EXPORT_PAGE_ROWS:
        return None
    return next((position for entry in reversed(entries) if (position := position_of(entry))), None)


async def _page(connection: Connection, query: EntryFilter, after: Position | None) -> Entries:
    return await page_of_entries(connection, query, after=after, rows_max=EXPORT_PAGE_ROWS, order=_ORDER)
