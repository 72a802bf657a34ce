"""The shell beside the client's own bookkeeping, without a broker."""

import re
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis.consuming import Consumer
from chassis.dead_letters import DeadLetters
from chassis.metrics import Metrics
from chassis.postgres import Database


async def test_new_topic_of_the_pattern_is_no_failure_of_what_is_in_hand() -> None:
    """Between a new match and the rebalance the client has no assignment, and asserts on being asked."""
    client = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1", group_id="g")
    subscription: Any = client._subscription
    subscription.subscribe_pattern(re.compile("webhooks.*"))
    subscription.subscribe_from_pattern({"webhooks.a.v1"})
    partition = TopicPartition("webhooks.a.v1", 0)
    subscription.assign_from_subscribed({partition})
    consumer = Consumer(
        "sample",
        database=Database("postgresql://s@127.0.0.1:1/s", application_name="sample"),
        apply=cast("Any", None),
        set_aside=DeadLetters("sample"),
        topic_prefix="",
        metrics=Metrics("sample"),
    )
    consumer._subscriber = cast("Any", type("Subscriber", (), {"consumer": client}))
    await consumer.on_assigned([partition])
    consumer._steer()
    subscription.subscribe_from_pattern({"webhooks.a.v1", "webhooks.b.v1"})
    consumer._steer()
    await client.stop()
