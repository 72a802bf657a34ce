"""The search by blocks finds what reading every entry finds, in PostgreSQL (AU-5, decision 0055)."""

import random
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest

from audit.adapters import entry_blocks, event_log_queries
from audit.adapters.event_log_queries import EntryRecord, Order
from audit.domain.blocks import BLOCK_ENTRIES, SettledEntries
from audit.domain.filters import EntryFilter, Position
from audit.handlers.entry_blocks import count_unindexed, fill_blocks, newest_settled_entry
from audit.handlers.queries import list_values
from audit.handlers.search import page_of_entries
from chassis.postgres import Database
from harness import Infra, Stack, start_services

ENTRIES = 3_000
SEED = 19
_FILL = """
INSERT INTO audit.event_log (event_type, status, source, event_id, booking_id, actor, error, correlation_id,
    metadata, topic, partition, record_offset, payload_digest)
SELECT * , '{}', 'bookings.events.v1', 0, 0, sha256('') FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[]
)
"""
# A clock that was set back for a while: blocks overlap in time.
_SET_BACK = (
    "UPDATE audit.event_log SET recorded_at = recorded_at - interval '1 hour' WHERE entry_id % 700 < 90"
)
_ONE = """
INSERT INTO audit.event_log (event_type, status, source, event_id, metadata, topic, partition, record_offset,
    payload_digest)
SELECT 'one', 'success', 'late', gen_random_uuid()::text, '{}', 't', 0, 0, sha256('')
FROM generate_series(1, $1::bigint) RETURNING entry_id
"""
QUERIES = (
    EntryFilter(actor="ana"),
    EntryFilter(actor="nobody"),
    EntryFilter(status="failed", source="sms"),
    EntryFilter(event_type="booking.created", status="failed", source="booking"),
    EntryFilter(text="created"),
    EntryFilter(text="PAYMENT intent", status="failed"),
    EntryFilter(text="payment_in"),
    EntryFilter(text="booking booking"),
    EntryFilter(text="rare needle"),
    EntryFilter(text="7c1e"),
    EntryFilter(text="needle", source="sms"),
    EntryFilter(text="café"),
)


@pytest.fixture(scope="module")
async def stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra) as stack:
        yield stack


@pytest.fixture(scope="module")
async def database(stack: Stack) -> AsyncGenerator[Database]:
    """Provide a log whose last entries are in no block."""
    chance = random.Random(SEED)
    await stack.database("audit").execute(_FILL, *zip(*(_entry(chance) for _ in range(ENTRIES)), strict=True))
    async with stack.database("audit").without_triggers("audit.event_log") as connection:
        await connection.execute(_SET_BACK)
    database = Database(stack.database("audit").dsn("audit"), application_name="test")
    await database.start()
    await index(database)
    yield database
    await database.stop()


def _entry(chance: random.Random) -> tuple[str | None, ...]:
    number = chance.getrandbits(128)
    return (
        chance.choice(
            ["booking.created", "stripe.payment_intent.succeeded", "booking.changed", "sms::payment"]
        ),
        chance.choice(["success"] * 8 + ["failed", "pending"]),
        chance.choice(["booking", "stripe", "sms"]),
        f"{number:032x}",
        str(chance.randrange(300)),
        chance.choice(["system", "kim", "ana", None]) if chance.random() < 0.01 else None,
        "rare-needle" if chance.random() < 0.004 else chance.choice([None, "café", "the intent"]),
        f"{chance.getrandbits(16):04x}-7c1e" if chance.random() < 0.02 else None,
    )


async def index(database: Database, settled: SettledEntries | None = None) -> None:
    until = await newest_settled_entry(database, settled or SettledEntries())
    while await fill_blocks(database, until=until):
        pass


async def every_entry(database: Database) -> list[EntryRecord]:
    async with database.connection() as connection:
        found = await event_log_queries.page_of_entries(
            connection, EntryFilter(), after=None, rows_max=10 * ENTRIES, order="oldest first"
        )
    return [entry for entry in found if isinstance(entry, EntryRecord)]


async def walk(database: Database, query: EntryFilter, order: Order, rows_max: int) -> list[int]:
    found: list[int] = []
    after: Position | None = None
    async with database.connection() as connection:
        while True:
            page: list[Any] = list(
                await page_of_entries(connection, query, after=after, rows_max=rows_max, order=order)
            )
            found += [entry.entry_id for entry in page]
            if len(page) < rows_max:
                return found
            after = page[-1].position


@pytest.mark.parametrize("query", QUERIES, ids=str)
@pytest.mark.parametrize("order", ["newest first", "oldest first"])
async def test_pages_of_a_search_are_the_matching_entries_in_order(
    database: Database, query: EntryFilter, order: Order
) -> None:
    every = await every_entry(database)
    times = sorted(entry.recorded_at for entry in every)
    span = replace(query, recorded_from=times[200], recorded_to=times[-300])
    for asked in (query, span):
        expected = [
            entry.entry_id
            for entry in every
            if asked.matches(entry)
            and (asked.recorded_from is None or entry.recorded_at >= asked.recorded_from)
            and (asked.recorded_to is None or entry.recorded_at < asked.recorded_to)
        ]
        assert asked.is_search
        assert bool(expected) == (query.actor != "nobody" and query.text != "booking booking")
        if order == "newest first":
            expected.reverse()
        assert await walk(database, asked, order, rows_max=37) == expected


async def test_blocks_leave_out_what_an_open_writer_may_still_add(database: Database, stack: Stack) -> None:
    settled = SettledEntries()
    async with stack.database("audit").connect("audit") as writer, writer.transaction():
        await writer.fetchval(_ONE, 1)
        await stack.database("audit").execute(_ONE, 2 * BLOCK_ENTRIES)
        await index(database, settled)
        assert await count_unindexed(database) > 2 * BLOCK_ENTRIES
    await index(database, settled)
    await index(database, settled)
    assert await count_unindexed(database) < BLOCK_ENTRIES
    assert len(await walk(database, EntryFilter(text="one", source="late"), "newest first", 500)) == (
        2 * BLOCK_ENTRIES + 1
    )


async def test_new_block_reads_its_own_entries_only(database: Database, stack: Stack) -> None:
    await stack.database("audit").execute("ANALYZE audit.event_log")
    async with database.connection() as connection:
        rows = await connection.fetch(f"EXPLAIN {entry_blocks._INSERT}", 1, BLOCK_ENTRIES, ["one"])
    plan = "\n".join(row[0] for row in rows)
    assert "event_log_pkey" in plan
    assert "event_log_recorded" not in plan


async def test_values_are_those_of_the_entries(database: Database) -> None:
    every = await every_entry(database)
    values = await list_values(database, ("event_type", "source", "status"))
    for name, found in values.items():
        assert found == sorted({getattr(entry, name) for entry in every})
