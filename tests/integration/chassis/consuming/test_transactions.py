"""Transactional producers, such as MirrorMaker and Streams: aborted records have no effect (issue 14)."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer

from chassis.clock import new_id
from chassis.consuming.stalls import StallWatch
from chassis.kafka.groups import read_group
from harness import Record, eventually
from integration.chassis.ground import SERVICE, TOPIC, Ground, Member, record

PARTITION = 2


@asynccontextmanager
async def transactional(ground: Ground) -> AsyncGenerator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=ground.bootstrap, transactional_id=f"test-{new_id()}")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send(producer: AIOKafkaProducer, ground: Ground, sent: Record) -> None:
    await producer.send_and_wait(
        ground.topic.name, sent.value, sent.key, partition=PARTITION, headers=list(sent.headers)
    )


async def test_aborted_records_have_no_effect_and_markers_are_no_lag(ground: Ground) -> None:
    async with Member(ground).running() as member, transactional(ground) as producer:
        for event_id, committed in (("e1", True), ("aborted", False), ("e2", True), ("aborted-too", False)):
            await producer.begin_transaction()
            await send(producer, ground, record(event_id, key=event_id))
            await (producer.commit_transaction() if committed else producer.abort_transaction())

        async def all_applied() -> bool:
            return len(await ground.effects()) >= 2

        await eventually(all_applied)

        async def nothing_waits() -> bool:
            state = await read_group(ground.kafka, ground.kafka.topic_prefix + SERVICE, [TOPIC])
            return state.members == 1 and state.lag == 0

        await eventually(nothing_waits, what="markers and aborted records to be passed")
        assert await ground.effects() == ["e1", "e2"]
        assert (await member.consumer.check()).ok
        assert not StallWatch(seconds_max=0.0).stalled(member.consumer._subscriber.consumer)


async def test_open_transaction_that_blocks_a_partition_is_reported(ground: Ground) -> None:
    async with Member(ground).running() as member, transactional(ground) as producer:
        await producer.begin_transaction()
        await send(producer, ground, record("open"))
        watch = StallWatch(seconds_max=0.0)

        def is_reported() -> bool:
            stalled = watch.stalled(member.consumer._subscriber.consumer)
            return "transaction" in stalled and f"{ground.topic.name}/{PARTITION}" in stalled

        await eventually(is_reported)
        assert await ground.effects() == []
        await producer.commit_transaction()

        async def applied() -> bool:
            return await ground.effects() == ["open"]

        await eventually(applied)
        assert not watch.stalled(member.consumer._subscriber.consumer)
