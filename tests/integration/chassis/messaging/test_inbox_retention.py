"""The retention deletes old inbox rows, and only those: in batches, in one replica at a time."""

import asyncio
from datetime import timedelta

import pytest

from chassis.messaging import inbox, inbox_retention
from chassis.messaging.inbox_retention import InboxRetention
from chassis.observability.metrics import Metrics
from chassis.postgres import Connection, Database
from chassis.postgres.advisory_locks import INBOX_RETENTION
from harness import eventually
from integration.chassis.ground import Ground
from integration.chassis.messaging.test_inbox import ids, message

RETENTION = timedelta(days=35)

_FILL = """
INSERT INTO inbox (source, event_id, body_sha256, received_at)
SELECT 's', $1 || number, '', now() - $2::interval FROM generate_series(1, $3::integer) AS number
"""


def retention(database: Database) -> tuple[InboxRetention, Metrics]:
    metrics = Metrics("sample")
    return InboxRetention(database, RETENTION, metrics), metrics


async def left(place: Ground) -> set[str]:
    return {row["event_id"] for row in await place.sql.fetch("SELECT event_id FROM inbox")}


async def test_rows_older_than_the_retention_go_and_all_others_stay(
    database: Database, place: Ground
) -> None:
    await place.sql.execute(_FILL, "old", RETENTION + timedelta(minutes=1), 3)
    await place.sql.execute(_FILL, "young", RETENTION - timedelta(minutes=10), 3)
    swept, metrics = retention(database)
    assert await swept.sweep(asyncio.Event()) == 3
    assert await left(place) == {"young1", "young2", "young3"}
    assert "sample_inbox_rows_removed_total 3.0" in metrics.expose().decode()


async def test_table_of_many_batches_is_swept_to_its_end(
    database: Database, place: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_retention, "BATCH_PAGES_MAX", 2)
    monkeypatch.setattr(inbox_retention, "BATCH_PAUSE_SECONDS", 0.0)
    for number in range(5):
        await place.sql.execute(_FILL, f"old{number}-", 2 * RETENTION, 400)
        await place.sql.execute(_FILL, f"young{number}-", timedelta(), 1)
    assert await place.sql.fetchval(inbox_retention._PAGES) > 10
    assert await retention(database)[0].sweep(asyncio.Event()) == 2_000
    assert await left(place) == {f"young{number}-1" for number in range(5)}


async def test_batch_reads_its_pages_and_no_more(database: Database, place: Ground) -> None:
    await place.sql.execute(_FILL, "young", timedelta(), 20_000)
    async with database.transaction() as connection:
        for _ in range(8):  # the server makes a plan for all arguments from the sixth on
            statement = await connection.prepare(f"EXPLAIN (ANALYZE, BUFFERS) {inbox_retention._DELETE}")
            plan = "\n".join(row[0] for row in await statement.fetch(0, 4, RETENTION))
    assert "Tid Range Scan" in plan
    assert "rows=0" in plan
    assert "shared hit=4" in plan


async def test_only_one_replica_sweeps_at_a_time(database: Database, place: Ground) -> None:
    await place.sql.execute(_FILL, "old", 2 * RETENTION, 3)
    swept, _ = retention(database)
    async with place.sql.connect() as other:
        await other.execute("SELECT pg_advisory_lock($1)", INBOX_RETENTION)
        assert await swept.sweep(asyncio.Event()) is None
        assert len(await left(place)) == 3

    async def free() -> bool:
        return await swept.sweep(asyncio.Event()) == 3

    await eventually(free)


async def test_sweep_that_is_asked_to_stop_ends_after_its_batch(
    database: Database, place: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_retention, "BATCH_PAGES_MAX", 1)
    await place.sql.execute(_FILL, "old", 2 * RETENTION, 2_000)
    stopping = asyncio.Event()
    stopping.set()
    removed = await retention(database)[0].sweep(stopping)
    assert removed
    assert 0 < removed < 2_000


async def test_component_sweeps_when_it_starts_and_stops_in_the_middle(
    database: Database, place: Ground
) -> None:
    await place.sql.execute(_FILL, "old", 2 * RETENTION, 3)
    component, _ = retention(database)
    await component.start()

    async def swept() -> bool:
        return await left(place) == set()

    await eventually(swept)
    assert (await component.check()).ok
    await component.stop()


async def test_event_deleted_while_it_comes_again_is_a_duplicate(
    database: Database, place: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row is deleted between the two statements of `admit`."""
    async with database.transaction() as connection:
        await inbox.admit(connection, [message("a")])
    fetch_processed = inbox.fetch_processed

    async def delete_first(
        connection: Connection, identities: list[inbox.EventIdentity]
    ) -> dict[inbox.EventIdentity, bytes]:
        await place.sql.execute("DELETE FROM inbox")
        return await fetch_processed(connection, identities)

    monkeypatch.setattr(inbox, "fetch_processed", delete_first)
    async with database.transaction() as connection:
        admission = await inbox.admit(connection, [message("a"), message("b")])
    assert (ids(admission.fresh), admission.duplicates, admission.conflicts) == (["b"], 1, [])
