"""Records that expire while their partition is paused are reported once; reading continues after them."""

import json

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from harness import eventually
from integration.chassis.ground import Ground, Member, record


async def test_records_deleted_under_a_paused_partition_are_announced_and_passed(ground: Ground) -> None:
    async with Member(ground).running() as member:
        (first,) = await ground.topic.publish_all([record("read", key="k")])
        partition = TopicPartition(ground.topic.name, first.partition)

        async def effects() -> list[str]:
            return await ground.effects()

        await eventually(effects)
        consumer = member.consumer._subscriber.consumer
        consumer.pause(partition)
        lost = await ground.topic.publish_all([record(f"lost-{number}", key="k") for number in range(5)])
        admin = AIOKafkaAdminClient(bootstrap_servers=ground.bootstrap)
        await admin.start()
        await admin.delete_records({partition: RecordsToDelete(before_offset=lost[-1].offset + 1)})
        await admin.close()
        await ground.topic.publish_all([record("later", key="k")])
        consumer.resume(partition)

        async def continues() -> bool:
            return await ground.effects() == ["read", "later"]

        await eventually(continues)
        detail = (await member.consumer.check()).detail
    rows = await ground.sql.fetch("SELECT topic, value FROM outbox")
    losses = [json.loads(row["value"]) for row in rows]
    ranges = [(each["partition"], each["first_offset"], each["last_offset"]) for each in losses]
    fetched = first.offset + 1
    assert ranges == [(first.partition, fetched, lost[-1].offset)]
    assert f"{first.partition} {fetched} to {lost[-1].offset}" in detail
