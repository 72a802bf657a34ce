"""Erasure leaves no byte of a person behind, loses nothing else, and the log says so (AU-6, ALL-8)."""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest

from audit.adapters import event_renderings, payload_erasure
from audit.adapters.payload_erasure import open_eraser
from audit.adapters.payload_retention import payload_states
from audit.handlers import erasing
from audit.handlers.erasing import RewriteDelayedError, rewrite_files
from chassis import clock
from harness import Infra, Record, Stack, eventually, start_services
from harness.databases import Connection
from integration.audit.audit_records import AuditApi, changed, created, webhook
from plumbline import dsn

STRIPE, BOOKINGS, SMS = "webhooks.stripe.v1", "bookings.events.v1", "webhooks.sms.v1"
LONG = 60_000
"""Bytes of a body that does not fit into its row."""

# Files of this database, and the write-ahead log: read by the server, so that it may run anywhere.
_FILES = """
SELECT path FROM (
    SELECT 'base/' || oid || '/' || name AS path FROM pg_database, pg_ls_dir('base/' || oid) AS name
    WHERE datname = current_database()
) AS file WHERE position($1 IN pg_read_binary_file(path, 0, (pg_stat_file(path)).size, true)) > 0
"""
_WAL = """
SELECT name FROM pg_ls_waldir()
WHERE position($1 IN coalesce(pg_read_binary_file('pg_wal/' || name, 0, size, true), '')) > 0
"""
OLD_ENTRY = """
WITH entry AS (
    INSERT INTO event_log (
        recorded_at, event_type, status, source, event_id, metadata, topic, partition, record_offset,
        payload_digest
    )
    VALUES ($1, 'x', 'success', 'x', gen_random_uuid()::text, '{}', 'x', 0, 0, sha256('x'))
    RETURNING entry_id
)
INSERT INTO event_payload (entry_id, stored_at, salt, body)
SELECT entry_id, $1, sha256('salt'), 'old' FROM entry RETURNING entry_id
"""


@pytest.fixture(scope="module")
async def audit_stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "audit") as stack:
        yield stack


@pytest.fixture
def audit(audit_stack: Stack, http: httpx.AsyncClient) -> AuditApi:
    return AuditApi(audit_stack, http)


@pytest.fixture(scope="module")
async def login(audit_stack: Stack) -> AsyncGenerator[str]:
    """The connection string of a person who may erase and do nothing else."""
    admin, name, password = audit_stack.database("audit"), f"eraser_{secrets.token_hex(4)}", "for-tests"
    await admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}' IN ROLE audit_eraser")
    yield dsn.as_role(admin.dsn(), name, password)
    await admin.execute(f"DROP ROLE {name}")


async def run(stack: Stack, login: str, *arguments: str, stdin: bytes | None = None) -> dict[str, Any]:
    env = {"AUDIT_ERASER_POSTGRES_DSN": login}
    done = await stack.run("audit", *arguments, "--json", env=env, stdin=stdin)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


async def places(stack: Stack, needle: str) -> list[str]:
    async with stack.database("audit").connect() as connection:
        await connection.execute("CHECKPOINT")
        return [row["path"] for row in await connection.fetch(_FILES, needle.encode(), timeout=60)]


async def states(stack: Stack, entry_ids: list[int]) -> Mapping[int, str]:
    async with stack.database("audit").connect() as connection:
        return await payload_states(connection, entry_ids)


def sms(phone: str, text: str) -> Record:
    record = webhook(json.dumps({"from": phone, "text": text}).encode(), subject=None)
    headers = dict(record.headers) | {
        "ce_source": b"/webhooks/sms", "ce_type": b"sms.message.received", "ce_subject": phone.encode(),
    }  # fmt: skip
    return Record(record.value, phone.encode(), tuple(headers.items()))


