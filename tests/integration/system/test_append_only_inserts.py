"""A service appends to its histories and chooses no id or time that the database sets (BK-5, AU-3, REC-9)."""

from collections.abc import AsyncGenerator
from uuid import UUID

import asyncpg
import pytest

from harness import Infra, Stack, start_services
from plumbline.doctor.schema import APPEND_ONLY
from reconciler.adapters import booking_view

TABLES = [(service, table) for service, tables in APPEND_ONLY.items() for table in tables]

_SET_BY_DATABASE = """
SELECT attname FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND (atthasdef OR attidentity <> '')
"""
_CHOSEN = "INSERT INTO {table} ({column}) OVERRIDING SYSTEM VALUE SELECT {column} FROM {table} LIMIT 1"


_SETS_NOTHING = {"event_payload", "status_history", "log_leaf", "log_tile", "log_submission"}


@pytest.fixture(scope="module")
async def stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra) as databases:
        yield databases


@pytest.mark.parametrize(("service", "table"), TABLES)
async def test_service_cannot_choose_what_the_database_sets(stack: Stack, service: str, table: str) -> None:
    async with stack.database(service).connect(role=service) as connection:
        columns = [row["attname"] for row in await connection.fetch(_SET_BY_DATABASE, table)]
        for column in columns:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                await connection.execute(_CHOSEN.format(table=table, column=column))
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                await connection.copy_records_to_table(table, records=[], columns=[column])
        if columns:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                await connection.copy_records_to_table(table, records=[])
    assert columns or table in _SETS_NOTHING


_MANY_BOOKINGS = """
INSERT INTO booking.booking (
    booking_id, status, payment_status, version, transitions, service, starts_at, ends_at, currency, total,
    pricing, client_name, client_phone, pets, visits, request_sha256
)
SELECT
    gen_random_uuid(), 'confirmed', 'paid', 2, 2, 'drop-in', now(), now() + interval '1 hour', 'USD', 1,
    '{}', 'A', '+13125550100', '[]', '[]', ''
FROM generate_series(1, 5000)
"""


async def test_published_view_is_a_barrier_and_its_pages_still_walk_the_primary_key(stack: Stack) -> None:
    async with stack.database("booking").connect() as connection:
        options = "SELECT reloptions FROM pg_class WHERE oid = 'booking.reconciliation_v1'::regclass"
        assert "security_barrier=true" in (await connection.fetchval(options) or [])
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(f"{_MANY_BOOKINGS}; ANALYZE booking.booking")
            await connection.execute(booking_view.IN_ORDER)
            plan = await connection.fetch(f"EXPLAIN {booking_view.PAGE_AFTER}", UUID(int=2**127), 100)
        finally:
            await transaction.rollback()
    lines = [row[0].strip() for row in plan]
    assert any("Index Scan using booking_pkey" in line for line in lines), lines
    assert any(line.startswith("Index Cond: (booking_id >") for line in lines), lines
