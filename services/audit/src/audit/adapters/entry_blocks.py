"""Table `entry_block`: the search index over the words of entries, filled after the fact (decision 0055)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from audit.adapters.event_log_queries import Order
from audit.domain.blocks import MARKED, Block
from audit.domain.filters import SEARCHED
from audit.domain.search import Term
from chassis.postgres import Connection
from chassis.postgres.advisory_locks import AUDIT_ENTRY_BLOCKS

_LOCK = "SELECT pg_try_advisory_xact_lock($1)"
_FASTER_COMMIT = "SET LOCAL synchronous_commit = off"

_FRONTIER = "SELECT coalesce(max(last_entry_id), 0) FROM entry_block"
_NEWEST = "SELECT coalesce(max(entry_id), 0) FROM event_log"
# Every writer of the log holds such a lock until its end: see record_time().
_WRITERS = """
SELECT DISTINCT virtualtransaction FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 20 = x'504'::bigint
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

_TEXTS = f"""
SELECT entry_id, {", ".join((*MARKED, *SEARCHED))} FROM event_log
WHERE entry_id > $1 AND entry_id <= $2 ORDER BY entry_id LIMIT $3
"""  # noqa: S608 - constants of the domain

# A damaged entry's time, which the driver cannot hold, must not hide its block. OFFSET 0: the planner would
# look for the earliest time in the index of times, from the log's beginning.
_INSERT = """
INSERT INTO entry_block (first_entry_id, last_entry_id, recorded_from, recorded_to, words)
SELECT
    $1, $2, greatest(min(recorded_at), '0001-01-02Z'), least(max(recorded_at), '9999-12-31Z'),
    array_to_tsvector($3::text[])
FROM (SELECT recorded_at FROM event_log WHERE entry_id BETWEEN $1 AND $2 OFFSET 0) AS entry
"""

_CANDIDATES = """
SELECT first_entry_id, last_entry_id, recorded_from, recorded_to FROM {source}
WHERE last_entry_id <= $1 AND {conditions} ORDER BY {order} LIMIT $2
"""
_EVERY = "entry_block"
# A function, because its plan must use the index of words: see the migration.
_WITH_WORDS = "blocks_with(${}::text::tsquery)"
_ORDER: dict[Order, str] = {
    "newest first": "recorded_to DESC, first_entry_id DESC",
    "oldest first": "recorded_from, first_entry_id",
}
_BEHIND: dict[Order, str] = {
    "newest first": "(recorded_to, first_entry_id) < (${}, ${})",
    "oldest first": "(recorded_from, first_entry_id) > (${}, ${})",
}


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A block to insert: its entries' numbers and lexemes."""

    first_entry_id: int
    last_entry_id: int
    lexemes: Sequence[str]


async def try_lock(connection: Connection) -> bool:
    """Take the lock of the only process that fills the index, until the transaction ends.

    A commit that the server loses in a crash is made again.
    """
    await connection.execute(_FASTER_COMMIT)
    return await connection.fetchval(_LOCK, AUDIT_ENTRY_BLOCKS)


async def frontier(connection: Connection) -> int:
    """Return the number of the last entry that is in a block; 0 without one."""
    return await connection.fetchval(_FRONTIER)


async def newest_entry(connection: Connection) -> int:
    """Return the largest number of an entry; 0 without one."""
    return await connection.fetchval(_NEWEST)


async def open_writers(connection: Connection) -> set[str]:
    """Return the transactions that have appended, or are about to, and have not ended."""
    return {row["virtualtransaction"] for row in await connection.fetch(_WRITERS)}


async def texts(
    connection: Connection, *, after: int, until: int, rows_max: int
) -> list[tuple[int, Sequence[str | None]]]:
    """Return numbers and texts (MARKED, then SEARCHED) of entries, by number."""
    rows = await connection.fetch(_TEXTS, after, until, rows_max)
    return [(number, fields) for number, *fields in map(tuple, rows)]


async def insert(connection: Connection, blocks: Collection[NewBlock]) -> None:
    await connection.executemany(
        _INSERT, [(block.first_entry_id, block.last_entry_id, block.lexemes) for block in blocks]
    )


async def candidates(
    connection: Connection,
    terms: Sequence[Term],
    *,
    until_entry: int,
    recorded_from: datetime | None,
    recorded_until: datetime | None,
    behind: Block | None,
    rows_max: int,
    order: Order,
) -> list[Block]:
    """Return blocks that can have a match, by their latest entry, or by their earliest.

    Args:
        connection: any.
        terms: what the block must have; nothing fits every block.
        until_entry: blocks of entries with larger numbers are left out.
        recorded_from: time of the earliest entry that is looked for; None: no limit.
        recorded_until: time of the latest one; None: no limit.
        behind: the last block that was returned; None begins.
        rows_max: blocks to return.
        order: of the entries that are looked for.
    """
    arguments: list[object] = [until_entry, rows_max]
    conditions = ["true"]

    def add(condition: str, *values: object) -> None:
        numbers = range(len(arguments) + 1, len(arguments) + len(values) + 1)
        arguments.extend(values)
        conditions.append(condition.format(*numbers))

    source = _EVERY
    if terms:
        source = _WITH_WORDS.format(len(arguments) + 1)
        arguments.append(" & ".join(map(_query, terms)))
    if recorded_from is not None:
        add("recorded_to >= ${}", recorded_from)
    if recorded_until is not None:
        add("recorded_from <= ${}", recorded_until)
    if behind is not None:
        edge = behind.recorded_to if order == "newest first" else behind.recorded_from
        add(_BEHIND[order], edge, behind.first_entry_id)
    query = _CANDIDATES.format(source=source, conditions=" AND ".join(conditions), order=_ORDER[order])
    return [Block(**row) for row in await connection.fetch(query, *arguments)]


def _query(term: Term) -> str:
    lexeme = term.lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{lexeme}':*" if term.is_prefix else f"'{lexeme}'"