async def test_no_byte_of_a_person_is_left_in_the_database(
    audit: AuditApi, audit_stack: Stack, login: str
) -> None:
    digits = f"1555{secrets.randbelow(10**7):07}"
    phone, name, booking_id = f"+{digits}", f"Zoë-{secrets.token_hex(8)}", clock.new_id()
    noise = os.urandom(LONG).hex()
    mine = [
        sms(phone, f"I am {name}"),
        webhook(json.dumps({"client": f"({digits[0]}) {digits[1:4]}-{digits[4:]}", "noise": noise}).encode()),
        webhook(json.dumps({"text": f"call {phone} \u0007"}).encode().replace(b"+", b"\\u002b")),
    ]
    reason = changed(booking_id, 2, "pending", "confirmed", reason=f"{name} of {phone} paid")
    unreadable = Record(f"from {phone}, {name}".encode(), b"k", ())
    others = [webhook(b'{"phone": "+15550001111"}'), webhook(b'{"client": "somebody"}')]
    await audit.recorded(STRIPE, *mine[1:], *others)
    await audit.recorded(SMS, mine[0])
    await audit.recorded(BOOKINGS, created(booking_id), reason, unreadable)
    database = audit_stack.database("audit")
    await database.execute("ANALYZE")
    assert await places(audit_stack, phone), "the search finds what is there"

    seen = await run(audit_stack, login, "erase", "--subject", phone, "--dry-run")
    assert (seen["found"]["payloads"], seen["payloads"]) == (5, 0)
    assert await places(audit_stack, phone)

    arguments = ("erase", "--subject", "-", "--subject", booking_id, "--contains", "--reason", "TICKET-7")
    done = await run(audit_stack, login, *arguments, stdin=f"{phone}\n{name}\n".encode())
    assert done["payloads"] == 6, "the booking's creation too"
    for needle in (phone, digits, name, noise[:64]):
        assert await places(audit_stack, needle) == [], needle

    entry = await audit.entry(event_type="audit.payloads-erased", event_id=done["erasure_id"])
    assert (entry["entry_id"], entry["status"], entry["source"]) == (done["entry_id"], "success", "audit")
    assert entry["metadata"] == {"payloads": 6, "renderings": 0, "reason": "TICKET-7"}
    everything = (await audit.get("/api/event-log", format="ndjson")).text
    log = audit_stack.services("audit")[0].log()
    assert digits not in everything + log
    assert name not in everything + log

    ids = {
        record.header("ce_id"): (await audit.entry(event_id=record.header("ce_id")))["entry_id"]
        for record in (*mine, reason, *others)
    }
    found = await states(audit_stack, list(ids.values()))
    assert [found[ids[record.header("ce_id")]] for record in (*mine, reason)] == ["erased"] * 4
    assert [found[ids[record.header("ce_id")]] for record in others] == ["kept"] * 2
    history = (await audit.get(f"/api/bookings/{booking_id}/history")).json()["history"]
    assert [each["reason"] for each in history] == [None, None]
    verified = json.loads((await audit_stack.run("audit", "verify", "--json")).stdout)
    assert (verified["verdict"], verified["findings"]) == ("intact", []), "every proof still verifies"

    # What comes again brings nothing back.
    erasures = len(await audit.entries(event_type="audit.payloads-erased"))
    await audit.recorded(STRIPE, *mine[1:])
    again = await run(audit_stack, login, *arguments, stdin=f"{phone}\n{name}\n".encode())
    assert (again["payloads"], again["entry_id"], again["rewritten"]) == (0, None, [])
    assert len(await audit.entries(event_type="audit.payloads-erased")) == erasures
    assert await places(audit_stack, phone) == []


async def test_write_ahead_log_forgets_with_its_next_checkpoint_if_it_is_not_recycled(
    infra: Infra, audit: AuditApi, audit_stack: Stack, login: str
) -> None:
    name = f"Wal-{secrets.token_hex(8)}"
    # Several: the header of a page of the log may stand in the middle of one.
    await audit.recorded(STRIPE, *(webhook(json.dumps({"client": name}).encode()) for _ in range(3)))
    async with audit_stack.database("audit").connect() as connection:
        await connection.execute("ALTER SYSTEM SET wal_recycle = off")
        await connection.execute("SELECT pg_reload_conf()")
        try:
            assert await connection.fetch(_WAL, name.encode()), "the search finds what is there"
            await run(audit_stack, login, "erase", "--subject", name)

            async def is_gone() -> bool:
                await connection.execute("SELECT pg_switch_wal()")
                await connection.execute("CHECKPOINT")
                return await connection.fetch(_WAL, name.encode()) == []

            await eventually(is_gone, seconds=30)
        finally:
            await connection.execute("ALTER SYSTEM RESET wal_recycle")
            await connection.execute("SELECT pg_reload_conf()")


async def test_erasing_while_appending_loses_nothing(audit: AuditApi, audit_stack: Stack, login: str) -> None:
    booking_id = clock.new_id()
    mine = [webhook(b"{}", subject=booking_id) for _ in range(20)]
    others = [webhook(b'{"n": %d}' % number) for number in range(400)]
    await audit.recorded(STRIPE, *mine)

    async def publish() -> None:
        for first in range(0, len(others), 40):
            await audit_stack.topic(STRIPE).publish_all(others[first : first + 40])

    publishing = asyncio.create_task(publish())
    done = await run(audit_stack, login, "erase", "--subject", booking_id)
    await publishing
    assert done["payloads"] == 20
    assert (await audit.entry(event_id=done["erasure_id"]))["booking_id"] == booking_id
    ids = [record.header("ce_id") for record in others]
    count = "SELECT count(*) FROM event_log JOIN event_payload USING (entry_id) WHERE event_id = ANY($1)"

    async def all_kept() -> bool:
        return await audit_stack.database("audit").fetchval(count, ids) == len(ids)

    await eventually(all_kept, seconds=30)


