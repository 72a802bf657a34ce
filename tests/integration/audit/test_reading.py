"""Live streams, payloads, and the entries that exports and readings leave behind (AU-5, AU-6, AU-10)."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from audit.handlers.live_entries import PAGE_ROWS, STREAMS_MAX, WAITING_ENTRIES_MAX
from audit.jobs.live_entries import POLL_SECONDS
from chassis import clock
from harness import Infra, Stack, eventually, start_services
from harness.processes import run
from integration.audit.audit_records import AuditApi, webhook

PAGE = Path(__file__).parents[3] / "docs/event-log.md"
STRIPE = "webhooks.stripe.v1"
_APPEND = """
INSERT INTO audit.event_log (event_type, status, source, event_id, booking_id, metadata, topic, partition,
    record_offset, payload_digest)
SELECT 'streamed', 'success', 'stripe', gen_random_uuid()::text, $1, '{}', 't', 0, number, sha256('')
FROM generate_series(1, $2::bigint) AS number
"""
# As if payloads of this moment had been dropped for their age.
_RETAIN = "INSERT INTO audit.payload_retention (retained_from) VALUES (clock_timestamp())"
_ERASE = "DELETE FROM audit.event_payload WHERE entry_id = $1"


@pytest.fixture(scope="module")
async def audit_stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "audit") as stack:
        yield stack


@pytest.fixture
def audit(audit_stack: Stack, http: httpx.AsyncClient) -> AuditApi:
    return AuditApi(audit_stack, http)


class Events:
    """The events of an open stream."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self.last_id = ""

    async def take(self, count: int) -> list[int]:
        """Read so many entries and return their offsets, which number them."""
        offsets: list[int] = []
        async with asyncio.timeout(30):
            while len(offsets) < count:
                line = await anext(self._lines)
                if line.startswith("data: "):
                    offsets.append(json.loads(line.removeprefix("data: "))["offset"])
                elif line.startswith("id: "):
                    self.last_id = line.removeprefix("id: ")
        return offsets

    async def to_the_end(self) -> None:
        async with asyncio.timeout(30):
            async for _ in self._lines:
                pass


@asynccontextmanager
async def stream(url: str, last_id: str | None = None, **filters: str) -> AsyncGenerator[Events]:
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    async with (
        httpx.AsyncClient(timeout=30, trust_env=False) as client,
        client.stream("GET", f"{url}/api/event-log/stream", params=filters, headers=headers) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.aiter_lines()
        assert await anext(lines) == "retry: 2000"
        events = Events(lines)
        while not events.last_id:
            line = await anext(lines)
            events.last_id = line.removeprefix("id: ") if line.startswith("id: ") else ""
        yield events


async def test_stream_goes_on_where_it_ended_without_a_gap_and_without_a_copy(audit_stack: Stack) -> None:
    booking_id, url = clock.new_id(), audit_stack.url("audit")
    database = audit_stack.database("audit")
    async with stream(url, booking_id=booking_id) as events:
        await database.execute(_APPEND, clock.new_id(), 3)
        await database.execute(_APPEND, booking_id, 5)
        assert await events.take(3) == [1, 2, 3]
        last_id = events.last_id
    # While nobody is connected: more than a page.
    await database.execute(_APPEND, booking_id, PAGE_ROWS + 50)
    first, others = [4, 5], list(range(1, PAGE_ROWS + 51))
    # The line of data comes before the line of its id: the last event may come again.
    async with stream(url, last_id, booking_id=booking_id) as events:
        begun = await events.take(1)
        assert begun[0] in {3, 4}
        assert begun + await events.take(len(first) + len(others) - (begun[0] == 4)) == (
            [3, *first, *others] if begun[0] == 3 else [*first, *others]
        )
        await database.execute(_APPEND, booking_id, 2)
        assert await events.take(2) == [1, 2]


async def test_stream_shows_entries_of_a_late_writer_in_order(audit_stack: Stack) -> None:
    booking_id, database = clock.new_id(), audit_stack.database("audit")
    async with stream(audit_stack.url("audit"), booking_id=booking_id) as events:
        async with database.connect("audit") as writer, writer.transaction():
            await writer.execute(_APPEND, booking_id, 2)
            await database.execute(_APPEND, booking_id, 1)  # recorded later, and committed first
            taking = asyncio.create_task(events.take(3))
            await asyncio.wait({taking}, timeout=3 * POLL_SECONDS)
            assert not taking.done()
        assert await taking == [1, 2, 1]


async def test_streams_that_lag_behind_read_from_the_database(audit_stack: Stack) -> None:
    marker, count = clock.new_id(), 2 * WAITING_ENTRIES_MAX
    url = audit_stack.url("audit")
    async with (
        stream(url, q=marker) as searched,
        stream(url, booking_id=marker, **{"from": "2026-01-01T00:00:00Z"}) as from_then,
    ):
        await audit_stack.database("audit").execute(_APPEND, marker, count)
        assert await searched.take(count) == list(range(1, count + 1))
        assert await from_then.take(count) == list(range(1, count + 1))


async def test_streams_end_when_the_process_stops_and_are_bounded(audit_stack: Stack) -> None:
    second = await audit_stack.start("audit")
    async with httpx.AsyncClient(
        timeout=30, trust_env=False, limits=httpx.Limits(max_connections=None)
    ) as client:
        url = f"{second.url}/api/event-log/stream"
        answers = [
            await client.send(client.build_request("GET", url), stream=True) for _ in range(STREAMS_MAX)
        ]
        assert {answer.status_code for answer in answers} == {200}
        refused = await client.get(url)
        assert (refused.status_code, refused.json()["type"]) == (
            503,
            "urn:plumbline:problem:too-many-streams",
        )
        assert int(refused.headers["Retry-After"]) > 0
        await answers.pop().aclose()
        await eventually(lambda: accepted(client, url))
        stopping = asyncio.create_task(second.stop())
        async with asyncio.timeout(10):
            for answer in answers:
                async for _ in answer.aiter_raw():
                    pass
            await stopping


async def accepted(client: httpx.AsyncClient, url: str) -> bool:
    async with client.stream("GET", url) as response:
        return response.status_code == 200


@pytest.mark.parametrize(
    ("parameters", "last_id", "field"),
    [
        ({"to": "2026-01-01T00:00:00Z"}, None, "to"),
        ({}, "7", "Last-Event-ID"),
        ({}, "1-" + "9" * 19, "Last-Event-ID"),
    ],
)
async def test_stream_that_makes_no_sense_is_400(
    audit_stack: Stack, http: httpx.AsyncClient, parameters: dict[str, str], last_id: str | None, field: str
) -> None:
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    response = await http.get(
        f"{audit_stack.url('audit')}/api/event-log/stream", params=parameters, headers=headers
    )
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)


