"""Exactly one entry per event, whatever happens to the consumers: crash, replay, rebalance (F26)."""

from collections.abc import AsyncGenerator
from functools import partial

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from chassis import clock
from harness import Infra, Record, Stack, down, eventually, start_services
from integration.audit.audit_records import AuditApi, changed, created, webhook

STRIPE = "webhooks.stripe.v1"
BOOKINGS = "bookings.events.v1"


@pytest.fixture
async def audit_stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "audit") as stack:
        yield stack


@pytest.fixture
def audit(audit_stack: Stack, http: httpx.AsyncClient) -> AuditApi:
    return AuditApi(audit_stack, http)


def deliveries(count: int) -> list[Record]:
    return [webhook(f'{{"n": {n}}}'.encode(), subject=clock.new_id()) for n in range(count)]


async def holds(stack: Stack, count: int) -> bool:
    return await stack.database("audit").fetchval("SELECT count(*) FROM event_log") >= count


async def recorded_ids(stack: Stack) -> list[str]:
    rows = await stack.database("audit").fetch("SELECT event_id FROM event_log")
    return sorted(row["event_id"] for row in rows)


def ids(records: list[Record]) -> list[str]:
    return sorted(str(record.header("ce_id")) for record in records)


async def commit_beginning(infra: Infra, stack: Stack, *topics: str) -> None:
    """Set the group's offsets to 0, as an operator replays whole topics; nobody may be in the group."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=infra.kafka_bootstrap, group_id=f"{stack.prefix}.audit", enable_auto_commit=False
    )
    await consumer.start()
    try:
        partitions = [
            TopicPartition(stack.topic(topic).name, partition) for topic in topics for partition in range(6)
        ]
        consumer.assign(partitions)
        await consumer.commit({partition: OffsetAndMetadata(0, "") for partition in partitions})
    finally:
        await consumer.stop()


async def test_whole_topics_replayed_from_their_beginning_add_nothing(
    audit: AuditApi, audit_stack: Stack, infra: Infra
) -> None:
    booking_id = clock.new_id()
    clash = webhook(b'{"n": "other"}', event_id="evt_clash", key=b"k")
    unreadable = Record(b"no event", b"k", ())
    await audit.recorded(
        STRIPE, *deliveries(50), webhook(b"{}", event_id="evt_clash", key=b"k"), clash, unreadable
    )
    await audit.recorded(BOOKINGS, created(booking_id), changed(booking_id, 3, "pending", "confirmed"))
    before = await recorded_ids(audit_stack)

    service = audit_stack.services("audit")[0]
    await service.stop()
    await commit_beginning(infra, audit_stack, STRIPE, BOOKINGS)
    await service.start()

    async def replayed() -> bool:
        metrics = (await audit.get("/metrics")).text
        total = next(line for line in metrics.splitlines() if line.startswith("audit_duplicates_total"))
        return float(total.split()[1]) >= 54

    await eventually(replayed, seconds=20, what="54 duplicates seen")
    await audit.recorded(STRIPE, webhook(b"{}"))
    after = await recorded_ids(audit_stack)
    assert len(after) == len(before) + 2, "only the last record and its marker are new"
    history = (await audit.get(f"/api/bookings/{booking_id}/history")).json()
    assert history["missing_versions"] == [2]


async def test_consumer_killed_in_the_middle_of_a_backlog_records_everything_once(
    audit: AuditApi, audit_stack: Stack
) -> None:
    service = audit_stack.services("audit")[0]
    await service.stop()
    records = deliveries(5000)
    await audit_stack.topic(STRIPE).publish_all(records)
    await service.start()
    await eventually(partial(holds, audit_stack, 500), seconds=30, what="the first entries")
    await service.kill()
    assert not await holds(audit_stack, 5000), "killed too late to show anything"
    await service.start()
    await eventually(partial(holds, audit_stack, 5000), seconds=60)
    assert await recorded_ids(audit_stack) == ids(records)


async def test_two_replicas_share_the_topics_and_record_everything_once(
    audit: AuditApi, audit_stack: Stack
) -> None:
    first = deliveries(2000)
    await audit_stack.topic(STRIPE).publish_all(first)
    second_replica = await audit_stack.start("audit")  # a rebalance while the first is at work
    second = deliveries(2000)
    await audit_stack.topic(STRIPE).publish_all(second)
    await second_replica.stop()  # and another one
    third = deliveries(500)
    await audit_stack.topic(STRIPE).publish_all(third)
    await eventually(partial(holds, audit_stack, 4500), seconds=60)
    assert await recorded_ids(audit_stack) == ids(first + second + third)


async def test_database_killed_under_load_loses_and_doubles_nothing(
    audit: AuditApi, audit_stack: Stack, infra: Infra
) -> None:
    first, second = deliveries(2000), deliveries(2000)
    await audit_stack.topic(STRIPE).publish_all(first)
    async with down(infra.postgres, how="kill"):
        await audit_stack.topic(STRIPE).publish_all(second)
    await eventually(partial(holds, audit_stack, 4000), seconds=60)
    assert await recorded_ids(audit_stack) == ids(first + second)
    await eventually(lambda: audit_stack.ready("audit"), seconds=30)


async def test_event_that_the_database_refuses_waits_and_holds_up_no_other(
    audit: AuditApi, audit_stack: Stack
) -> None:
    # A missing right is a fault of the database, not of the event.
    database = audit_stack.database("audit")
    await database.execute("REVOKE INSERT ON audit.status_history FROM audit")
    booking_id = clock.new_id()
    event = created(booking_id)
    try:
        await audit_stack.topic(BOOKINGS).publish_all([event])
        others = [webhook(b"{}") for _ in range(20)]
        await audit.recorded(STRIPE, *others)
        assert set(ids(others)) <= set(await recorded_ids(audit_stack))
        assert event.header("ce_id") not in await recorded_ids(audit_stack)
    finally:
        await database.execute(
            "GRANT INSERT (booking_id, version, from_status, to_status, changed_by, recorded_at, entry_id)"
            " ON audit.status_history TO audit"
        )

    entry = await audit.entry(event_id=event.header("ce_id"))
    assert entry["event_type"] == "booking.created"
    history = (await audit.get(f"/api/bookings/{booking_id}/history")).json()["history"]
    assert [transition["version"] for transition in history] == [1]
