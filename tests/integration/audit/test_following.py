"""A follower of the log by time misses no entry while several writers append (AU-5, AU-10)."""

import json
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

import asyncpg
import httpx
import pytest

from chassis import clock
from harness import Infra, Stack, start_services
from integration.audit.audit_records import AuditApi, webhook

_APPEND = """
INSERT INTO audit.event_log (event_type, status, source, event_id, metadata, topic, partition, record_offset,
    payload_digest)
VALUES ('late.writer', 'success', 'stripe', $1, '{}', 'webhooks.stripe.v1', 0, 0, sha256(''))
RETURNING recorded_at
"""


@pytest.fixture(scope="module")
async def audit_stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "audit") as stack:
        yield stack


@pytest.fixture
def audit(audit_stack: Stack, http: httpx.AsyncClient) -> AuditApi:
    return AuditApi(audit_stack, http)


async def answer(audit: AuditApi, **filters: Any) -> tuple[list[str], datetime]:
    body = (await audit.get("/api/event-log", limit=500, **filters)).json()
    return [item["event_id"] for item in body["items"]], datetime.fromisoformat(body["complete_until"])


@pytest.mark.parametrize("role", ["audit", None], ids=["service", "superuser"])
async def test_answers_stop_before_what_an_open_writer_may_still_add(
    audit: AuditApi, audit_stack: Stack, role: str | None
) -> None:
    late, later = clock.new_id(), clock.new_id()
    async with audit_stack.database("audit").connect(role) as writer, writer.transaction():
        recorded_at: datetime = await writer.fetchval(_APPEND, late)
        await audit_stack.database("audit").execute(_APPEND, later)  # another writer, who commits first
        listed, until = await answer(audit)
        assert until <= recorded_at
        assert later not in listed
        export = await audit.get("/api/event-log", format="ndjson")
        assert later not in export.text
        assert datetime.fromisoformat(export.headers["Complete-Until"]) <= recorded_at
    followed, then = await answer(audit, from_=until.isoformat().replace("+00:00", "Z"))
    assert {late, later} <= set(followed)
    assert then > recorded_at
    assert {late, later}.isdisjoint(listed)


async def test_follower_sees_every_entry_of_writers_that_overlap(audit: AuditApi, audit_stack: Stack) -> None:
    """Follows with `from` = the last `complete_until` while writers begin and end in every order."""
    database = audit_stack.database("audit")
    writers: list[tuple[asyncpg.Connection[asyncpg.Record], Any]] = []
    written, seen = set[str](), set[str]()
    since = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    async with database.connect("audit") as one, database.connect("audit") as two:
        for turn in range(8):
            connection = (one, two)[turn % 2]
            for open_writer, transaction in [pair for pair in writers if pair[0] is connection]:
                await transaction.commit()
                writers.remove((open_writer, transaction))
            transaction = connection.transaction()
            await transaction.start()
            writers.append((connection, transaction))
            written.add(event_id := clock.new_id())
            await connection.fetchval(_APPEND, event_id)
            listed, since = await answer(audit, from_=since.isoformat().replace("+00:00", "Z"))
            seen |= set(listed)
        for _, transaction in writers:
            await transaction.commit()
    listed, _ = await answer(audit, from_=since.isoformat().replace("+00:00", "Z"))
    assert written <= seen | set(listed)


async def test_answer_is_complete_until_its_end_or_now_when_nobody_writes(
    audit: AuditApi, audit_stack: Stack
) -> None:
    await audit.recorded("webhooks.stripe.v1", webhook(b"{}"))
    before: datetime = await audit_stack.database("audit").fetchval("SELECT clock_timestamp()")
    assert (await answer(audit))[1] >= before
    assert (await answer(audit, to="2026-01-01T00:00:00Z"))[1].year == 2026


async def test_command_line_says_up_to_when_its_export_is_complete(audit_stack: Stack) -> None:
    before: datetime = await audit_stack.database("audit").fetchval("SELECT clock_timestamp()")
    done = await audit_stack.run("audit", "export", "--complete-until")
    assert done.exit_code == 0
    assert datetime.fromisoformat(done.stderr.strip()) >= before
    assert all(json.loads(line) for line in done.stdout.splitlines())