async def test_payload_is_shown_and_its_reading_is_an_entry(audit: AuditApi, audit_stack: Stack) -> None:
    booking_id, body = clock.new_id(), b'{"from": "+15550100", "text": "caf\xc3\xa9"}'
    await audit.recorded(STRIPE, webhook(body, subject=booking_id))
    entry = await audit.entry(booking_id=booking_id)
    payload = (await audit.get(f"/api/event-log/{entry['entry_id']}/payload")).json()
    assert (payload["encoding"], payload["body"].encode()) == ("utf-8", body)
    read = await audit.entry(event_type="audit.payload-read", booking_id=booking_id)
    assert (read["source"], read["actor"], read["metadata"]["entry_id"]) == (
        "audit",
        "system",
        entry["entry_id"],
    )

    await audit_stack.database("audit").execute(
        f"SET ROLE audit_eraser; {_ERASE.replace('$1', str(entry['entry_id']))}"
    )
    gone = await audit.get(f"/api/event-log/{entry['entry_id']}/payload")
    assert (gone.status_code, gone.json()["type"]) == (410, "urn:plumbline:problem:payload-erased")
    assert len(await audit.entries(event_type="audit.payload-read", booking_id=booking_id)) == 1

    await audit_stack.database("audit").execute(_RETAIN)
    expired = (await audit.get(f"/api/event-log/{entry['entry_id']}/payload")).json()
    page = (await audit.get("/api/event-log", booking_id=booking_id)).json()
    assert expired["type"] == "urn:plumbline:problem:payload-expired"
    assert (page["complete"], page["oldest_retained"]) == (False, expired["oldest_retained"])
    assert (await audit.get("/api/event-log/999999999/payload")).status_code == 404


async def test_exports_are_entries_with_filters_and_count(audit: AuditApi, audit_stack: Stack) -> None:
    booking_id = clock.new_id()
    assert (await audit.get("/api/event-log/export", booking_id=booking_id)).text == ""
    await audit_stack.database("audit").execute(_APPEND, booking_id, 3)
    done = await audit_stack.run("audit", "export", "--booking-id", booking_id, "--q", "Jane Roe")
    assert (done.exit_code, done.stdout) == (0, "")
    response = await audit.get("/api/event-log/export", booking_id=booking_id, q="streamed")
    assert [json.loads(line)["offset"] for line in response.text.splitlines()] == [1, 2, 3]

    async def recorded() -> list[Mapping[str, Any]] | None:
        found = [
            entry
            for entry in reversed(await audit.entries(q="audit export", limit=500))
            if entry["metadata"]["filters"].get("booking_id") == booking_id
        ]
        return found if len(found) >= 2 else None

    entries = await eventually(recorded)
    assert entries is not None
    # Exports without an entry gave nothing out, and are not recorded.
    started, ended = entries
    assert [entry["event_type"] for entry in entries] == ["audit.export-started", "audit.exported"]
    assert (started["status"], started["actor"], ended["status"]) == ("pending", "system", "success")
    assert started["event_id"] == started["correlation_id"] == ended["correlation_id"]
    assert started["metadata"] == {"through": "http", "filters": {"booking_id": booking_id, "q": "streamed"}}
    assert ended["metadata"] == {"entries": 3, "filters": {"booking_id": booking_id, "q": "streamed"}}

    done = await audit_stack.run("audit", "export", "--booking-id", booking_id)
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 3)
    (last,) = await audit.entries(event_type="audit.exported", limit=1)
    assert (last["correlation_id"] != ended["correlation_id"], last["metadata"]["entries"]) == (True, 3)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_commands_of_the_page_run_as_printed(
    audit: AuditApi, audit_stack: Stack, tmp_path: Path
) -> None:
    await audit.recorded(STRIPE, webhook(b"{}", subject=clock.new_id()))
    section = PAGE.read_text().split("## Reading the log")[1].split("\n## ")[0]
    commands = "\n".join(re.findall(r"```bash\n(.*?)```", section, re.DOTALL))
    assert commands.count("curl ") >= 8
    environment = {**os.environ, "AUDIT": audit_stack.url("audit")}
    done = await run(["bash", "-c", f"set -euo pipefail\ncd {tmp_path}\n{commands}"], environment)
    assert done.exit_code == 0, done.stderr
    assert '"event_type":["' in done.stdout
    assert "retry: 2000" in done.stdout
    assert "stripe" in (tmp_path / "entries.ndjson").read_text()
