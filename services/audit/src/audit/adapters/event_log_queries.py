"""Queries of the EventLog: filters become conditions that indexes serve; pages follow a key."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import asyncpg

from audit.domain.filters import EntryFilter, Position
from chassis.postgres import Connection, stored_rows
from chassis.postgres.stored_rows import UnreadableRow

Order = Literal["newest first", "oldest first"]

_SELECT = """
SELECT
    entry_id, event_type, status, source, event_id, booking_id, actor, error, metadata, occurred_at,
    recorded_at, topic, partition, record_offset, correlation_id, causation_id, payload_digest
FROM event_log
"""

_ONE = f"{_SELECT} WHERE entry_id = $1"

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

# Column by column: in joined columns a search could match across two of them.
_SEARCHED = (
    "event_type", "source", "event_id", "booking_id", "actor", "error", "correlation_id", "causation_id",
)  # fmt: skip
# By field of EntryFilter. A field that is None makes no condition, so that the planner knows the query.
_CONDITIONS = {
    "event_type": "event_type = ${}",
    "status": "status = ${}",
    "source": "source = ${}",
    "booking_id": "booking_id = ${}",
    "event_id": "event_id = ${}",
    "recorded_from": "recorded_at >= ${}",
    "recorded_to": "recorded_at < ${}",
    "text": " OR ".join(f"strpos(lower({column}), lower(${{0}})) > 0" for column in _SEARCHED),
}

_AFTER: dict[Order, str] = {
    "newest first": "(recorded_at, entry_id) < (${}, ${})",
    "oldest first": "(recorded_at, entry_id) > (${}, ${})",
}
_ORDER: dict[Order, str] = {
    "newest first": "ORDER BY recorded_at DESC, entry_id DESC",
    "oldest first": "ORDER BY recorded_at, entry_id",
}


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """A stored entry; `metadata` is JSON text, `payload_digest` binds the payload."""

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

    @property
    def position(self) -> Position:
        """Position after which the next page begins."""
        return Position(self.recorded_at, self.entry_id)


async def page_of_entries(
    connection: Connection, filters: EntryFilter, *, after: Position | None, rows_max: int, order: Order
) -> list[EntryRecord | UnreadableRow]:
    """Return at most `rows_max` entries after a position, in order."""
    arguments: list[object] = []
    conditions: list[str] = []
    for name, condition in _CONDITIONS.items():
        value = getattr(filters, name)
        if value is not None:
            arguments.append(value)
            conditions.append(f"({condition.format(len(arguments))})")
    if filters.status not in {None, "success"}:
        conditions.append("status <> 'success'")  # the index's own condition: lets a cached plan use it
    if after is not None:
        arguments += [after.recorded_at, after.entry_id]
        conditions.append(_AFTER[order].format(len(arguments) - 1, len(arguments)))
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    arguments.append(rows_max)
    query = f"{_SELECT} {where} {_ORDER[order]} LIMIT ${len(arguments)}"
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
    return EntryRecord(**dict(row))
