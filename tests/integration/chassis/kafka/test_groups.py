"""The state of a group as a real broker tells it."""

from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis.kafka.groups import read_group
from integration.chassis.ground import TOPIC, Ground, record

GROUP = "sample"


async def commit(ground: Ground, offset: int) -> None:
    """As a group without members does, for every partition."""
    group = AIOKafkaConsumer(
        bootstrap_servers=ground.bootstrap,
        group_id=ground.kafka.topic_prefix + GROUP,
        enable_auto_commit=False,
    )
    await group.start()
    try:
        ends = await ground.ends()
        places = [TopicPartition(ground.topic.name, number) for number in ends]
        group.assign(places)
        await group.commit(dict.fromkeys(places, offset))
    finally:
        await group.stop()


async def test_lag_is_what_waits_wherever_the_group_stands(ground: Ground) -> None:
    await ground.topic.publish_all([record(f"e:{number}") for number in range(5)])

    async def lag() -> int:
        state = await read_group(ground.kafka, ground.kafka.topic_prefix + GROUP, [TOPIC])
        assert state.members == 0
        return state.lag

    for offset, waiting in ((0, 5), (2, 3), (5, 0), (10, 5)):
        await commit(ground, offset)
        assert await lag() == waiting
