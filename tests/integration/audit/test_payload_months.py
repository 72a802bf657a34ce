"""Payloads stand in months that are created ahead; old ones are moved by the migration (AU-10)."""

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from audit.adapters.payload_retention import oldest_retained, payload_states
from chassis import clock
from chassis.postgres.migrations import Migration, find_migrations
from harness import Infra, Stack, start_services
from harness.databases import Connection

MOVES = "0014_pre_payload_months.sql"
APPEND = """
WITH entry AS (
    INSERT INTO audit.event_log (
        recorded_at, event_type, status, source, event_id, metadata, topic, partition, record_offset,
        payload_digest
    )
    SELECT $1, 'x', 'success', 'x', gen_random_uuid()::text, '{}', 'x', 0, 0, sha256('x')
    RETURNING entry_id
)
INSERT INTO audit.event_payload (entry_id, subject, salt, body)
SELECT entry_id, 'somebody', sha256('salt'), $2 FROM entry RETURNING entry_id
"""


@pytest.fixture(scope="module")
async def tables(infra: Infra) -> AsyncGenerator[Stack]:
    """Databases without a service."""
    async with start_services(infra) as stack:
        yield stack


async def apply(connection: Connection, migrations: Sequence[Migration]) -> None:
    for migration in migrations:
        await connection.execute(migration.sql)


async def test_payloads_from_before_are_moved_into_their_months(tables: Stack) -> None:
    files = find_migrations(["chassis", "audit"])
    cut = next(number for number, file in enumerate(files) if file.name == MOVES)
    async with tables.database("audit").connect() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(
                "ALTER SCHEMA audit RENAME TO present; CREATE SCHEMA audit AUTHORIZATION audit_owner;"
                " SET LOCAL ROLE audit_owner; SET LOCAL search_path = audit;"
                " CREATE TABLE schema_migration (package text)"
            )
            await apply(connection, files[:cut])
            old = [datetime(2025, 11, 30, 23, 59, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)]
            ids = [
                await connection.fetchval(APPEND, at, b"body %d" % number) for number, at in enumerate(old)
            ]
            await apply(connection, files[cut : cut + 1])
            rows = await connection.fetch(
                "SELECT entry_id, tableoid::regclass::text, body, subject FROM event_payload ORDER BY 1"
            )
            assert [tuple(row) for row in rows] == [
                (ids[0], "event_payload_2025_11", b"body 0", "somebody"),
                (ids[1], "event_payload_2026_02", b"body 1", "somebody"),
            ]
            months = await connection.fetch("SELECT payload_months() AS month ORDER BY 1")
            assert months[-1]["month"] > (clock.now() + timedelta(days=59)).date()
        finally:
            await transaction.rollback()


async def test_payload_that_falls_into_no_month_is_kept_and_its_month_left_out(tables: Stack) -> None:
    async with tables.database("audit").connect() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            month = await connection.fetchval(
                "SELECT 'audit.event_payload_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')"
            )
            await connection.execute(f"DROP TABLE {month}")
            entry_id = await connection.fetchval(APPEND, clock.now(), b"x")
            where = "SELECT tableoid::regclass::text FROM audit.event_payload WHERE entry_id = $1"
            assert await connection.fetchval(where, entry_id) == "event_payload_other"
            await connection.execute("SET LOCAL ROLE audit")
            assert await connection.fetchval("SELECT audit.add_payload_months(5)") > 0
            months = [
                row["month"] for row in await connection.fetch("SELECT audit.payload_months() AS month")
            ]
            assert clock.now().date().replace(day=1) not in months
            assert max(months) > clock.now().date() + timedelta(days=140)
            assert await connection.fetchval(where, entry_id) == "event_payload_other"
        finally:
            await transaction.rollback()


async def test_dropped_month_is_told_from_an_erased_payload(tables: Stack) -> None:
    async with tables.database("audit").connect() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            assert await oldest_retained(connection) is None
            now = clock.now()
            old, erased, kept = [
                await connection.fetchval(APPEND, at, b"x") for at in (now - timedelta(days=70), now, now)
            ]
            await connection.execute("SET LOCAL ROLE audit_eraser; SET LOCAL search_path = audit")
            await connection.execute("DELETE FROM event_payload WHERE entry_id = ANY($1)", [old, erased])
            first = now.date().replace(day=1)
            # The month in which the tables were made may have ended since.
            assert await connection.fetchval("SELECT drop_payload_months($1)", first) <= 1
            retained = await oldest_retained(connection)
            assert retained == datetime(first.year, first.month, 1, tzinfo=UTC)
            assert await payload_states(connection, [old, erased, kept, 10**9]) == {
                old: "expired", erased: "erased", kept: "kept",
            }  # fmt: skip
        finally:
            await transaction.rollback()
