"""Records deleted before a group read them are reported: log, counter, readiness, EventLog, doctor."""

import json
from collections.abc import AsyncGenerator

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from chassis.clock import new_id
from chassis.kafka.connection import KafkaConnection
from chassis.kafka.groups import GroupState, read_group
from contracts.metadata import MessageMetadata
from contracts.topics import WEBHOOKS_SMS
from harness import Infra, Record, Stack, eventually, start_services

TOPIC = WEBHOOKS_SMS.name


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking", "audit") as stack:
        yield stack


def delivery() -> Record:
    event_id = new_id()
    metadata = MessageMetadata(id=event_id, source="/webhooks/sms", type="sms.message.received")
    headers = (*metadata.to_headers(), ("plumbline-verification", b"verified"))
    return Record(b"{}", event_id.encode(), headers)


async def delete_all(stack: Stack, infra: Infra) -> dict[int, int]:
    """Delete every record of the topic; returns the new first offsets of partitions that had any."""
    ends = {record.partition: record.offset + 1 for record in await stack.topic(TOPIC).records()}
    admin = AIOKafkaAdminClient(bootstrap_servers=infra.kafka_bootstrap)
    await admin.start()
    try:
        await admin.delete_records(
            {
                TopicPartition(stack.topic(TOPIC).name, number): RecordsToDelete(before_offset=end)
                for number, end in ends.items()
            }
        )
    finally:
        await admin.close()
    return ends


async def state_of(stack: Stack, infra: Infra, service: str) -> GroupState:
    prefix = stack.environment()["TOPIC_PREFIX"]
    kafka = KafkaConnection(infra.kafka_bootstrap, prefix, {"security_protocol": "PLAINTEXT"})
    return await read_group(kafka, prefix + service, [TOPIC])


async def losses(stack: Stack) -> list[tuple[str, int, int, int]]:
    rows = await stack.database("audit").fetch(
        "SELECT source, status, metadata FROM audit.event_log WHERE event_type = 'messages.lost'"
    )
    assert all(row["status"] == "failed" for row in rows)
    details = [(row["source"], json.loads(row["metadata"])) for row in rows]
    assert all(told["topic"] == TOPIC for _, told in details)
    return [(source, d["partition"], d["first_offset"], d["last_offset"]) for source, d in details]


async def test_emptied_partitions_are_reported_once_by_both_groups_and_reading_goes_on(
    own: Stack, infra: Infra
) -> None:
    services = [own.services("booking")[0], own.services("audit")[0]]

    async def nothing_waits() -> bool:
        states = [await state_of(own, infra, name) for name in ("booking", "audit")]
        return all(state.members == 1 and not state.lag for state in states)

    await eventually(nothing_waits, seconds=30)
    assert await losses(own) == []
    for service in services:
        await service.stop()
    lost = [delivery() for _ in range(20)]
    await own.topic(TOPIC).publish_all(lost)
    ends = await delete_all(own, infra)
    expected = sorted((number, 0, end - 1) for number, end in ends.items())
    state = await state_of(own, infra, "booking")
    assert sorted((n, *found) for (_, n), found in state.expired.items()) == expected
    for service in services:
        await service.start()

    async def reported() -> bool:
        found = await losses(own)
        return all(sorted(f[1:] for f in found if f[0] == name) == expected for name in ("booking", "audit"))

    await eventually(reported, seconds=30)
    for service in services:  # what was reported and passed is not reported again
        await service.stop()
        await service.start()
    after = delivery()
    await own.topic(TOPIC).publish_all([after])

    async def goes_on() -> bool:
        sql = "SELECT count(*) FROM audit.event_log WHERE event_id = $1"
        return await own.database("audit").fetchval(sql, after.key.decode()) == 1

    await eventually(goes_on, seconds=30)
    assert len(await losses(own)) == 2 * len(ends)
