"""Reads the sealed log for a verification: one snapshot for all processes, pages of leaves and entries."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg

from audit.domain.log.derived import HistoryRow
from audit.domain.log.heads import HeadRow
from chassis.postgres import Connection, Database, Session, stored_rows
from chassis.postgres.stored_rows import UnreadableRow

STATEMENT_SECONDS_MAX = 3_600.0
# A reader that computes for a while between two pages is no idle transaction.
# The path is not left to the role: its owner could show other tables, or functions, under the same names.
_SESSION = {
    "statement_timeout": "1h",
    "idle_in_transaction_session_timeout": "0",
    "search_path": "audit, pg_temp",
}
# Pages are planned once, by their keys. What the planner assumes of an unknown range would read whole tables.
_BY_PAGES = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}

BODY_BYTES_MAX = 8_192
"""A larger body is digested by the server, so that a page of leaves stays small."""

# In the order of canonical.StoredEntry.
_ENTRY = """
    entry.entry_id, entry.recorded_at, entry.occurred_at, entry.event_type, entry.status, entry.source,
    entry.event_id, entry.booking_id, entry.actor, entry.error, entry.metadata, entry.topic, entry.partition,
    entry.record_offset, entry.correlation_id, entry.causation_id, entry.payload_digest
"""
_LEAVES = """
SELECT leaf_index, entry_id, sealed FROM log_leaf WHERE leaf_index >= $1 AND leaf_index < $2
ORDER BY leaf_index
"""
_ENTRIES = f"SELECT {_ENTRY} FROM event_log AS entry WHERE "  # noqa: S608 - a constant
_ENTRIES_BETWEEN = f"{_ENTRIES} entry_id BETWEEN $1 AND $2"
_ENTRIES_OF = f"{_ENTRIES} entry_id = ANY($1::bigint[])"
_LEAVES_WITH_ENTRIES = f"""
SELECT leaf.leaf_index, leaf.entry_id AS leaf_entry_id, leaf.sealed, {_ENTRY}
FROM log_leaf AS leaf
LEFT JOIN event_log AS entry ON entry.entry_id = leaf.entry_id
WHERE leaf.leaf_index >= $1 AND leaf.leaf_index < $2
ORDER BY leaf.leaf_index
"""  # noqa: S608 - a constant
_OF_ENTRY = slice(3, None)

# A statement of its own: each partition is read once for a page, and not once for each entry.
_PAYLOADS = f"""
SELECT
    entry_id, salt, texts,
    CASE WHEN octet_length(body) <= {BODY_BYTES_MAX} THEN body END AS body,
    CASE WHEN octet_length(body) > {BODY_BYTES_MAX} THEN pg_catalog.sha256(salt || body) END AS digest
