"""A missing version is reported once, and reported as closed when it arrives (AU-2)."""

import asyncio
import random
from collections.abc import AsyncGenerator

import httpx
import pytest

from audit.adapters import history_gaps
from chassis import clock
from contracts.bookings import BookingStatus
from harness import Infra, Stack, eventually, start_services
from integration.audit.audit_records import AuditApi, changed, created

BOOKINGS = "bookings.events.v1"
GAP, HEALED = "status-history.gap", "status-history.gap-healed"


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    """Two replicas, of which one at a time judges; patience is short."""
    async with start_services(infra, "audit", env={"AUDIT_GAP_SECONDS_MAX": "0.5"}) as stack:
        await stack.start("audit", env={"AUDIT_GAP_SECONDS_MAX": "0.5"})
        yield stack


@pytest.fixture
def audit(own: Stack, http: httpx.AsyncClient) -> AuditApi:
    return AuditApi(own, http)


async def open_gaps(stack: Stack, *booking_ids: str) -> int:
    count = "SELECT count(*) FROM history_gap WHERE booking_id = ANY($1)"
    return await stack.database("audit").fetchval(count, booking_ids)


async def test_missing_version_is_reported_once_and_heals_when_it_comes(audit: AuditApi, own: Stack) -> None:
    booking_id = clock.new_id()
    late = changed(booking_id, 2, "pending", "confirmed")
    sent = await audit.recorded(
        BOOKINGS, created(booking_id), changed(booking_id, 3, "confirmed", "completed")
    )
    entry = await audit.entry(event_type=GAP, booking_id=booking_id)
    assert (entry["status"], entry["source"], entry["actor"]) == ("failed", "audit", None)
    assert entry["metadata"] == {"missing_from": 2, "missing_to": 2, "waiting_version": 3}
    assert (entry["topic"], entry["offset"]) == (BOOKINGS, sent[1].offset)
    waiting = (await audit.get(f"/api/bookings/{booking_id}/history")).json()
    assert (waiting["missing_versions"], waiting["waiting_versions"]) == ([2], [3])

    async def counted() -> bool:
        return 'history_gaps{state="reported"} 1.0' in await metrics(own)

    await eventually(counted, seconds=20)
    await audit.recorded(BOOKINGS, late)
    healed = await audit.entry(event_type=HEALED, booking_id=booking_id)
    assert (healed["status"], healed["metadata"]) == ("success", {"complete_to": 2})
    history = (await audit.get(f"/api/bookings/{booking_id}/history")).json()
    assert [transition["version"] for transition in history["history"]] == [1, 2, 3]
    assert "waiting_versions" not in history
    assert len(await audit.entries(event_type=GAP, booking_id=booking_id)) == 1

    async def forgotten() -> bool:
        return await open_gaps(own, booking_id) == 0

    await eventually(forgotten, seconds=20)


async def metrics(stack: Stack) -> str:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"{stack.url('audit')}/metrics")).text


async def test_any_order_with_losses_and_duplicates_ends_whole(audit: AuditApi, own: Stack) -> None:
    booking_ids = [clock.new_id() for _ in range(20)]
    chance = random.Random(4)
    sent = [
        created(booking_id) if version == 1 else changed(booking_id, version, *_step(version))
        for booking_id in booking_ids
        for version in range(1, 7)
    ]
    lost = set(chance.sample(range(len(sent)), 15))
    first = [record for number, record in enumerate(sent) if number not in lost]
    chance.shuffle(first)
    await audit.recorded(BOOKINGS, *first, *first[:10])
    await audit.recorded(BOOKINGS, *(sent[number] for number in lost))

    async def all_whole() -> bool:
        return await open_gaps(own, *booking_ids) == 0

    await eventually(all_whole, seconds=20)
    for booking_id in booking_ids:
        history = (await audit.get(f"/api/bookings/{booking_id}/history")).json()
        assert [transition["version"] for transition in history["history"]] == [1, 2, 3, 4, 5, 6]
        reported = await audit.entries(event_type=GAP, booking_id=booking_id)
        healed = await audit.entries(event_type=HEALED, booking_id=booking_id)
        assert bool(reported) == bool(healed)


async def test_gap_that_opens_while_the_row_is_being_removed_is_not_forgotten(own: Stack) -> None:
    database, booking_id = own.database("audit"), clock.new_id()
    async with database.connect("audit") as job, database.connect("audit") as appender:
        judging, appending = job.transaction(), appender.transaction()
        await judging.start()
        await history_gaps.try_lock(job)
        await history_gaps.open_gaps(job, [booking_id])
        await judging.commit()
        judging = job.transaction()
        await judging.start()
        await job.execute("SELECT FROM history_gap WHERE booking_id = $1 FOR UPDATE", booking_id)
        await appending.start()
        opening = asyncio.create_task(history_gaps.open_gaps(appender, [booking_id]))

        async def waits() -> bool:
            return opening.done() or await database.fetchval(
                "SELECT count(*) > 0 FROM pg_locks WHERE pid = $1 AND NOT granted", appender.get_server_pid()
            )

        await eventually(waits)
        await job.execute("DELETE FROM history_gap WHERE booking_id = $1", booking_id)
        await judging.commit()
        await opening
        assert await appender.fetchval("SELECT true FROM history_gap WHERE booking_id = $1", booking_id)
        await appending.rollback()


async def test_of_several_replicas_one_judges(own: Stack) -> None:
    database = own.database("audit")
    async with database.connect("audit") as one, database.connect("audit") as other:
        judging, looking = one.transaction(), other.transaction()
        await judging.start()
        await looking.start()

        async def has_the_turn() -> bool:  # the stack's own replicas classify_gaps too, for a moment each
            return await history_gaps.try_lock(one)

        await eventually(has_the_turn)
        assert not await history_gaps.try_lock(other)
        await judging.commit()

        async def has_it_now() -> bool:
            return await history_gaps.try_lock(other)

        await eventually(has_it_now)
        await looking.rollback()


def _step(version: int) -> tuple[BookingStatus, BookingStatus]:
    return ("pending", "confirmed") if version % 2 == 0 else ("confirmed", "pending")
