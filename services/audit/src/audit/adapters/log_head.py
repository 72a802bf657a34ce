"""Tables `log_head` (the newest signed checkpoint) and `log_checkpoint` (those that left the database)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import asyncpg

from chassis.postgres import Connection

_READ = """
SELECT tree_size, root, frontier, sealed_through, note, signed_at,
    (SELECT max(leaf_index) + 1 FROM log_leaf) AS leaves
FROM (SELECT) AS one LEFT JOIN log_head ON true
"""

_INSERT = "INSERT INTO log_head (tree_size, root, frontier, sealed_through, note) VALUES ($1, $2, $3, $4, $5)"

# The note that was verified must still be there: another sealer, or somebody else, would have changed it.
_UPDATE = """
UPDATE log_head
SET tree_size = $1, root = $2, frontier = $3, sealed_through = $4, note = $5, signed_at = clock_timestamp()
WHERE note = $6
RETURNING signed_at
"""

_MOVE = "UPDATE log_head SET sealed_through = $1 WHERE note = $2"

# At most one row more than there were: ON CONFLICT takes the row of another publisher as it is.
_PUBLISH = """
INSERT INTO log_checkpoint (tree_size, root, note, signed_at)
SELECT tree_size, root, note, signed_at FROM log_head
ON CONFLICT (tree_size) DO NOTHING
"""

_PUBLISHED = """
SELECT tree_size, note, signed_at FROM log_checkpoint WHERE tree_size > $1 ORDER BY tree_size LIMIT $2
"""

_NEWEST = "SELECT tree_size, note, signed_at FROM log_checkpoint ORDER BY tree_size DESC LIMIT 1"

_SIZE = "SELECT tree_size FROM log_head"
_NOTE = "SELECT note FROM log_head"


@dataclass(frozen=True, slots=True)
class Head:
    """The newest signed checkpoint, and where the sealer goes on.

    Attributes:
        frontier: roots of the full subtrees, one after the other.
        sealed_through: every entry up to this id is sealed, or its transaction was rolled back.
    """

    size: int
    root: bytes
    frontier: bytes
    sealed_through: int
    note: str


@dataclass(frozen=True, slots=True)
class State:
    """The head, None before the first one; and how many leaves there are by their greatest index."""

    head: Head | None
    leaves: int


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint that leaves the database."""

    size: int
    note: bytes
    signed_at: datetime


async def read_state(connection: Connection) -> State:
    """Return the head, and the number of leaves."""
    row = await connection.fetchrow(_READ)
    assert row is not None, "an outer join with one row"
    leaves = row["leaves"] or 0
    if row["note"] is None:
        return State(None, leaves)
    return State(
        Head(row["tree_size"], row["root"], row["frontier"], row["sealed_through"], row["note"]), leaves
    )


async def insert_head(connection: Connection, head: Head) -> None:
    """Write the first head."""
    await connection.execute(_INSERT, head.size, head.root, head.frontier, head.sealed_through, head.note)


async def replace_head(connection: Connection, head: Head, *, before: Head) -> datetime | None:
    """Replace the head and return the time; None, and nothing is written, if it is no longer `before`."""
    return await connection.fetchval(
        _UPDATE, head.size, head.root, head.frontier, head.sealed_through, head.note, before.note
    )


async def move_sealed_through(connection: Connection, entry_id: int, *, head: Head) -> Head:
    """Record that every entry up to this id is sealed. Return the head, whose checkpoint stays as it is."""
    await connection.execute(_MOVE, entry_id, head.note)
    return replace(head, sealed_through=entry_id)


async def publish_head(connection: Connection) -> None:
    """Record that the head leaves the database, unless a checkpoint of its size has."""
    await connection.execute(_PUBLISH)


async def published_after(connection: Connection, size: int, *, rows_max: int) -> Sequence[Published]:
    """Return checkpoints of larger trees that left, or are to leave, the database, in order."""
    return [_published(row) for row in await connection.fetch(_PUBLISHED, size, rows_max)]


async def newest_published(connection: Connection) -> Published | None:
    """Return the checkpoint of the largest tree that left, or is to leave, the database."""
    row = await connection.fetchrow(_NEWEST)
    return None if row is None else _published(row)


async def tree_size(connection: Connection) -> int | None:
    """Return the size of the newest signed tree; None before the first."""
    return await connection.fetchval(_SIZE)


async def head_note(connection: Connection) -> str | None:
    """Return the newest signed checkpoint; None before the first."""
    return await connection.fetchval(_NOTE)


def _published(row: asyncpg.Record) -> Published:
    return Published(row["tree_size"], row["note"].encode(), row["signed_at"])
