"""Payloads and renderings as the role `audit_eraser`: find, delete, write files anew (AU-6)."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from chassis.postgres import Connection, Session
from chassis.postgres.sessions import open_session

ERASER = "audit_eraser"
PAGE_ROWS = 2_000

# A lock that is waited for stops every append behind it.
_SERVER_SETTINGS = {"application_name": "audit-erase", "lock_timeout": "5s"}

_LAST_ENTRY = "SELECT coalesce(max(entry_id), 0) FROM event_payload"
# Entries about the log itself have an empty payload, in which there is nothing to erase.
_BY_SUBJECT = """
SELECT entry_id FROM event_payload WHERE subject = ANY($1::text[]) AND (body <> '' OR texts IS NOT NULL)
"""
_BODIES = """
SELECT entry_id, body, subject, texts FROM event_payload WHERE entry_id > $1 ORDER BY entry_id LIMIT $2
"""
_RENDERINGS = """
SELECT entry_id, body_sha256, body FROM event_rendering
WHERE (entry_id, body_sha256) > ($1, $2) ORDER BY entry_id, body_sha256 LIMIT $3
"""
_SUMMARY = """
SELECT event_type, count(*) AS payloads, sum(octet_length(body))::bigint AS bytes,
    min(recorded_at) AS oldest, max(recorded_at) AS newest
