"""Live streams: new entries are read once for all streams, in the order in which they become complete (AU-5).

A stream begins at a position. It first reads what lies between this position and the present by pages of its
own; from there on the poll of all streams feeds it. A stream that does not keep up goes back to pages.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from audit.adapters import event_log_queries
from audit.adapters.event_log_queries import EntryRecord
from audit.domain.filters import EntryFilter, Position
from audit.handlers.search import Entries, page_of_entries, position_of
from chassis.postgres import Connection, Database
from chassis.postgres.stored_rows import UnreadableRow

STREAMS_MAX = 100
"""Streams of one process."""
PAGE_ROWS = 500
WAITING_ENTRIES_MAX = 2000
"""Entries that wait for one stream in memory. Beyond it they are read again from the database."""

_MICROSECOND = timedelta(microseconds=1)


class TooManyStreamsError(Exception):
    """This process has as many streams as it may have. Try again later, or another replica."""


@dataclass(frozen=True, slots=True)
class Step:
    """The next entries of a stream, perhaps none, and the position after which the stream goes on."""

    entries: Entries
    position: Position


@dataclass(eq=False, slots=True)
class _Queue:
    """What waits for one stream: entries, and the position up to which they are whole."""

    query: EntryFilter
    position: Position | None = None
    entries: list[EntryRecord | UnreadableRow] = field(default_factory=list[EntryRecord | UnreadableRow])
    has_lost: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, entries: Entries, position: Position) -> None:
        self.entries.extend(entries)
        self.position = position
        if len(self.entries) > WAITING_ENTRIES_MAX:
            self.entries, self.has_lost = [], True
        if self.entries or self.has_lost:
            self.changed.set()

    def take(self, after: Position) -> Step:
        """Return the entries after a position that the stream has reached, and empty the queue."""
        self.changed.clear()
        entries, self.entries = self.entries, []
        end = after if self.position is None else max(after, self.position)
        return Step(_between(entries, after, end), end)

    def clear(self, position: Position) -> None:
        self.entries, self.has_lost, self.position = [], False, position


class LiveEntries:
    """The present of the log, for all streams of a process.

    Args:
        database: read by the poll, and by pages of filters that an index serves.
        searches: read by pages of the other filters.
        stopping: set when the process stops: the streams end.
    """

    def __init__(self, database: Database, searches: Database, stopping: asyncio.Event) -> None:
        self._database = database
        self._searches = searches
        self._stopping = stopping
        self._queues = set[_Queue]()
        self._present: Position | None = None
        self._turn = asyncio.Lock()

    @property
    def streams(self) -> int:
        return len(self._queues)

    async def poll(self) -> None:
        """Read the entries that have become complete, and give each stream those that match its filter."""
        if self._stopping.is_set():
            for queue in self._queues:
                queue.changed.set()
            return
        async with self._turn:
            if not self._queues:
                self._present = None  # the next stream sets it
                return
            async with self._database.connection() as connection:
                until = Position(await event_log_queries.complete_until(connection), 0)
                while self._present is not None and self._present < until:
                    entries = await _page(connection, EntryFilter(), self._present, until)
                    self._present = _end_of(entries, until)
                    self._deliver(entries, self._present)

    def _deliver(self, entries: Entries, position: Position) -> None:
        by_filter: dict[EntryFilter, Entries] = {}
        for queue in self._queues:
            if queue.query not in by_filter:
                by_filter[queue.query] = [entry for entry in entries if _matches(queue.query, entry)]
            queue.put(by_filter[queue.query], position)

    async def follow(
        self, query: EntryFilter, after: Position | None, *, beat_seconds: float
    ) -> AsyncGenerator[Step]:
        """Yield the entries after a position, each once and in order, until the process stops.

        The first step has no entry and says where the stream begins. A step without an entry also comes when
        nothing has come for `beat_seconds`.

        Args:
            query: which entries; `recorded_to` is ignored.
            after: None begins with the present.
            beat_seconds: time without an entry.

        Raises:
            TooManyStreamsError: before the first step.
        """
        if len(self._queues) >= STREAMS_MAX:
            raise TooManyStreamsError
        queue = _Queue(replace(query, recorded_to=None))
        try:
            present = await self._join(queue)
            position = present if after is None else after
            yield Step([], position)
            while not self._stopping.is_set():
                async for step in self._catch_up(queue.query, position, present):
                    yield step
                    position = step.position
                while not (queue.has_lost or self._stopping.is_set()):
                    with suppress(TimeoutError):
                        async with asyncio.timeout(beat_seconds):
                            await queue.changed.wait()
                    if not queue.has_lost:
                        # Another process may have brought its streams further than this one.
                        step = queue.take(after=position)
                        yield step
                        position = step.position
                present = await self._join(queue)
        finally:
            self._queues.discard(queue)

    async def _join(self, queue: _Queue) -> Position:
        """Let the poll feed the queue from the present on, and return the present."""
        async with self._turn:
            if self._present is None:
                async with self._database.connection() as connection:
                    self._present = Position(await event_log_queries.complete_until(connection), 0)
            queue.clear(self._present)
            self._queues.add(queue)
            return self._present

    async def _catch_up(self, query: EntryFilter, after: Position, until: Position) -> AsyncGenerator[Step]:
        """Yield pages of the entries between two positions, and the end of the last one."""
        database = self._searches if query.is_search else self._database
        while after < until and not self._stopping.is_set():
            async with database.connection() as connection:
                entries = await _page(connection, query, after, until)
            after = _end_of(entries, until)
            yield Step(entries, after)


async def _page(connection: Connection, query: EntryFilter, after: Position, until: Position) -> Entries:
    bounded = replace(query, recorded_to=until.recorded_at + _MICROSECOND)
    entries = await page_of_entries(
        connection, bounded, after=after, rows_max=PAGE_ROWS, order="oldest first"
    )
    return _between(entries, after, until)


def _between(entries: Entries, after: Position, until: Position) -> Entries:
    # An entry whose position cannot be read stays where it is.
    return [e for e in entries if (position := position_of(e)) is None or after < position <= until]


def _end_of(entries: Entries, until: Position) -> Position:
    """Return the position after which the next page begins; `until` if this one was the last."""
    positions = [position for entry in entries if (position := position_of(entry)) is not None]
    return until if len(entries) < PAGE_ROWS or not positions else positions[-1]


def _matches(query: EntryFilter, entry: EntryRecord | UnreadableRow) -> bool:
    if isinstance(entry, UnreadableRow):
        return query == EntryFilter()
    return query.matches(entry) and (query.recorded_from is None or entry.recorded_at >= query.recorded_from)
