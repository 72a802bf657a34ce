"""Entries become leaves: all of them, once, in one tree, whatever the order of their commits (AU-4)."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from audit.domain.log.canonical import StoredEntry, sealed_form
from audit.domain.log.tiles import Edge
from audit.domain.log.tree import hash_leaf
from chassis import clock
from harness import Infra, Stack, eventually, start_services
from integration.audit.audit_records import AuditApi, webhook
from integration.audit.sealed_log import is_sealed, read_log, read_note, readiness, root_of

STRIPE = "webhooks.stripe.v1"
INSERT = """
INSERT INTO event_log (
    event_type, status, source, event_id, booking_id, actor, error, metadata, occurred_at, topic, partition,
    record_offset, payload_digest
) VALUES ($1, 'success', 'test', $2, $3, $4, $5, $6, $7, 't', 3, 9007199254740993, sha256('x'))
RETURNING entry_id
"""
ODD = 'quote " backslash \\ slash / \b\f\n\r\t \x01\x1f\x7f é 😀 \u2028 </script>'


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "audit", env={"AUDIT_CHECKPOINT_SECONDS": "0.5"}) as stack:
        yield stack


@pytest.fixture
def audit(own: Stack, http: httpx.AsyncClient) -> AuditApi:
    return AuditApi(own, http)


def row(event_id: str | None = None, text: str | None = None) -> tuple[object, ...]:
    metadata = json.dumps({"text": text or "x", "n": 1.50})
    return ("type", event_id or clock.new_id(), text, text, text, metadata, None)


async def sealed(stack: Stack) -> bool:
    return await is_sealed(stack)


async def wait_until_sealed(stack: Stack) -> None:
    async def all_sealed() -> bool:
        return await is_sealed(stack)

    await eventually(all_sealed, seconds=20, what="all entries sealed")


async def test_leaves_are_the_canonical_forms_of_all_entries_under_one_root(
    own: Stack, audit: AuditApi
) -> None:
    database = own.database("audit")
    for occurred_at in ("2026-01-02T03:04:05+02:00", "2026-01-02T03:04:05.000001Z", "0900-12-31T00:00:00Z"):
        arguments = (*row(text=ODD)[:-1], clock.now().fromisoformat(occurred_at))
        await database.fetchval(INSERT, *arguments)
    await audit.recorded(STRIPE, *(webhook(b'{"n": 1}', key=b"one") for _ in range(700)))
    await wait_until_sealed(own)
    log = await read_log(own)
    rows = await database.fetch("SELECT * FROM event_log")
    assert {form: entry_id for entry_id, form in zip(log.entry_ids, log.sealed, strict=True)} == {
        sealed_form(stored(entry)): entry["entry_id"] for entry in rows
    }
    assert (len(log.sealed), root_of(log.sealed)) == (log.size, log.root)


def stored(entry: object) -> StoredEntry:
    fields = dict(entry)  # type: ignore[call-overload]
    fields["offset"] = fields.pop("record_offset")
    return StoredEntry(**fields)


async def test_backlog_is_sealed_batch_after_batch_into_the_tiles_of_the_definition(own: Stack) -> None:
    many = INSERT.replace("VALUES (", "SELECT ").replace(
        "sha256('x'))", "sha256('x') FROM generate_series(1, 12000)"
    )
    many = many.replace("$2", "$2 || generate_series").replace("RETURNING entry_id", "")
    await own.database("audit").execute(many, *row())
    await wait_until_sealed(own)
    log, edge = await read_log(own), Edge()
    full = {tile.key: b"".join(tile.hashes) for tile in edge.append(map(hash_leaf, log.sealed))}
    tiles = await own.database("audit").fetch("SELECT level, tile_index, hashes FROM log_tile")
    assert {(tile["level"], tile["tile_index"]): tile["hashes"] for tile in tiles} == full
    assert edge.root() == root_of(log.sealed) == log.root


async def test_entry_that_commits_late_is_sealed_and_one_that_rolls_back_is_not_waited_for(
    own: Stack,
) -> None:
    database = own.database("audit")
    async with database.connect(role="audit") as late, database.connect(role="audit") as never:
        slow, lost = late.transaction(), never.transaction()
        await slow.start()
        await lost.start()
        late_id = await late.fetchval(INSERT, *row())
        await never.fetchval(INSERT, *row())
        early_id = await database.fetchval(INSERT, *row())

        async def overtaken() -> bool:
            return early_id in (await read_log(own)).entry_ids

        await eventually(overtaken, seconds=20)
        assert (await read_log(own)).sealed_through < late_id
        await lost.rollback()
        await slow.commit()
    await wait_until_sealed(own)
    log = await read_log(own)
    assert log.entry_ids.index(late_id) > log.entry_ids.index(early_id)

    async def decided() -> bool:
        return (await read_log(own)).sealed_through >= early_id

    await eventually(decided, seconds=20)


async def test_checkpoint_leaves_for_directory_and_topic_with_both_signatures(own: Stack) -> None:
    await own.database("audit").fetchval(INSERT, *row())
    await wait_until_sealed(own)
    size = (await read_log(own)).size
    directory = Path(own.environment()["AUDIT_CHECKPOINT_DIR"])

    file = directory / f"checkpoint-{size:020d}"
    await eventually(file.exists, seconds=20)
    note = file.read_bytes()
    log = await read_log(own)
    assert read_note(note) == (size, root_of(log.sealed[:size]))
    assert note.decode().count("\n— plumbline.local/audit ") == 2
    assert {path.name[:11] for path in directory.iterdir()} == {"checkpoint-"}  # noqa: ASYNC240 - a test
    topic = own.topic("audit.checkpoints.v1")
    records = await topic.read_until(lambda records: any(record.value == note for record in records))
    record = next(record for record in records if record.value == note)
    assert (record.key, record.header("ce_type")) == (b"plumbline.local/audit", "audit.checkpoint-published")


async def test_readiness_says_how_much_is_sealed(own: Stack) -> None:
    checks = await readiness(own.url("audit"))
    assert "entries sealed" in str(checks["sealer"]["detail"])
    assert "s behind" in str(checks["log-gauges"]["detail"])