FROM event_payload JOIN event_log USING (entry_id) WHERE entry_id = ANY($1::bigint[])
GROUP BY event_type ORDER BY event_type
"""
_COUNT_RENDERINGS = "SELECT count(*) FROM event_rendering WHERE entry_id = ANY($1::bigint[])"

# Against appends that compared a body with the payload before it was erased (event_renderings.append).
_LOCK_RENDERINGS = "LOCK TABLE event_rendering IN SHARE ROW EXCLUSIVE MODE"
_DELETE = """
WITH gone AS (
    DELETE FROM {table} WHERE entry_id = ANY($1::bigint[]) RETURNING tableoid::regclass::text AS relation
)
SELECT relation, count(*) AS rows FROM gone GROUP BY relation
"""
_REMEMBER = """
INSERT INTO payload_rewrite (relation) SELECT unnest($1::text[])
ON CONFLICT (relation) DO UPDATE SET deleted_by = pg_current_xact_id()
"""

_DUE = "SELECT relation, deleted_by::text, to_regclass(relation) IS NOT NULL AS is_there FROM payload_rewrite"
_DONE = "DELETE FROM payload_rewrite WHERE relation = $1 AND deleted_by = $2::text::xid8"

# A snapshot older than the deletion still sees the rows: a rewrite would copy them.
# A transaction still to come belongs to the cluster that the dump is from: a dump has no deleted rows.
_HOLDERS = """
SELECT holder FROM (
    SELECT 'session ' || pid || ' of ' || coalesce(usename, backend_type) AS holder FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND (datname = current_database() OR datname IS NULL)
        AND age(backend_xmin) >= age($1::text::xid8::xid)
    UNION ALL
    SELECT 'replication slot ' || slot_name FROM pg_replication_slots
    WHERE age(xmin) >= age($1::text::xid8::xid)
    UNION ALL
    SELECT 'prepared transaction ' || gid FROM pg_prepared_xacts
    WHERE age(transaction) >= age($1::text::xid8::xid)
) AS snapshots
WHERE $1::text::xid8 < pg_snapshot_xmax(pg_current_snapshot())
LIMIT 1
"""


class TableInUseError(Exception):
    """Other sessions have used the table for longer than the eraser waits."""


@dataclass(frozen=True, slots=True)
class TypeSummary:
    """Payloads of one event type that an erasure concerns."""

    event_type: str
    payloads: int
    bytes: int
    oldest: datetime
    newest: datetime


@dataclass(frozen=True, slots=True)
class StoredBody:
    """A body that is searched, and further texts of its payload."""

    entry_id: int
    body: bytes
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DueRewrite:
    """A table whose file still has the bytes of deleted rows.

    Attributes:
        deleted_by: number of the transaction that deleted them last.
        is_there: False if the table was dropped since.
    """

    relation: str
    deleted_by: str
    is_there: bool


async def open_eraser(dsn: str) -> Session:
    """Open a session as the role that may erase; `dsn` is of a role that may become it."""
    session = await open_session(dsn, command_timeout=None, server_settings=_SERVER_SETTINGS)
    await session.execute(f'SET ROLE "{ERASER}"')
    return session


async def last_entry(connection: Connection) -> int:
    """Return the largest entry id that has a payload; 0 without one."""
    return await connection.fetchval(_LAST_ENTRY)


async def by_subject(connection: Connection, subjects: Collection[str]) -> set[int]:
    """Return the entries whose payload has one of these subjects."""
    return {row["entry_id"] for row in await connection.fetch(_BY_SUBJECT, list(subjects))}


async def bodies(connection: Connection) -> AsyncIterator[list[StoredBody]]:
    """Yield all payloads, page by page: no snapshot is held from one page to the next."""
    after = 0
    while rows := await connection.fetch(_BODIES, after, PAGE_ROWS):
        yield [
            StoredBody(row["entry_id"], row["body"], (row["subject"] or "", row["texts"] or ""))
            for row in rows
        ]
        after = rows[-1]["entry_id"]


async def renderings(connection: Connection) -> AsyncIterator[list[StoredBody]]:
    """Yield all other renderings, page by page."""
    after, digest = 0, b""
    while rows := await connection.fetch(_RENDERINGS, after, digest, PAGE_ROWS):
        yield [StoredBody(row["entry_id"], row["body"]) for row in rows]
        after, digest = rows[-1]["entry_id"], rows[-1]["body_sha256"]


async def summary(connection: Connection, entry_ids: Collection[int]) -> list[TypeSummary]:
    """Return what is stored of these entries, by event type."""
    return [TypeSummary(**row) for row in await connection.fetch(_SUMMARY, list(entry_ids))]


async def count_renderings(connection: Connection, entry_ids: Collection[int]) -> int:
    return await connection.fetchval(_COUNT_RENDERINGS, list(entry_ids))


async def delete(connection: Connection, entry_ids: Collection[int]) -> tuple[int, int]:
    """Delete payloads and renderings of entries; return the number of both. The caller holds the transaction.

    The tables' files are recorded as to be rewritten.
    """
    await connection.execute(_LOCK_RENDERINGS)
    ids = list(entry_ids)
    other = await connection.fetch(_DELETE.format(table="event_rendering"), ids)
    gone = await connection.fetch(_DELETE.format(table="event_payload"), ids)
    await remember_rewrite(connection, [row["relation"] for row in (*other, *gone)])
    return sum(row["rows"] for row in gone), sum(row["rows"] for row in other)


async def remember_rewrite(connection: Connection, relations: Collection[str]) -> None:
    """Record tables whose file must be rewritten, in the transaction that deleted rows."""
    if relations:
        await connection.execute(_REMEMBER, list(relations))


async def due_rewrites(connection: Connection) -> list[DueRewrite]:
    """Return the tables whose file must be rewritten."""
    return [DueRewrite(*row) for row in await connection.fetch(_DUE)]


async def holder_of_snapshot(connection: Connection, due: DueRewrite) -> str | None:
    """Return who still sees the deleted rows; None if nobody does."""
    return await connection.fetchval(_HOLDERS, due.deleted_by)


async def rewrite(connection: Connection, due: DueRewrite) -> None:
    """Write the table and its indexes into new files, without deleted rows; the old files are removed.

    The table is locked meanwhile. No transaction may be open.

    Raises:
        TableInUseError: the lock was not given in time.
    """
    if due.is_there:
        try:
            await connection.execute(f"VACUUM (FULL) {due.relation}")
        except asyncpg.LockNotAvailableError as error:
            raise TableInUseError(due.relation) from error
    await connection.execute(_DONE, due.relation, due.deleted_by)
