"""Long reads keep nothing from others: bounded in number and time, ended with their clients (ALL-9)."""

import asyncio
import time
from collections.abc import AsyncGenerator

import httpx
import pytest

from chassis.postgres.read_pool import READ_SECONDS_MAX, READS_MAX
from harness import Infra, Stack, eventually, start_services
from integration.audit.audit_records import AuditApi, webhook

ROWS = 2_000
SECONDS_MAX = 2.0
# Both words stand in every block of entries, and in no entry in one field.
SEARCH = "/api/event-log?q=bulk%20stripe"
EXPORT = f"{SEARCH}&format=ndjson"

_FILL = """
INSERT INTO audit.event_log (event_type, status, source, event_id, metadata, topic, partition, record_offset,
    payload_digest)
SELECT 'bulk', 'success', 'stripe', gen_random_uuid()::text, '{}', 'webhooks.stripe.v1', 0, number, sha256('')
FROM generate_series(1, $1) AS number
"""
# Found before the server's own: a search takes as long as in a log of many millions.
_SLOW = """
CREATE FUNCTION audit.regexp_like(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_sleep(0.01); RETURN pg_catalog.regexp_like($1, $2); END $$;
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = audit, pg_catalog', current_database());
END $$;
"""
_LONG_READS = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name IN ('audit-searches', 'audit-exports') AND state = 'active'
    AND datname = current_database()
"""


@pytest.fixture(scope="module")
async def audit_stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra) as stack:
        await stack.database("audit").execute(_FILL, ROWS)
        await stack.database("audit").execute(_SLOW)
        await stack.start("audit")
        yield stack


async def long_reads(stack: Stack) -> int:
    return await stack.database("audit").fetchval(_LONG_READS)


async def assert_others_are_served(stack: Stack, http: httpx.AsyncClient) -> None:
    for path in ("/api/event-log?limit=1", "/api/event-log/1", "/health/ready"):
        began = time.monotonic()
        response = await http.get(stack.url("audit") + path)
        assert response.status_code == 200, (path, response.text)
        assert time.monotonic() - began < SECONDS_MAX, path


async def test_parallel_searches_are_bounded_and_keep_nothing_from_others(
    audit_stack: Stack, http: httpx.AsyncClient
) -> None:
    async with httpx.AsyncClient(timeout=30) as viewer:
        asked = [asyncio.create_task(viewer.get(audit_stack.url("audit") + SEARCH)) for _ in range(30)]
        await eventually(lambda: any(task.done() for task in asked), seconds=10)
        await assert_others_are_served(audit_stack, http)
        await AuditApi(audit_stack, http).recorded("webhooks.stripe.v1", webhook(b"{}"))
        assert not all(task.done() for task in asked), "the searches were over too early to show anything"
        answers = [await task for task in asked]
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [429] * (30 - READS_MAX) + [503] * READS_MAX
    for answer in answers:
        assert int(answer.headers["Retry-After"]) > 0
        kind = "too-many-reads" if answer.status_code == 429 else "read-took-too-long"
        assert answer.json()["type"] == f"urn:plumbline:problem:{kind}"


@pytest.mark.parametrize("path", [SEARCH, EXPORT])
async def test_reads_of_clients_that_hang_up_end_at_once(
    audit_stack: Stack, http: httpx.AsyncClient, path: str
) -> None:
    url = httpx.URL(audit_stack.url("audit"))
    assert url.port is not None
    await eventually(lambda: none_at_work(audit_stack), seconds=2 * READ_SECONDS_MAX)
    for _ in range(12):
        _, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode())
        await writer.drain()
        await eventually(lambda: some_at_work(audit_stack))
        writer.close()
    await eventually(lambda: none_at_work(audit_stack), seconds=SECONDS_MAX)
    await assert_others_are_served(audit_stack, http)


async def none_at_work(stack: Stack) -> bool:
    return await long_reads(stack) == 0


async def some_at_work(stack: Stack) -> bool:
    return await long_reads(stack) > 0


async def test_exports_are_bounded_and_refused_before_they_begin(
    audit_stack: Stack, http: httpx.AsyncClient
) -> None:
    async with httpx.AsyncClient(timeout=10) as viewer:
        asked = [asyncio.create_task(viewer.get(audit_stack.url("audit") + EXPORT)) for _ in range(6)]
        await eventually(lambda: sum(task.done() for task in asked) == 4, seconds=10)
        assert {(await task).status_code for task in asked if task.done()} == {429}
        await assert_others_are_served(audit_stack, http)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    await eventually(lambda: none_at_work(audit_stack), seconds=SECONDS_MAX)
