"""Queries of the EventLog: filters become conditions that indexes serve; pages follow a key."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import asyncpg
import msgspec

from audit.domain.filters import SEARCHED, EntryFilter, Position, narrowest
from audit.domain.search import patterns_of
from chassis.postgres import Connection, stored_rows
from chassis.postgres.stored_rows import UnreadableRow

Order = Literal["newest first", "oldest first"]
ValueField = Literal["event_type", "source", "status"]
Range = tuple[int, int]
"""First and last number of entries."""

# Tables with more facts about an entry are joined in both places, by entry_id.
_SELECT = """
SELECT
    entry_id, event_type, status, source, event_id, booking_id, actor, error, metadata, occurred_at,
    recorded_at, topic, partition, record_offset, correlation_id, causation_id, payload_digest,
    (SELECT leaf_index FROM log_leaf WHERE log_leaf.entry_id = event_log.entry_id) AS leaf_index
"""
_ALL = "FROM event_log"
# OFFSET 0 keeps conditions outside: an index that serves one of them would be read once per range.
_IN_RANGES = """
FROM unnest(${}::bigint[], ${}::bigint[]) AS range (first_id, last_id)
CROSS JOIN LATERAL (
    SELECT * FROM event_log WHERE entry_id BETWEEN range.first_id AND range.last_id OFFSET 0
) AS event_log
"""

_ONE = f"{_SELECT} {_ALL} WHERE entry_id = $1"

# The clock is read first: a writer that is not among the locks yet records at a later time.
# Its keys are those of record_time() in 0005_pre_record_time.sql: 12 bits of tag, 52 bits of microseconds.
_COMPLETE_UNTIL = """
WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now)
SELECT least(clock.now, (
    SELECT timestamptz 'epoch' + min(
        (classid::bigint & x'FFFFF'::bigint) << 32 | objid::bigint
    ) * interval '1 microsecond'
    FROM pg_locks
    WHERE clock.now IS NOT NULL
        AND locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 20 = x'504'::bigint
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
))
FROM clock
"""

# Letters of ASCII alone become lower case, in every collation of the database. LIKE is quick and lets some
# entries too many through; a regular expression is compiled anew for each row.
_JOINED = f"lower(concat_ws(E'\\x01', {', '.join(SEARCHED)}) COLLATE \"C\")"
_TEXT = f"{_JOINED} LIKE ${{}} AND regexp_like({_JOINED}, ${{}})"
# By field of EntryFilter. A field that is None makes no condition, so that the planner knows the query.
_CONDITIONS = {
    "event_type": "event_type = ${}",
    "status": "status = ${}",
    "source": "source = ${}",
    "booking_id": "booking_id = ${}",
    "event_id": "event_id = ${}",
    "actor": "actor = ${}",
    "recorded_from": "recorded_at >= ${}",
    "recorded_to": "recorded_at < ${}",
    "text": _TEXT,
}

# From one value to the next in the field's index; its other entries are not read.
_VALUES = """
WITH RECURSIVE value (value) AS (
    SELECT (SELECT min({field}) FROM event_log WHERE {condition})
    UNION ALL
    SELECT (SELECT min({field}) FROM event_log WHERE {field} > value AND {condition}) FROM value
    WHERE value IS NOT NULL
)
SELECT value FROM value WHERE value IS NOT NULL LIMIT $1
"""
# The index of the status leaves successes out.
_SUCCESS = "SELECT EXISTS (SELECT FROM event_log WHERE status = 'success')"

_AFTER: dict[Order, str] = {
    "newest first": "(recorded_at, entry_id) < (${}, ${})",
    "oldest first": "(recorded_at, entry_id) > (${}, ${})",
}
_ORDER: dict[Order, str] = {
    "newest first": "ORDER BY recorded_at DESC, entry_id DESC",
    "oldest first": "ORDER BY recorded_at, entry_id",
}


class EntryRecord(msgspec.Struct, frozen=True):
    """A stored entry.

    Attributes:
        metadata: JSON text.
        payload_digest: binds the payload.
        leaf_index: in the sealed log; None until it is sealed.
    """

    entry_id: int
    event_type: str
    status: str
    source: str
    event_id: str
    booking_id: str | None
    actor: str | None
    error: str | None
    metadata: str
    occurred_at: datetime | None
    recorded_at: datetime
    topic: str
    partition: int
    record_offset: int
    correlation_id: str | None
    causation_id: str | None
    payload_digest: bytes
    leaf_index: int | None

    @property
    def position(self) -> Position:
        """Position after which the next page begins."""
        return Position(self.recorded_at, self.entry_id)


async def page_of_entries(
    connection: Connection,
    filters: EntryFilter,
    *,
    after: Position | None,
    rows_max: int,
    order: Order,
    ranges: Sequence[Range] | None = None,
) -> list[EntryRecord | UnreadableRow]:
    """Return at most `rows_max` entries after a position, in order.

    Args:
        connection: any.
        filters: of the entries.
        after: the last position of the page before; None begins.
        rows_max: of the page.
        order: of the page.
        ranges: first and last number of the entries to read; None reads all, by the filter's index.
    """
    filters, after = narrowest(filters, after, newest_first=order == "newest first")
    arguments: list[object] = []
    conditions: list[str] = []

    def parameters(template: str, *values: object) -> str:
        numbers = range(len(arguments) + 1, len(arguments) + len(values) + 1)
        arguments.extend(values)
        return template.format(*numbers)

    source = _ALL if ranges is None else parameters(_IN_RANGES, *map(list, zip(*ranges, strict=True)))
    for name, condition in _CONDITIONS.items():
        value = getattr(filters, name)
        if value is not None:
            values = patterns_of(filters.phrase) if name == "text" else (value,)
            conditions.append(parameters(condition, *values))
    if filters.status not in {None, "success"}:
        conditions.append("status <> 'success'")  # the index's own condition: lets a cached plan use it
    if after is not None:
        conditions.append(parameters(_AFTER[order], after.recorded_at, after.entry_id))
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    query = f"{_SELECT} {source} {where} {_ORDER[order]} {parameters('LIMIT ${}', rows_max)}"
    rows = await stored_rows.fetch(connection, query, *arguments, key="entry_id")
    return stored_rows.read_rows(
        rows,
        _entry,
        key="entry_id",
        position=lambda row: Position(row["recorded_at"], row["entry_id"]).to_key(),
    )


async def entry_by_id(connection: Connection, entry_id: int) -> EntryRecord | None:
    """Return one entry; None for an unknown id.

    Raises:
        UnreadableRowError: the row is damaged.
    """
    row = await stored_rows.fetch_one(connection, _ONE, entry_id)
    return None if row is None else _entry(row)


async def values(connection: Connection, field: ValueField, *, rows_max: int) -> list[str]:
    """Return the first distinct values of a field, sorted. Reads the field's index only."""
    is_status = field == "status"
    query = _VALUES.format(field=field, condition="status <> 'success'" if is_status else "true")
    values = [row["value"] for row in await connection.fetch(query, rows_max)]
    if is_status and await connection.fetchval(_SUCCESS):
        values = sorted([*values, "success"])
    return values


async def database_time(connection: Connection) -> datetime:
    """Return the time of the clock by which entries are recorded."""
    return await connection.fetchval("SELECT clock_timestamp()")


async def complete_until(connection: Connection) -> datetime:
    """Return the time before which no entry can be added any more.

    A later statement finds every entry recorded before that time. Read the entries neither in this statement
    nor in its snapshot: a writer can commit in between.
    """
    return await connection.fetchval(_COMPLETE_UNTIL)


def _entry(row: asyncpg.Record) -> EntryRecord:
    return EntryRecord(*row)  # in the order of _SELECT
