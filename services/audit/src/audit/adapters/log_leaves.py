"""Table `log_leaf`: entries become leaves inside PostgreSQL. Only hashes travel to the sealer.

The statement writes the canonical form of `domain.log.canonical`, byte for byte; a test compares the two.
"""

from dataclasses import dataclass
from datetime import datetime

from audit.domain.log.canonical import VERSION
from audit.domain.log.decided import Reading
from audit.domain.log.tiles import split_hashes
from chassis.postgres import Connection

_TEXT = "coalesce(to_json({0})::text, 'null')"
_TIME = """coalesce('"' || replace(
    to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z'
) || '"', 'null')"""
_MEMBERS = {
    "v": str(VERSION),
    "entry_id": "entry.entry_id",
    "recorded_at": _TIME.format("entry.recorded_at"),
    "occurred_at": _TIME.format("entry.occurred_at"),
    "event_type": _TEXT.format("entry.event_type"),
    "status": _TEXT.format("entry.status"),
    "source": _TEXT.format("entry.source"),
    "event_id": _TEXT.format("entry.event_id"),
    "booking_id": _TEXT.format("entry.booking_id"),
    "actor": _TEXT.format("entry.actor"),
    "error": _TEXT.format("entry.error"),
    "metadata": "entry.metadata::text",
    "topic": _TEXT.format("entry.topic"),
    "partition": "entry.partition",
    "offset": "entry.record_offset",
    "correlation_id": _TEXT.format("entry.correlation_id"),
    "causation_id": _TEXT.format("entry.causation_id"),
    "payload_digest": "'\"' || encode(entry.payload_digest, 'hex') || '\"'",
}
SEALED_FORM = "convert_to('{{' || {} || '}}', 'UTF8')".format(
    " || ',' || ".join(f"'\"{name}\":' || {value}" for name, value in _MEMBERS.items())
)
"""The canonical form of a row of event_log that is called `entry`."""

# A hash of a leaf: SHA-256(0x00 || sealed).
_LEAF_HASH = "sha256('\\x00'::bytea || sealed)"

# The sequence is read first: a writer that takes an id later is none of those that decide about `last_id`.
# The tag of the locks is that of record_time() in 0005_pre_record_time.sql.
_WRITERS = """
WITH taken AS MATERIALIZED (
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS last_id FROM event_log_entry_id_seq
)
SELECT
    last_id,
    ARRAY(
        SELECT classid::bigint << 32 | objid::bigint FROM pg_locks
        WHERE last_id IS NOT NULL
            AND locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 20 = x'504'::bigint
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) AS writers
FROM taken
"""

# One pass over the forms; only hashes are kept for the answer. The leaves before are counted first: after the
# insert, the server would pass all new ones to find the last of them. A log that was changed gets no leaf.
_SEAL = f"""
WITH before AS MATERIALIZED (
    SELECT coalesce(max(leaf_index) + 1, 0) AS leaves FROM log_leaf
), leaf AS (
    INSERT INTO log_leaf (leaf_index, entry_id, sealed)
    SELECT $2 + row_number() OVER (ORDER BY entry_id) - 1, entry_id, sealed
    FROM (
        SELECT entry_id, {SEALED_FORM} AS sealed
        FROM event_log AS entry
        WHERE (SELECT leaves FROM before) = $2
            AND entry_id > $1
            -- The second condition keeps the planner from reading the leaves before $1.
            AND NOT EXISTS (
                SELECT FROM log_leaf WHERE log_leaf.entry_id = entry.entry_id AND log_leaf.entry_id > $1
            )
        ORDER BY entry_id
        LIMIT $3
    ) AS unsealed
    RETURNING leaf_index, entry_id, {_LEAF_HASH} AS hash
)
SELECT
    max(entry_id) AS last_id,
    string_agg(hash, ''::bytea ORDER BY leaf_index) AS hashes,
    (SELECT recorded_at FROM event_log WHERE event_log.entry_id = min(leaf.entry_id)) AS oldest,
    (SELECT leaves FROM before) AS leaves_before
FROM leaf
"""  # noqa: S608 - constants of this module

_HASHES = f"""
SELECT coalesce(string_agg({_LEAF_HASH}, ''::bytea ORDER BY leaf_index), ''::bytea)
FROM log_leaf WHERE leaf_index >= $1 AND leaf_index < $2
"""  # noqa: S608 - constants of this module

# Entries behind the last leaf that count as sealed.
_SKIPPED = """
SELECT min(entry_id) FROM event_log
WHERE entry_id <= $1 AND entry_id > (SELECT coalesce(max(entry_id), 0) FROM log_leaf)
"""

_SEALED = "SELECT sealed FROM log_leaf WHERE leaf_index >= $1 AND leaf_index < $2 ORDER BY leaf_index"


@dataclass(frozen=True, slots=True)
class Leaves:
    """New leaves.

    Attributes:
        hashes: of the leaves, in order.
        last_id: greatest entry id among them; 0 for no leaves.
        oldest: when the entry with the smallest id was recorded; None for no leaves.
        leaves_before: greatest leaf index before, plus 1.
    """

    hashes: list[bytes]
    last_id: int
    oldest: datetime | None
    leaves_before: int


async def read_writers(connection: Connection) -> Reading:
    """Return the last entry id that was taken, and the writers that have not ended.

    Read entries in a later statement: they include every id that this reading shows to be decided.
    """
    row = await connection.fetchrow(_WRITERS)
    assert row is not None, "the sequence has one row"
    return Reading(row["last_id"], frozenset(row["writers"]))


async def append_leaves(connection: Connection, *, after_id: int, first_index: int, rows_max: int) -> Leaves:
    """Make leaves of unsealed entries with a greater id than `after_id`, in the order of their ids."""
    row = await connection.fetchrow(_SEAL, after_id, first_index, rows_max)
    assert row is not None, "an aggregate has one row"
    hashes = split_hashes(row["hashes"] or b"")
    return Leaves(hashes, row["last_id"] or 0, row["oldest"], row["leaves_before"])


async def skipped_entry(connection: Connection, sealed_through: int) -> int | None:
    """Return the first entry up to `sealed_through` that lies behind the last leaf; None for none."""
    return await connection.fetchval(_SKIPPED, sealed_through)


async def leaf_hashes(connection: Connection, first: int, end: int) -> list[bytes]:
    """Return the hashes of leaves `first` to `end` - 1; fewer if leaves are missing."""
    return split_hashes(await connection.fetchval(_HASHES, first, end))


async def sealed_forms(connection: Connection, first: int, end: int) -> list[bytes]:
    """Return the canonical forms of leaves `first` to `end` - 1; fewer if leaves are missing."""
    return [row["sealed"] for row in await connection.fetch(_SEALED, first, end)]
