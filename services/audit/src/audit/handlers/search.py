"""Search by blocks: read the blocks that can have a match, in order, until the page is settled (AU-5)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, repeat

from audit.adapters import entry_blocks, event_log_queries
from audit.adapters.event_log_queries import EntryRecord, Order, Range
from audit.domain.blocks import BATCH_BLOCKS, NEAREST_BLOCKS, Block, filter_terms, is_settled
from audit.domain.filters import EntryFilter, Position
from chassis.postgres import Connection
from chassis.postgres.stored_rows import UnreadableRow

_BIGINT_MAX = 2**63 - 1

Entries = Sequence[EntryRecord | UnreadableRow]


@dataclass(slots=True)
class _Page:
    """Entries that were read so far, in order, and at most `rows_max`."""

    rows_max: int
    newest_first: bool
    entries: list[EntryRecord | UnreadableRow] = field(default_factory=list[EntryRecord | UnreadableRow])

    def add(self, entries: Entries) -> None:
        merged = sorted([*self.entries, *entries], key=_sort_key, reverse=self.newest_first)
        self.entries = merged[: self.rows_max]

    def is_settled(self, next_block: Block) -> bool:
        """Return whether nothing in the blocks from this one on belongs into the page."""
        if len(self.entries) < self.rows_max:
            return False
        worst = position_of(self.entries[-1])
        return worst is not None and is_settled(worst, next_block, newest_first=self.newest_first)


def position_of(entry: EntryRecord | UnreadableRow) -> Position | None:
    """Return the position after which the log continues; None for an unreadable position."""
    if isinstance(entry, EntryRecord):
        return entry.position
    return None if entry.position is None else Position.from_key(*map(int, entry.position))


def _sort_key(entry: EntryRecord | UnreadableRow) -> tuple[bool, int, int]:
    # A time that cannot be read is beyond the calendar.
    position = position_of(entry)
    return (True, 0, 0) if position is None else (False, *position.to_key())


async def page_of_entries(
    connection: Connection, query: EntryFilter, *, after: Position | None, rows_max: int, order: Order
) -> Entries:
    """Return at most `rows_max` matching entries after a position, in order.

    An index has the entries of most filters in order. For the others (`EntryFilter.is_search`), blocks say
    where matches can be. Entries that are in no block yet are all read.
    """
    if not query.is_search:
        return await event_log_queries.page_of_entries(
            connection, query, after=after, rows_max=rows_max, order=order
        )
    page = _Page(rows_max, newest_first=order == "newest first")
    frontier = await entry_blocks.frontier(connection)
    tail: list[Range] = [(frontier + 1, _BIGINT_MAX)]
    terms, (since, until) = filter_terms(query), _times(query, after, order)
    last: Block | None = None
    for batch_blocks in chain([NEAREST_BLOCKS], BATCH_BLOCKS, repeat(BATCH_BLOCKS[-1])):
        # One more than is read: it says how late, or early, an entry of the blocks behind can be.
        blocks = await entry_blocks.candidates(
            connection,
            terms if last is not None else [],
            until_entry=frontier,
            recorded_from=since,
            recorded_until=until,
            behind=last,
            rows_max=batch_blocks + 1,
            order=order,
        )
        read, unread = blocks[:batch_blocks], blocks[batch_blocks:]
        ranges = tail + [(block.first_entry_id, block.last_entry_id) for block in read]
        if ranges:
            page.add(
                await event_log_queries.page_of_entries(
                    connection, query, after=after, rows_max=rows_max, order=order, ranges=ranges
                )
            )
        tail = []
        if not unread or page.is_settled(unread[0]):
            break
        last = read[-1]
    return page.entries


def _times(
    query: EntryFilter, after: Position | None, order: Order
) -> tuple[datetime | None, datetime | None]:
    """Return the times between which the entries of the page were recorded."""
    since, until = query.recorded_from, query.recorded_to
    if after is None:
        return since, until
    if order == "newest first":
        return since, min(after.recorded_at, until or after.recorded_at)
    return max(after.recorded_at, since or after.recorded_at), until