FROM event_payload
WHERE
"""  # noqa: S608 - constants of this file
_PAYLOADS_BETWEEN = f"{_PAYLOADS} entry_id BETWEEN $1 AND $2"
_PAYLOADS_OF = f"{_PAYLOADS} entry_id = ANY($1::bigint[])"
# Ids of a page lie close together, unless somebody has changed one.
_SPREAD_MAX = 8

_BARE_LEAVES = """
SELECT leaf_index, entry_id, sealed FROM log_leaf WHERE leaf_index = ANY($1::bigint[]) ORDER BY leaf_index
"""

_TILES = """
SELECT tile_index, hashes, root FROM log_tile WHERE level = $1 AND tile_index >= $2 AND tile_index < $3
ORDER BY tile_index
"""

_HEAD = "SELECT tree_size, root, frontier, sealed_through, note FROM log_head"

_CHECKPOINTS = """
SELECT tree_size, root, note FROM log_checkpoint WHERE tree_size > $1 AND tree_size <= $2
ORDER BY tree_size LIMIT $3
"""

_HISTORY = """
SELECT entry_id, booking_id, version, from_status, to_status, changed_by, recorded_at
FROM status_history WHERE
"""
_HISTORY_BETWEEN = f"{_HISTORY} entry_id BETWEEN $1 AND $2"
_HISTORY_OF = f"{_HISTORY} entry_id = ANY($1::bigint[])"

_HISTORY_KEYS = """
SELECT booking_id, version
FROM unnest($1::text[], $2::bigint[]) AS wanted (booking_id, version)
JOIN status_history USING (booking_id, version)
"""


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """A row of `log_checkpoint`."""

    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True)
class TileRow:
    """A row of `log_tile`."""

    index: int
    hashes: bytes
    root: bytes


@asynccontextmanager
async def reading(
    database: Database, *, snapshot: str | None = None, by_pages: bool = False
) -> AsyncGenerator[Session]:
    """Open a session that reads one snapshot of the database, that of another session if it is named."""
    session = await database.dedicated(**_SESSION, **(_BY_PAGES if by_pages else {}))
    try:
        async with session.transaction(isolation="repeatable_read", readonly=True):
            if snapshot is not None:
                await session.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            yield session
    finally:
        await session.close()


async def export_snapshot(session: Session) -> str:
    """Return the name by which other sessions read the same snapshot, as long as this transaction is open."""
    return await session.fetchval("SELECT pg_export_snapshot()")


LeafRow: TypeAlias = tuple[int, int, bytes, Iterable[Any] | None]
"""Index, entry id and sealed form of a leaf, and the columns of its entry; None without one."""


async def leaves(connection: Connection, start: int, stop: int) -> Sequence[LeafRow | UnreadableRow]:
    """Return the leaves at these indexes with their entries, in order; a damaged row is marked."""
    try:
        return await _read_apart(connection, start, stop) or await _read_joined(connection, start, stop)
    except (ValueError, OverflowError) as error:
        if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
            raise
        rows = await stored_rows.fetch(connection, _LEAVES_WITH_ENTRIES, start, stop, key="leaf_index")
        return [row if isinstance(row, UnreadableRow) else _leaf_row(row) for row in rows]


async def _read_apart(connection: Connection, start: int, stop: int) -> Sequence[LeafRow]:
    """Return leaves and entries, each read as one range; nothing if an entry is missing or doubled.

    A lookup of each entry takes the server twice the time of the two ranges.
    """
    rows = await connection.fetch(_LEAVES, start, stop)
    ids = [row[1] for row in rows]
    entries = await _of_page(connection, ids, _ENTRIES_BETWEEN, _ENTRIES_OF)
    by_id = {entry[0]: entry for entry in entries}
    if len(by_id) < len(entries) or not by_id.keys() >= set(ids):
        return ()
    return [(index, entry_id, sealed, by_id[entry_id]) for index, entry_id, sealed in rows]


async def _read_joined(connection: Connection, start: int, stop: int) -> Sequence[LeafRow]:
    return [_leaf_row(row) for row in await connection.fetch(_LEAVES_WITH_ENTRIES, start, stop)]


def _leaf_row(row: asyncpg.Record) -> LeafRow:
    index, entry_id, sealed, entry_there = row[:4]
    return index, entry_id, sealed, None if entry_there is None else row[_OF_ENTRY]


async def payloads(connection: Connection, entry_ids: Sequence[int]) -> list[asyncpg.Record]:
    """Return entry_id, salt, texts, body (None for a large one) and digest (None for others) of payloads."""
    return await _of_page(connection, entry_ids, _PAYLOADS_BETWEEN, _PAYLOADS_OF)


async def bare_leaves(connection: Connection, indexes: Sequence[int]) -> list[tuple[int, int, bytes]]:
    """Return index, entry and sealed form of leaves, without their entries."""
    rows = await connection.fetch(_BARE_LEAVES, indexes)
    return [(row["leaf_index"], row["entry_id"], row["sealed"]) for row in rows]


async def tiles(connection: Connection, level: int, start: int, stop: int) -> list[TileRow]:
    """Return the stored tiles of a level with these indexes."""
    return [TileRow(*row) for row in await connection.fetch(_TILES, level, start, stop)]


async def head(connection: Connection) -> HeadRow | None:
    """Return the newest checkpoint; None before anything was sealed."""
    row = await connection.fetchrow(_HEAD)
    return None if row is None else HeadRow(*row)


async def checkpoints(
    connection: Connection, after: int, through: int, *, rows_max: int
) -> list[CheckpointRow]:
    """Return kept checkpoints with after < size ≤ through, by ascending size."""
    return [CheckpointRow(*row) for row in await connection.fetch(_CHECKPOINTS, after, through, rows_max)]


async def history(connection: Connection, entry_ids: Sequence[int]) -> dict[int, HistoryRow]:
    """Return the rows of the status history that name these entries, or others between them, by entry."""
    rows = await _of_page(connection, entry_ids, _HISTORY_BETWEEN, _HISTORY_OF)
    return {row["entry_id"]: HistoryRow(*row) for row in rows}


async def _of_page(
    connection: Connection, entry_ids: Sequence[int], between: str, of_each: str
) -> list[asyncpg.Record]:
    first, last = min(entry_ids, default=0), max(entry_ids, default=0)
    if last - first > _SPREAD_MAX * len(entry_ids):
        return await connection.fetch(of_each, entry_ids)
    return await connection.fetch(between, first, last)


async def known_versions(connection: Connection, keys: Sequence[tuple[str, int]]) -> set[tuple[str, int]]:
    """Return those of these bookings' versions that the status history has."""
    if not keys:
        return set()
    bookings, versions = zip(*keys, strict=True)
    rows = await connection.fetch(_HISTORY_KEYS, bookings, versions)
    return {(row["booking_id"], row["version"]) for row in rows}


_INDEX_OF = "SELECT min(leaf_index) FROM log_leaf WHERE entry_id = $1"

_HAS_ENTRY = "SELECT EXISTS (SELECT FROM event_log WHERE entry_id = $1)"

_DOUBLED = (
    "SELECT entry_id FROM log_leaf WHERE entry_id = ANY($1::bigint[]) GROUP BY entry_id HAVING count(*) > 1"
)

_LEAVES_END = "SELECT coalesce(max(leaf_index) + 1, 0) FROM log_leaf"

_KEPT_END = "SELECT coalesce(max(tree_size), -1) FROM log_checkpoint"


async def index_of(connection: Connection, entry_id: int) -> int | None:
    """Return the leaf of an entry; None for an entry that is not sealed."""
    return await connection.fetchval(_INDEX_OF, entry_id)


async def has_entry(connection: Connection, entry_id: int) -> bool:
    """Return whether there is such an entry."""
    return await connection.fetchval(_HAS_ENTRY, entry_id)


async def doubled(connection: Connection, entry_ids: Sequence[int]) -> set[int]:
    """Return those of these entries that have more than one leaf."""
    return {row["entry_id"] for row in await connection.fetch(_DOUBLED, entry_ids)}


async def leaves_end(connection: Connection) -> int:
    """Return the greatest leaf index plus 1."""
    return await connection.fetchval(_LEAVES_END)


async def kept_end(connection: Connection) -> int:
    """Return the size of the largest kept checkpoint in the database; -1 for none."""
    return await connection.fetchval(_KEPT_END)
