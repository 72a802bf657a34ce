"""Reads what belongs to no leaf: entries that came later or wait, rows without an entry (AU-4)."""

from audit.adapters.verification import STATEMENT_SECONDS_MAX
from chassis.postgres import Connection

# No id is greater than that of the sequence, which is read after the snapshot was taken.
_LAST_ID = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM event_log_entry_id_seq"

# Rows that no range of leaves or ids has.
_OUTSIDE = """
(SELECT entry_id FROM event_log WHERE entry_id > $1 OR entry_id IS NULL LIMIT $2)
UNION ALL
(SELECT entry_id FROM log_leaf WHERE leaf_index < 0 OR leaf_index IS NULL LIMIT $2)
"""

# An id that was decided when the head was signed, and has no leaf, came later.
_UNSEALED = """
SELECT entry_id FROM event_log AS entry
WHERE entry_id <= $1 AND NOT EXISTS (SELECT FROM log_leaf AS leaf WHERE leaf.entry_id = entry.entry_id)
ORDER BY entry_id LIMIT $2
"""

_NEXT_LEAF = "SELECT leaf_index FROM log_leaf WHERE entry_id > $1 ORDER BY entry_id LIMIT 1"

_WAITING = """
SELECT count(*) AS entries, min(entry.entry_id) FILTER (
    WHERE pg_catalog.sha256(payload.salt || payload.body) <> entry.payload_digest
) AS altered
FROM event_log AS entry
LEFT JOIN event_payload AS payload USING (entry_id)
WHERE entry.entry_id > $1 AND NOT EXISTS (SELECT FROM log_leaf AS leaf WHERE leaf.entry_id = entry.entry_id)
"""

_ORPHANS = """
SELECT entry_id FROM {table} AS row
WHERE NOT EXISTS (SELECT FROM event_log AS entry WHERE entry.entry_id = row.entry_id)
ORDER BY entry_id LIMIT $1
"""

_RENDERINGS = """
SELECT entry_id FROM event_rendering WHERE body_sha256 <> pg_catalog.sha256(body) ORDER BY entry_id LIMIT $1
"""

_HEAD_COUNT = "SELECT count(*) FROM log_head"

_TILE_COUNT = "SELECT count(*) FROM log_tile"


async def unsealed(connection: Connection, through: int, *, rows_max: int) -> list[int]:
    """Return entries up to this id that have no leaf."""
    return [row["entry_id"] for row in await connection.fetch(_UNSEALED, through, rows_max)]


async def last_id(connection: Connection) -> int:
    """Return the last entry id that the log has given."""
    return await connection.fetchval(_LAST_ID)


async def outside(connection: Connection, last_id: int, *, rows_max: int) -> list[int | None]:
    """Return entries whose id the log has not given, and entries of leaves that no tree can have."""
    return [row["entry_id"] for row in await connection.fetch(_OUTSIDE, last_id, rows_max)]


async def next_leaf(connection: Connection, entry_id: int) -> int | None:
    """Return the leaf of the next greater entry id that has one."""
    return await connection.fetchval(_NEXT_LEAF, entry_id)


async def waiting(connection: Connection, after: int) -> tuple[int, int | None]:
    """Return how many entries wait to be sealed, and the first of them whose payload does not fit."""
    row = await connection.fetchrow(_WAITING, after, timeout=STATEMENT_SECONDS_MAX)
    return (0, None) if row is None else (row["entries"], row["altered"])


async def orphans(connection: Connection, table: str, *, rows_max: int) -> list[int]:
    """Return entry ids in a table that belongs to event_log, which event_log does not have."""
    query = _ORPHANS.format(table=table)
    return [row["entry_id"] for row in await connection.fetch(query, rows_max, timeout=STATEMENT_SECONDS_MAX)]


async def altered_renderings(connection: Connection, *, rows_max: int) -> list[int]:
    """Return entries with a further rendering that does not lead to its digest."""
    return [
        row["entry_id"]
        for row in await connection.fetch(_RENDERINGS, rows_max, timeout=STATEMENT_SECONDS_MAX)
    ]


async def head_count(connection: Connection) -> int:
    """Return how many heads there are."""
    return await connection.fetchval(_HEAD_COUNT)


async def tile_count(connection: Connection) -> int:
    """Return how many tiles are stored."""
    return await connection.fetchval(_TILE_COUNT, timeout=STATEMENT_SECONDS_MAX)