async def test_month_is_dropped_answers_say_so_and_a_second_time_nothing_is_left(
    audit: AuditApi, audit_stack: Stack, login: str
) -> None:
    admin, old = audit_stack.database("audit"), clock.now() - timedelta(days=100)
    async with admin.connect() as connection:
        await connection.execute("SET ROLE audit_owner; SET search_path = audit")
        await connection.execute("SELECT add_payload_month(date_trunc('month', $1::timestamptz)::date)", old)
        entry_id = await connection.fetchval(OLD_ENTRY, old)
    seen = await run(audit_stack, login, "retention", "--older-than", "60d", "--dry-run")
    assert [(each["month"], each["payloads"]) for each in seen["months"]] == [(f"{old:%Y-%m}", 1)]
    assert (await states(audit_stack, [entry_id])) == {entry_id: "kept"}

    done = await run(audit_stack, login, "retention", "--older-than", "60d")
    assert (done["payloads"], len(done["months"])) == (1, 1)
    assert (await states(audit_stack, [entry_id])) == {entry_id: "expired"}
    entry = await audit.entry(event_type="audit.payloads-expired")
    assert entry["metadata"]["retained_from"] == done["retained_from"]
    assert entry["metadata"]["payloads"] == 1
    again = await run(audit_stack, login, "retention", "--older-than", "60d")
    assert (again["payloads"], again["months"]) == (0, [])
    assert len(await audit.entries(event_type="audit.payloads-expired")) == 1


async def test_rendering_that_comes_after_the_erasure_is_not_kept(
    audit_stack: Stack, audit: AuditApi
) -> None:
    """An append has compared the bodies, and then waits for the erasure to end."""
    record = webhook(b'{"n": 1}')
    await audit.recorded(STRIPE, record)
    entry_id = (await audit.entry(event_id=record.header("ce_id")))["entry_id"]
    admin = audit_stack.database("audit")
    async with admin.connect() as eraser, admin.connect(role="audit") as appending:
        transaction = eraser.transaction()
        await transaction.start()
        await eraser.execute("SET LOCAL ROLE audit_eraser")
        await payload_erasure.delete(eraser, [entry_id])
        waiting = asyncio.create_task(event_renderings.append(appending, [(entry_id, b'{"n":1}')]))
        blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'event_rendering'::regclass"
        await eventually(lambda: eraser.fetchval(blocked))
        await transaction.commit()
        await waiting
        assert await admin.fetchval("SELECT count(*) FROM event_rendering WHERE entry_id = $1", entry_id) == 0


async def test_file_is_written_anew_only_when_no_snapshot_sees_the_rows(
    audit_stack: Stack, audit: AuditApi, login: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"Old-{secrets.token_hex(8)}"
    await audit.recorded(STRIPE, webhook(json.dumps({"client": name}).encode()))
    monkeypatch.setattr(erasing, "REWRITE_WAIT_SECONDS_MAX", 0.2)
    subjects, eraser = [name], await open_eraser(login)
    reader: Connection
    try:
        async with audit_stack.database("audit").connect(role="audit") as reader:
            snapshot = reader.transaction(isolation="repeatable_read")
            await snapshot.start()
            await reader.fetchval("SELECT count(*) FROM event_payload")
            found = await erasing.find(eraser, subjects, searches_bodies=True, progress=_silent)
            assert await erasing.erase(eraser, subjects, found, actor="ana", reason=None)
            with pytest.raises(RewriteDelayedError, match="older snapshot"):
                await rewrite_files(eraser, _silent)
            assert await places(audit_stack, name)
            await snapshot.rollback()
        assert len(await rewrite_files(eraser, _silent)) == 1
        assert await places(audit_stack, name) == []
    finally:
        await eraser.close()


@pytest.mark.parametrize(("answer", "exit_code", "payloads"), [("n", 1, 1), ("y", 0, 0)])
async def test_on_a_terminal_it_asks_before_it_erases(
    audit_stack: Stack, audit: AuditApi, login: str, answer: str, exit_code: int, payloads: int
) -> None:
    name, env = f"Asked-{secrets.token_hex(8)}", {"AUDIT_ERASER_POSTGRES_DSN": login}
    await audit.recorded(STRIPE, webhook(json.dumps({"client": name}).encode()))
    done = await audit_stack.run("audit", "erase", "--subject", name, env=env, typed=f"{answer}\n".encode())
    assert f"Erase 1 payloads and 0 renderings of {name} for ever? [y/N]" in done.stderr
    assert (done.exit_code, "nothing was erased" in done.stderr) == (exit_code, exit_code == 1)
    assert len(await places(audit_stack, name)) == payloads


async def test_login_that_may_not_erase_is_told_which_one_may(audit_stack: Stack) -> None:
    env = {"AUDIT_ERASER_POSTGRES_DSN": audit_stack.environment()["AUDIT_POSTGRES_DSN"]}
    done = await audit_stack.run("audit", "erase", "--subject", "somebody", env=env)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "give the DSN of a login that is a member of audit_eraser" in done.stderr


def _silent(_name: str, _done: int, _total: int) -> None: ...
